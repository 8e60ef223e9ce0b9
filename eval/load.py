"""Ask an HTTP server many times and take the time, with as little work as can be."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:\s*chunked")

KEY = "sk-a-key-that-is-long-enough-for-benchmarks"
"""Sent with each request; servers that want one are started with it."""


class Reply(NamedTuple):
    """What came back, and when: seconds since the request was sent."""

    head: bytes
    body: bytes
    first: float
    """When the first event of a stream was there; else when the whole body was."""
    whole: float

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.head.split(b" ", 2)[1] == b"200"


class Caller:
    """One connection to a server on this machine, made anew when the server closes it."""

    def __init__(self, port: int) -> None:
        """Call the server at a port."""
        self.port = port
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a request and read all of its response."""
        if self._connection is None:
            self._connection = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._connection
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        writer.write(head.encode() + body)
        reply = await _reply(reader, began)
        if not reply.head.startswith(b"HTTP/1.1") or b"connection: close" in reply.head.lower():
            self.close()
        return reply

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


async def _reply(reader: asyncio.StreamReader, began: float) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    body, first = b"", None
    if length := LENGTH.search(head):
        body = await reader.readexactly(int(length[1]))
    elif CHUNKED.search(head):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
            first = first or (b"data:" in body and time.perf_counter()) or None
        await reader.readline()
    else:
        body = await reader.read()
    end = time.perf_counter()
    return Reply(head, body, (first or end) - began, end - began)


async def per_second(
    port: int, path: str, bodies: list[bytes], callers: int, seconds: float
) -> float:
    """Successful requests per second of that many callers, each asking again when answered.

    Raises RuntimeError if a request fails.
    """
    end = time.perf_counter() + seconds
    turn: Iterator[int] = count()

    async def ask() -> int:
        caller, done = Caller(port), 0
        while time.perf_counter() < end:
            reply = await caller.post(path, bodies[next(turn) % len(bodies)])
            if not reply.ok:
                raise RuntimeError(f"port {port}: {reply.head!r} {reply.body[:500]!r}")
            done += 1
        caller.close()
        return done

    began = time.perf_counter()
    done = await asyncio.gather(*(ask() for _ in range(callers)))
    return sum(done) / (time.perf_counter() - began)
