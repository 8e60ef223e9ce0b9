"""One request for an answer and its response: what may be edited, what goes on, what comes back.

Pure, and shared by both transports, which do nothing but look, send and load contents.
"""

import json
import uuid
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Self

import httpx2
from pydantic import Field, ValidationError

from promptfix.chatbody import edited, last_turn
from promptfix.errors import PromptfixError
from promptfix.records import Mode, Prompt, Record, Trace

EXTENSION = "promptfix"
"""Where the trace lies among the extensions of an httpx2 response."""
_PATHS = ("/chat/completions", "/responses")
_MODE = "x-promptfix-mode"
_OF_THE_CONTENT = frozenset({"content-length", "content-encoding", "transfer-encoding"})


class Wishes(Record):
    """What one request asks of promptfix, in its `promptfix` field or its header."""

    mode: Mode | None = None
    max_annotations: int | None = Field(default=None, ge=0)
    trace: bool = True
    """Whether the trace goes into an answer that is JSON; the response object always has it."""


@dataclass(frozen=True)
class Question:
    """What a reader is asked."""

    prompt: Prompt
    mode: Mode
    model: str = ""
    """The model that will answer."""
    max_annotations: int | None = None
    wished: bool = True
    """Whether somebody chose the mode."""


@dataclass(frozen=True)
class Exchange:
    """A request on its way, without what was meant for promptfix alone."""

    request: httpx2.Request
    question: Question | None = None
    """None if nothing may be edited, or nobody is to look."""
    trace: Trace | None = None
    wishes: Wishes = field(default_factory=Wishes)
    began: float = field(default_factory=perf_counter)
    overhead: float = 0.0
    """Seconds spent looking."""

    @classmethod
    def of(cls, request: httpx2.Request, mode: Mode | None) -> Self:
        """Read a request whose content is loaded; `mode`, or else `detect`, where it does not say.

        Raises PromptfixError if it asks promptfix for something that there is not.
        """
        try:
            body: Any = json.loads(request.content)
        except (ValueError, RecursionError):
            body = None
        wishes = _wishes(body, request.headers.get(_MODE))
        made = cls(_without_wishes(request, body), wishes=wishes)
        turn, wished = last_turn(body), wishes.mode or mode
        if turn is None or wished == "off":
            return made
        question = Question(
            turn.prompt,
            wished or "detect",
            str(body.get("model") or ""),
            wishes.max_annotations,
            wished=wished is not None,
        )
        return replace(made, question=question)

    def mended(self, trace: Trace) -> Self:
        """Put the repaired turn into the request, or leave it as it came."""
        request = self.request
        if trace.repair is not None and trace.action == "repaired":
            request = _with_content(request, edited(request.content, trace.repair))
        overhead = perf_counter() - self.began
        return replace(self, request=request, trace=trace, overhead=overhead)

    def unread(self, question: Question, error: Exception) -> Self:
        """Leave the request as it came, since looking at it failed."""
        trace = Trace(
            id=uuid.uuid4().hex,
            library="",  # neither a library nor a lens had a say
            lens="",
            mode=question.mode,
            action="error",
            prompt=question.prompt,
            failure=str(error) or type(error).__name__,
            seconds={},
        )
        return replace(self, trace=trace, overhead=perf_counter() - self.began)

    def goes_into(self, response: httpx2.Response) -> bool:
        """Whether the trace goes into a response: an answer that is one JSON object."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        answers = response.is_success and kind == "application/json"
        return answers and self.trace is not None and self.wishes.trace

    def told(self, response: httpx2.Response) -> httpx2.Response:
        """Say in a response what was done. Its content is loaded if the trace goes into it."""
        trace = self.trace
        response.headers |= _headers(trace, self.overhead)
        response.extensions[EXTENSION] = trace
        return _with_trace(response, trace) if trace and self.goes_into(response) else response


def is_order(request: httpx2.Request) -> bool:
    """Whether a request asks for an answer to a conversation."""
    return request.method == "POST" and request.url.path.endswith(_PATHS)


def refusal(error: PromptfixError) -> httpx2.Response:
    """What a server says of a request that it cannot make sense of."""
    fault = {"message": str(error), "type": "invalid_request_error", "param": "promptfix"}
    return httpx2.Response(400, json={"error": fault | {"code": None}})


def _wishes(body: object, header: str | None) -> Wishes:
    """What the body asks for, and where it does not say, the header."""
    asked = body.get("promptfix") if isinstance(body, dict) else None
    try:
        from_header = Wishes.model_validate({"mode": header and header.strip().lower()})
        from_body = Wishes.model_validate(asked or {})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise PromptfixError(f"promptfix: {'; '.join(faults)}") from None
    return from_body if from_body.mode else from_body.model_copy(update={"mode": from_header.mode})


def _without_wishes(request: httpx2.Request, body: object) -> httpx2.Request:
    content = request.content
    if isinstance(body, dict) and "promptfix" in body:
        content = json.dumps({k: v for k, v in body.items() if k != "promptfix"}).encode()
    elif _MODE not in request.headers:
        return request
    return _with_content(request, content)


def _with_content(request: httpx2.Request, content: bytes) -> httpx2.Request:
    kept = [(k, v) for k, v in request.headers.multi_items() if k.lower() != _MODE]
    return httpx2.Request(
        request.method,
        request.url,
        headers=[(k, v) for k, v in kept if k.lower() not in _OF_THE_CONTENT],
        content=content,
        extensions=request.extensions,
    )


def _with_trace(response: httpx2.Response, trace: Trace) -> httpx2.Response:
    """The same answer with the trace as its last field, every other byte as it came."""
    content = response.content.rstrip()
    if not (content.startswith(b"{") and content.endswith(b"}")):
        return response
    comma = b"," if content[1:-1].strip() else b""
    field = b'"promptfix":{"trace":%b}}' % trace.model_dump_json().encode()
    content = content[:-1] + comma + field
    kept = response.headers.multi_items()
    return httpx2.Response(
        response.status_code,
        headers=[
            *((k, v) for k, v in kept if k.lower() not in _OF_THE_CONTENT),
            ("content-length", str(len(content))),
        ],
        stream=httpx2.ByteStream(content),
        extensions=response.extensions,
    )


def _headers(trace: Trace | None, overhead: float) -> dict[str, str]:
    told = {
        "x-promptfix-action": trace.action if trace else "skipped",
        "x-promptfix-overhead-ms": f"{1000 * overhead:.1f}",
    }
    if trace:
        told["x-promptfix-detectors"] = ",".join(finding.detector for finding in trace.findings)
        told["x-promptfix-trace-id"] = trace.id
    return told
