"""An OpenAI-compatible server made for the tests: it answers, or misbehaves as it is told to."""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "big",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It is 288. \u00e9"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
}
BODY = json.dumps(ANSWER, indent=1, ensure_ascii=False).encode()
_CHUNK = b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"big","choices":[%s]}'
EVENTS = (
    b"data: " + _CHUNK % b'{"index":0,"delta":{"content":"It"},"finish_reason":null}' + b"\r\n\r\n",
    b": a comment\n\ndata:" + _CHUNK % b'{"index":0,"delta":{"content":" is \xc3\xa9"}}' + b"\n\n",
    b"data: [DONE]\n\n",
)


class Request(NamedTuple):
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Request], None]


def reply(
    body: bytes = BODY, status: str = "200 OK", kind: str = "application/json", *more: str
) -> bytes:
    """A whole HTTP response."""
    head = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


def saying(*parts: bytes) -> Behaviour:
    """Send these bytes."""

    def behave(connection: socket.socket, _request: Request) -> None:
        for part in parts:
            connection.sendall(part)

    return behave


def chunked(part: bytes) -> bytes:
    """A chunk of a chunked response."""
    return b"%x\r\n%s\r\n" % (len(part), part)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def streaming(*parts: bytes, before_each: Callable[[], object] = lambda: None) -> Behaviour:
    """Send a stream, and end it in order."""

    def behave(connection: socket.socket, _request: Request) -> None:
        connection.sendall(STREAM_HEAD)
        for part in parts:
            before_each()
            connection.sendall(chunked(part))
        connection.sendall(b"0\r\n\r\n")

    return behave


def reset(connection: socket.socket) -> None:
    """Break a connection off without a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


@dataclass
class Upstream:
    """What it was asked, and how it behaves."""

    url: str
    behave: Behaviour = field(default_factory=lambda: saying(reply()))
    requests: list[Request] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed a connection."""

    def serve(self, connection: socket.socket) -> None:
        """Answer the requests of one connection."""
        with suppress(OSError), connection, connection.makefile("rb") as file:
            while request := _read(file):
                self.requests.append(request)
                self.behave(connection, request)
        self.hung_up.set()


def _read(file) -> Request | None:
    line = file.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while header := file.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line, headers, file.read(int(headers.get("content-length", 0))))


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Run one on a free port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    made = Upstream(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=made.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield made
    finally:
        listening.close()
