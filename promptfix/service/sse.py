"""Server-sent events: the frames of a stream, its end, and a response that closes what it uses."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from litestar.response import Stream
from litestar.types import Receive, Scope, Send

from promptfix.service.failures import within_stream

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
DONE = b"data: [DONE]\n\n"


class Streamed(Stream):
    """A streamed response that closes what it uses, even if the client never read a byte of it."""

    def __init__(
        self, chunks: AsyncGenerator[bytes], close: Callable[[], Awaitable[object]], **more: Any
    ) -> None:
        """Send the chunks as they come, then call `close`."""
        super().__init__(chunks, **more)
        self._chunks, self._close = chunks, close

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> Any:
        """Make the ASGI application that sends it."""
        respond = super().to_asgi_response(*args, **kwargs)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await respond(scope, receive, send)
            finally:
                await self.aclose()

        return app

    async def aclose(self) -> None:
        """Close everything, also where nothing was sent."""
        try:
            await self._chunks.aclose()
        finally:
            await self._close()


def frame(data: Any) -> bytes:
    """One event."""
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def comment(text: str) -> bytes:
    """A line that clients pass over."""
    return f": {text}\n\n".encode()


COMMENT = comment("keep-alive")


async def kept_alive(
    chunks: AsyncGenerator[bytes], every: float, *, once_begun: bool = True
) -> AsyncGenerator[bytes]:
    """Put a comment wherever nothing comes for so many seconds.

    Chunks that are no whole events get none in between: `once_begun` False stops with the first.
    """
    async with aclosing(chunks):
        following = asyncio.ensure_future(anext(chunks, None))
        try:
            while True:
                done, _ = await asyncio.wait({following}, timeout=every)
                if not done:
                    yield COMMENT
                    continue
                if (chunk := following.result()) is None:
                    return
                yield chunk
                if not once_begun:
                    break
                following = asyncio.ensure_future(anext(chunks, None))
        finally:
            await _stopped(following)
        async for chunk in chunks:
            yield chunk


async def ended(
    chunks: AsyncGenerator[bytes], failed: Callable[[Exception], object], *, between: bytes = b""
) -> AsyncGenerator[bytes]:
    """End a stream that breaks off with what went wrong, and `[DONE]`; `between` goes before."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
    except Exception as error:  # noqa: BLE001 - the status is sent; the stream has to say it
        failed(error)
        yield between + frame(within_stream(error)) + DONE


async def _stopped(task: asyncio.Future[bytes | None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
