"""An OpenAI-compatible server that answers at once, for benchmarks: `python -m eval.fake_upstream`.

It reads no more of a request than it must, so that it is never what a benchmark measures.
`--first-ms` and `--every-ms` say how long the first token of a stream takes, and each other one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Iterator

LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
STREAM = re.compile(rb'"stream"\s*:\s*true')
BASE = {"id": "chatcmpl-1", "created": 1, "model": "fake"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def answer() -> bytes:
    """A whole response."""
    message = {"role": "assistant", "content": "It has four."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = BASE | {"object": "chat.completion", "choices": [choice], "usage": USAGE}
    return response(json.dumps(body).encode())


def response(body: bytes) -> bytes:
    """A JSON body with its head."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def chunks(tokens: int) -> Iterator[bytes]:
    """The chunks of a stream, the one with the finish reason and [DONE] included."""
    base = BASE | {"object": "chat.completion.chunk"}
    for at in range(tokens + 1):
        last = at == tokens
        choice = {"index": 0, "delta": {} if last else {"content": " four"}}
        choice["finish_reason"] = "stop" if last else None
        yield chunked(f"data: {json.dumps(base | {'choices': [choice]})}\n\n".encode())
    yield chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def chunked(data: bytes) -> bytes:
    """Data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
ANSWER = answer()
MODELS = response(b'{"object": "list", "data": [{"id": "fake", "object": "model"}]}')


async def serve(port: int, first: float, every: float, tokens: int) -> None:
    """Serve until interrupted; times in seconds."""
    parts = list(chunks(tokens))

    async def stream(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for at, part in enumerate(parts):
            if pause := every if at else first:
                await asyncio.sleep(pause)
            writer.write(part)
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if head.startswith(b"GET"):
                    writer.write(MODELS)
                elif STREAM.search(body):
                    await stream(writer)
                else:
                    writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--first-ms", type=float, default=0.0)
    parser.add_argument("--every-ms", type=float, default=0.0)
    parser.add_argument("--tokens", type=int, default=20)
    options = parser.parse_args()
    first, every = options.first_ms / 1000, options.every_ms / 1000
    asyncio.run(serve(options.port, first, every, options.tokens))


if __name__ == "__main__":
    main()
