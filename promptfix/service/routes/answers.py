"""POST /v1/chat/completions, /v1/completions and /v1/responses."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency

from promptfix.service import requests
from promptfix.service.failures import Gone
from promptfix.service.requests import Asked, Kind
from promptfix.service.routes.named import AnyRequest, begin
from promptfix.service.spec import ANSWERS, asks
from promptfix.service.sse import Streamed
from promptfix.service.state import Service
from promptfix.service.work import ChatRequest, CompletionRequest, ResponsesRequest

LARGE = 1_000_000
"""Bytes of a request that are more than the event loop should wait for."""


@post("/chat/completions", status_code=200, operation_class=asks(ChatRequest), responses=ANSWERS)
async def chat(request: AnyRequest, service: NamedDependency[Service]) -> Response[Any]:
    """Repair the user's turn where the model would misread it, and answer."""
    return await _answer("chat/completions", request, service)


@post("/completions", status_code=200, operation_class=asks(CompletionRequest), responses=ANSWERS)
async def completions(request: AnyRequest, service: NamedDependency[Service]) -> Response[Any]:
    """Go on from raw text, which is never looked at: it has no user's turn."""
    return await _answer("completions", request, service)


@post("/responses", status_code=200, operation_class=asks(ResponsesRequest), responses=ANSWERS)
async def responses(request: AnyRequest, service: NamedDependency[Service]) -> Response[Any]:
    """Repair and answer, in the shape of OpenAI's responses."""
    return await _answer("responses", request, service)


async def _answer(kind: Kind, request: AnyRequest, service: Service) -> Response[Any]:
    name = begin(request)
    try:
        raw, headers = await request.body(), dict(request.headers)
        read = partial(requests.read, kind, raw, headers, name)
        return await _unless_gone(request, _let_in(read, service, large=len(raw) > LARGE))
    except Exception as error:
        service.watch.broken(error)
        raise


async def _let_in(read: Callable[[], Asked], service: Service, *, large: bool) -> Response[Any]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(service.gate.place())
        asked = await service.spare.run(partial(_uninterrupted, read)) if large else read()
        return await service.backend.answer(asked, stack)


def _uninterrupted(read: Callable[[], Asked]) -> Asked:
    """Read without the garbage collector, which would look through what was read again and again.

    In another thread too nothing else runs while it does, or while JSON is decoded.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        return read()
    finally:
        if was:
            gc.enable()


async def _unless_gone(
    request: AnyRequest, answering: Coroutine[Any, Any, Response[Any]]
) -> Response[Any]:
    """Answer, but stop when the client hangs up. Raises Gone then."""
    answer = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
    finally:
        gone.cancel()
        answer.cancel()
    left, _ = await asyncio.gather(answer, gone, return_exceptions=True)
    if isinstance(left, Streamed):
        await left.aclose()
    raise Gone


async def _hung_up(request: AnyRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


ROUTES = [chat, completions, responses]
