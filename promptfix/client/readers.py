"""Who looks at the prompts of a wrapped client: this process, or a service that runs elsewhere."""

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Protocol

import anyio.to_thread
import httpx2

from promptfix.client.exchange import Question
from promptfix.errors import MicroscopeError, PromptfixWarning
from promptfix.pipeline import Pipeline, Policy
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
        policy = self._policy(question)
        if question.mode == "repair" and policy.answers not in self._measured:
            message = (
                f"no detector was calibrated on the answers of {policy.answers!r}, so its prompts "
                "are looked at and not edited; calibrate with `promptfix mine --answers-from`"
            )
            warnings.warn(PromptfixWarning(message), stacklevel=2)
        return self._under(policy).repair(question.prompt, mode=question.mode)

    def _policy(self, question: Question) -> Policy:
        own, most = self.pipeline.policy, question.max_annotations
        other = question.model if question.model != self.pipeline.reads else None
        return replace(
            own,
            on_too_long="pass-through",
            answers=own.answers or other,
            max_annotations=own.max_annotations if most is None else min(most, own.max_annotations),
        )

    @cached_property
    def _measured(self) -> frozenset[str | None]:
        return self.pipeline.library.calibrated | {None}

    @cached_property
    def _under(self) -> Callable[[Policy], Pipeline]:
        # Building the rules takes longer than applying them.
        return lru_cache(maxsize=64)(lambda policy: replace(self.pipeline, policy=policy))


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


def _asked(question: Question) -> dict[str, Any]:
    return {
        "prompt": question.prompt.text,
        "system": question.prompt.system,
        "mode": question.mode,
        "model": question.model,
        "max_annotations": question.max_annotations,
    }


def _trace(response: httpx2.Response) -> Trace:
    if not response.is_success:
        raise MicroscopeError(
            f"promptfix's service answered {response.status_code}: {_why(response)}"
        )
    return Trace.model_validate_json(response.content, extra="ignore")  # it may be newer


def _why(response: httpx2.Response) -> str:
    """What an error of the service says, if it is one of ours."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "that is all it says"
