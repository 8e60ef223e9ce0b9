"""Who looks at the prompts of a wrapped client: this process, or a service that runs elsewhere."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import anyio.to_thread
import httpx2

from promptfix.client.exchange import Question
from promptfix.errors import MicroscopeError
from promptfix.pipeline import Pipeline
from promptfix.records import Trace


class Reader(Protocol):
    """Anything that diagnoses a prompt and rewrites it. May raise whatever goes wrong."""

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite; the trace has no answer."""
        ...

    async def alook(self, question: Question) -> Trace:
        """Do the same without blocking the event loop."""
        ...


@dataclass(frozen=True)
class InProcess:
    """Looks with a pipeline that is loaded here.

    In one thread, since a model gains nothing from running twice at once.
    """

    pipeline: Pipeline
    deadline: float = 2.0
    """Seconds that a prompt may take, waiting included."""
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "promptfix"), repr=False
    )

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite. Raises MicroscopeError if it takes too long."""
        future = self._thread.submit(self._repair, question)
        try:
            return future.result(self.deadline)
        except TimeoutError as error:
            future.cancel()
            raise MicroscopeError(
                f"the prompt could not be read in {self.deadline:g} s; allow more with `deadline`"
            ) from error

    async def alook(self, question: Question) -> Trace:
        """Do the same; whoever gives up waiting does not stop what runs."""
        return await anyio.to_thread.run_sync(self.look, question, abandon_on_cancel=True)

    def _repair(self, question: Question) -> Trace:
        policy = replace(self.pipeline.policy, on_too_long="pass-through")
        if question.max_annotations is not None:
            policy = replace(policy, max_annotations=question.max_annotations)
        pipeline = replace(self.pipeline, policy=policy)
        return pipeline.repair(question.prompt, mode=question.mode)


@dataclass(frozen=True)
class Remote:
    """Asks a running `promptfix serve`."""

    url: str
    """With or without /v1 at its end."""
    key: str | None = field(default=None, repr=False)
    deadline: float = 2.0
    """Seconds that connecting may take, and answering."""

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite. Raises MicroscopeError if the service does not."""
        return _trace(self._client.post("repair", json=_asked(question)))

    async def alook(self, question: Question) -> Trace:
        """Do the same."""
        return _trace(await self._async_client.post("repair", json=_asked(question)))

    @cached_property
    def _client(self) -> httpx2.Client:
        return httpx2.Client(**self._options)

    @cached_property
    def _async_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**self._options)

    @property
    def _options(self) -> Mapping[str, Any]:
        return {
            "base_url": f"{self.url.rstrip('/').removesuffix('/v1')}/v1",
            "headers": {"authorization": f"Bearer {self.key}"} if self.key else {},
            "timeout": self.deadline,
        }


def _asked(question: Question) -> dict[str, str | None]:
    prompt = question.prompt
    return {"prompt": prompt.text, "system": prompt.system, "mode": question.mode}


def _trace(response: httpx2.Response) -> Trace:
    if not response.is_success:
        raise MicroscopeError(f"promptfix's service answered {response.status_code}")
    return Trace.model_validate_json(response.content, extra="ignore")  # it may be newer
