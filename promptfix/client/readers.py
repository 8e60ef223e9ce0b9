"""Who looks at the prompts of a wrapped client: this process, or a service that runs elsewhere."""

import os
import warnings
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
import httpx2
from anyio.lowlevel import RunVar

from promptfix.client.exchange import Question
from promptfix.errors import MicroscopeError, PromptfixWarning
from promptfix.pipeline import Pipeline, Policy
from promptfix.records import Trace

T = TypeVar("T")
AT_ONCE = 32
"""How many threads may wait for a service, and how many of an event loop for a thread."""
_LIMITER = RunVar[anyio.CapacityLimiter]("promptfix")
"""By event loop. The default one is the app's, and who waits here would keep it waiting too."""


class Reader(Protocol):
    """Anything that diagnoses a prompt and rewrites it. May raise whatever goes wrong."""

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite; the trace has no answer."""
        ...

    async def alook(self, question: Question) -> Trace:
        """Do the same without blocking the event loop."""
        ...


class _Threads:
    """Threads that work within a deadline: others after a fork, which none of them outlives."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def run(self, work: Callable[[], T], deadline: float) -> T:
        """Do a piece of work. Raises MicroscopeError if it takes too long, waiting included."""
        future = self._pool.submit(work)
        try:
            return future.result(deadline)
        except TimeoutError as error:
            future.cancel()
            raise _late(deadline) from error

    @property
    def _pool(self) -> ThreadPoolExecutor:
        # A pool starts no thread before there is work.
        return self._pools.setdefault(os.getpid(), ThreadPoolExecutor(self._most, "promptfix"))


@dataclass(frozen=True)
class InProcess:
    """Looks with a pipeline that is loaded here.

    In one thread, since a model gains nothing from running twice at once.
    """

    pipeline: Pipeline
    deadline: float = 2.0
    """Seconds that a prompt may take, waiting included."""
    _thread: _Threads = field(default_factory=lambda: _Threads(1), repr=False)

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite. Raises MicroscopeError if it takes too long."""
        return self._thread.run(partial(self._repair, question), self.deadline)

    async def alook(self, question: Question) -> Trace:
        """Do the same; whoever gives up waiting does not stop what runs."""
        looking = anyio.to_thread.run_sync(
            self.look, question, abandon_on_cancel=True, limiter=_limiter()
        )
        return await _within(self.deadline, looking)

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
    """Seconds that connecting and answering may take together."""
    _threads: _Threads = field(default_factory=lambda: _Threads(AT_ONCE), repr=False)

    def look(self, question: Question) -> Trace:
        """Diagnose and rewrite. Raises MicroscopeError if the service does not, or not in time."""
        return self._threads.run(partial(self._look, question), self.deadline)

    async def alook(self, question: Question) -> Trace:
        """Do the same."""
        return await _within(self.deadline, self._alook(question))

    def _look(self, question: Question) -> Trace:
        ask = partial(self._client.post, "repair")
        response = ask(json=_asked(question))
        if _is_set(response) and not question.wished:
            response = ask(json=_asked(question) | {"mode": None})
        return _trace(response)

    async def _alook(self, question: Question) -> Trace:
        ask = partial(self._async_client.post, "repair")
        response = await ask(json=_asked(question))
        if _is_set(response) and not question.wished:
            response = await ask(json=_asked(question) | {"mode": None})
        return _trace(response)

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


async def _within(deadline: float, looking: Awaitable[T]) -> T:
    try:
        with anyio.fail_after(deadline):
            return await looking
    except TimeoutError as error:
        raise _late(deadline) from error


def _late(deadline: float) -> MicroscopeError:
    return MicroscopeError(
        f"the prompt could not be read in {deadline:g} s; allow more with `deadline`"
    )


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(made := anyio.CapacityLimiter(AT_ONCE))
        return made


def _asked(question: Question) -> dict[str, Any]:
    return {
        "prompt": question.prompt.text,
        "system": question.prompt.system,
        "mode": question.mode,
        "model": question.model,
        "max_annotations": question.max_annotations,
    }


def _is_set(response: httpx2.Response) -> bool:
    """Whether a service leaves no choice of the mode."""
    try:
        return response.status_code == 403 and response.json()["error"]["param"] == "mode"
    except (ValueError, KeyError, TypeError):
        return False


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
