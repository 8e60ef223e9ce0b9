"""Another server answers: requests go on as they came, but for notes in the last user turn."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any
from urllib.parse import quote

import httpx2
from litestar import Response

from promptfix.chatbody import edited
from promptfix.errors import ModelError
from promptfix.records import Answer, Mode
from promptfix.service import replies, sse
from promptfix.service.failures import Refused, Unknown
from promptfix.service.reading import Reader, Seen
from promptfix.service.replies import Envelope
from promptfix.service.requests import Asked, check_answers
from promptfix.service.settings import ServiceSettings
from promptfix.service.upstream import Upstream, body_of, bytes_of, fault, returned
from promptfix.service.watch import Watch
from promptfix.service.worker import Worker

JSON = "application/json"
NO_TURN = "there is no turn of the user's to look at, or a tool was called"


@dataclass(frozen=True)
class _Job:
    asked: Asked
    seen: Seen | None
    started: float

    @property
    def headers(self) -> dict[str, str]:
        """What promptfix did."""
        return self.seen.headers if self.seen else replies.headers(None)

    @property
    def told(self) -> replies.Json | None:
        """The same for the body, where the prompt was changed or the client wants to know."""
        wishes, seen = self.asked.wishes, self.seen
        if not wishes.trace and (seen is None or seen.trace.action != "repaired"):
            return None
        return seen.summary(wishes) if seen else replies.unread(NO_TURN)

    def opening(self, told: replies.Json) -> bytes:
        """What opens a stream: a chunk without choices, or where all events are typed a comment."""
        if self.asked.kind == "responses":
            return sse.comment(f"promptfix: {json.dumps(told)}")
        name = self.seen.trace.id if self.seen else self.asked.id
        envelope = Envelope.new(self.asked.kind, name, self.asked.model)
        return sse.frame(envelope.chunk([]) | {"promptfix": told})


class Relay:
    """Lets an upstream answer."""

    def __init__(
        self, reader: Reader, upstream: Upstream, settings: ServiceSettings, watch: Watch
    ) -> None:
        """Read with `reader`, and answer with `upstream`."""
        self._reader, self._upstream = reader, upstream
        self._settings, self._watch = settings, watch
        self._worker = Worker("promptfix-edit")

    async def answer(self, asked: Asked, stack: AsyncExitStack) -> Response[Any]:
        """Send a request on. What `stack` holds is given back when the response is sent."""
        self._check(asked)
        started, mode = perf_counter(), self._mode(asked)
        looking = asyncio.ensure_future(self._look(asked, mode))
        stack.callback(looking.cancel)
        # Where nothing will be edited the upstream can begin while the prompt is looked at.
        raw = asked.raw if mode == "detect" else await self._edited(asked.raw, await looking)
        sent = self._upstream.asked("POST", asked.kind, _headers(asked), raw)
        response = await stack.enter_async_context(sent)
        job = _Job(asked, await looking, started)
        kind = response.headers.get("content-type", "").lower()
        if response.status_code == 200 and kind.startswith(sse.MEDIA_TYPE):
            return self._streamed(job, response, stack)
        return self._whole(job, response, await body_of(response))

    async def models(self, headers: Mapping[str, str]) -> Response[Any]:
        """The upstream's list."""
        return await self._get("models", headers)

    async def model(self, name: str, headers: Mapping[str, str]) -> Response[Any]:
        """What the upstream says about a model."""
        if any(step in {"", ".", ".."} for step in name.split("/")):
            raise Unknown("no model is called that", param="model", code="model_not_found")
        return await self._get(f"models/{quote(name, safe='/')}", headers)

    async def close(self) -> None:
        """Close the connections."""
        self._worker.close()
        await self._upstream.close()

    def _check(self, asked: Asked) -> None:
        """Refuse what goes beyond the limits. Whatever else is wrong the upstream says."""
        body: dict[str, Any] = asked.body if isinstance(asked.body, dict) else {}
        most = {"n": self._settings.max_n}
        if self._settings.max_tokens is not None:
            names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
            most |= dict.fromkeys(names, self._settings.max_tokens)
        for name, limit in most.items():
            # Some servers read a number from what is none: "50", say.
            wanted = body.get(name)
            if wanted is not None and not (isinstance(wanted, int | float) and wanted <= limit):
                raise Refused(f"{name} is a number, at most {limit} here", param=name)
        check_answers(_prompts(asked), body.get("n") or 1, self._settings.max_n)

    def _mode(self, asked: Asked) -> Mode:
        text = asked.turn.prompt.text if asked.turn else ""
        return self._reader.mode(asked.wishes.mode, text, asked.model)

    async def _look(self, asked: Asked, mode: Mode) -> Seen | None:
        if asked.turn is None:
            return None
        seen = await self._reader.look(asked.turn.prompt, asked.wishes, mode, asked.model)
        return self._watch.seen(asked, seen)

    async def _edited(self, raw: bytes, seen: Seen | None) -> bytes:
        if seen is None or seen.trace.repair is None or seen.trace.action != "repaired":
            return raw
        return await self._worker.run(partial(edited, raw, seen.trace.repair))

    async def _get(self, path: str, headers: Mapping[str, str]) -> Response[Any]:
        async with self._upstream.asked("GET", path, headers) as response:
            content = await body_of(response)
            return _relayed(response, content, _decoded(content), {})

    def _whole(self, job: _Job, response: httpx2.Response, content: bytes) -> Response[Any]:
        decoded, seconds = _decoded(content), perf_counter() - job.started
        seen = self._watch.answered(job.asked, job.seen, _answer(decoded), seconds)
        told = replace(job, seen=seen).told
        return _relayed(response, content, decoded, job.headers, told)

    def _streamed(
        self, job: _Job, response: httpx2.Response, stack: AsyncExitStack
    ) -> Response[Any]:
        # An event that the upstream did not finish must not swallow ours.
        chunks = sse.ended(self._chunks(job, response), self._watch.broken, between=b"\n\n")
        kept = sse.kept_alive(chunks, self._settings.keep_alive_seconds, once_begun=False)
        headers = returned(response) | sse.HEADERS | job.headers
        kind = headers.pop("content-type")
        return sse.Streamed(kept, stack.pop_all().aclose, headers=headers, media_type=kind)

    async def _chunks(self, job: _Job, response: httpx2.Response) -> AsyncGenerator[bytes]:
        try:
            if (told := job.told) is not None:
                yield job.opening(told)
            async with aclosing(bytes_of(response)) as relayed:
                async for chunk in relayed:
                    yield chunk
        finally:
            self._watch.answered(job.asked, job.seen, None, perf_counter() - job.started)


def _prompts(asked: Asked) -> int:
    """How many texts are to be gone on from; a list of token ids is one."""
    match asked.body:
        case {"prompt": [str() | list(), *_] as several} if asked.kind == "completions":
            return len(several)
        case _:
            return 1


def _headers(asked: Asked) -> dict[str, str]:
    return {**asked.headers, "content-type": JSON, "x-request-id": asked.id}


def _relayed(
    response: httpx2.Response,
    content: bytes,
    decoded: object,
    headers: dict[str, str],
    told: replies.Json | None = None,
) -> Response[Any]:
    """Hand on a whole response, its errors in OpenAI's shape. Raises ModelError if it is none."""
    status = response.status_code
    headers = {**returned(response), **headers}
    kind = headers.pop("content-type", JSON)
    if 300 <= status < 400 or status < 200:
        raise ModelError(f"the upstream answered with status {status}; correct its address")
    if status >= 400:
        wrong = fault(status, content, decoded)
        content = content if wrong is None else json.dumps(wrong).encode()
        return Response(content, status_code=status, headers=headers, media_type=JSON)
    if not isinstance(decoded, dict):
        raise ModelError(
            "the upstream's answer is no JSON object; ask again, or correct its address"
        )
    if told is not None and decoded:
        own = json.dumps(told, ensure_ascii=False).encode()
        content = content.rstrip()[:-1] + b',"promptfix":' + own + b"}"
    return Response(content, status_code=status, headers=headers, media_type=kind)


def _decoded(content: bytes) -> object:
    """What the JSON says; None if it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _answer(decoded: object) -> Answer | None:
    """What the upstream said, where it is a text and its tokens are told."""
    match decoded:
        case {
            "choices": [
                {"message": {"content": str(text)}, "finish_reason": ("stop" | "length") as end},
                *_,
            ],
            "usage": {"prompt_tokens": int(read), "completion_tokens": int(wrote)},
        } if read >= 0 and wrote >= 0:
            return Answer(text=text, finish_reason=end, prompt_tokens=read, completion_tokens=wrote)
        case _:
            return None
