"""`wrap` puts promptfix into an OpenAI client, `trace_of` says what it did for one answer."""

from typing import Any, TypeVar

import httpx2

from promptfix.client.exchange import EXTENSION
from promptfix.client.readers import InProcess, Reader, Remote
from promptfix.client.transport import AsyncTransport, OnFailure, Transport
from promptfix.pipeline import Pipeline
from promptfix.records import Mode, Trace

ClientT = TypeVar("ClientT")


def wrap(
    client: ClientT,
    *,
    pipeline: Pipeline | None = None,
    url: str | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    deadline: float = 2.0,
    on_failure: OnFailure = "pass-through",
) -> ClientT:
    """Give back the same client, which has its prompts looked at before they are sent.

    `client` is an `openai.OpenAI` or `AsyncOpenAI`, or of a class derived from them; it goes on
    working unwrapped, on the same connections. The prompts are read by `pipeline`, or by the
    service that runs at `url` (with the API key `key`), or else by a pipeline that is loaded from
    the settings.

    The default mode is `detect`, which edits nothing: what one model misreads, the model that
    answers may read well. With `repair`, prompts are edited where that was measured: for the model
    that is read, by its name in the lens, and for models on whose answers detectors were calibrated
    (`promptfix mine --answers-from`). Where a service leaves its clients no choice, its own mode
    holds, unless one is given here. A request may say otherwise, with the header
    `x-promptfix-mode` or the body field `promptfix` (`{"mode": ..., "max_annotations": ...,
    "trace": ...}`), which stay here.

    Looking may take `deadline` seconds; if it takes longer or fails, the request goes on as it
    came, unless `on_failure` is `error`.
    """
    if pipeline and url:
        raise TypeError("give a pipeline or a url, not both")
    inner: Any = getattr(client, "_client", None)
    if not isinstance(inner, httpx2.Client | httpx2.AsyncClient):
        raise TypeError("wrap takes an openai.OpenAI or openai.AsyncOpenAI that uses httpx2")
    reader: Reader = (
        Remote(url, key, deadline) if url else InProcess(pipeline or Pipeline.load(), deadline)
    )
    made: Any = client
    return made.with_options(http_client=_outer(inner, reader, mode, on_failure))


def trace_of(response: object) -> Trace | None:
    """What promptfix did for an answer of a wrapped client; None if nothing was looked at.

    `response` is whatever the client gave back: a completion or response, parsed or not, a stream,
    or a raw response. An answer of `promptfix serve` has its trace too if it was asked for one.
    """
    for name in ("http_response", "response", "_response"):
        http = getattr(response, name, None)
        if isinstance(http, httpx2.Response):
            return http.extensions.get(EXTENSION)
    told = (getattr(response, "model_extra", None) or {}).get("promptfix")
    trace = told.get("trace") if isinstance(told, dict) else None
    return Trace.model_validate(trace, extra="ignore") if trace else None


def _outer(
    inner: httpx2.Client | httpx2.AsyncClient,
    reader: Reader,
    mode: Mode | None,
    on_failure: OnFailure,
) -> httpx2.Client | httpx2.AsyncClient:
    """A client that looks first and has the settings of the one that it sends through."""
    same: dict[str, Any] = {
        name: getattr(inner, name)
        for name in (
            "auth",
            "base_url",
            "cookies",
            "follow_redirects",
            "headers",
            "max_redirects",
            "params",
            "timeout",
            "trust_env",
        )
    }
    if isinstance(inner, httpx2.Client):
        return httpx2.Client(transport=Transport(inner, reader, mode, on_failure), **same)
    return httpx2.AsyncClient(transport=AsyncTransport(inner, reader, mode, on_failure), **same)
