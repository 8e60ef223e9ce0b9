"""Looking at prompts: in one thread, each within a deadline, and never at the cost of an answer."""

import asyncio
from concurrent.futures import Future
from dataclasses import replace
from functools import lru_cache, partial
from time import perf_counter
from typing import NamedTuple

from promptfix.errors import MicroscopeError, PromptError, PromptTooLong
from promptfix.pipeline import Diagnosis, Pipeline, Policy, Prefill, Speaker
from promptfix.records import Mode, Prompt, Trace
from promptfix.service import modes, replies
from promptfix.service.requests import Wishes
from promptfix.service.settings import ServiceSettings
from promptfix.service.worker import Worker


class Seen(NamedTuple):
    """What came of looking at a prompt."""

    trace: Trace
    prefill: Prefill | None = None
    annotation_tokens: int = 0
    """How many tokens longer the repair made the prompt, as the model here counts them."""
    ticket: Future[None] | None = None
    """Done when the trace is kept for good; None where traces are not kept."""

    @property
    def headers(self) -> dict[str, str]:
        """What promptfix did, for the response."""
        kept = self.ticket
        return replies.headers(
            self.trace, stored=bool(kept and kept.done() and not kept.exception())
        )

    def waited(self, whole: float) -> "Seen":
        """The same, with what looking took beyond its steps: the queue, most of all."""
        spent = self.trace.seconds
        seconds = spent | {"wait": max(0.0, whole - sum(spent.values()))}
        return self._replace(trace=self.trace.model_copy(update={"seconds": seconds}))

    def summary(self, wishes: Wishes) -> replies.Json:
        """The same, for its body."""
        return replies.summary(self.trace, self.annotation_tokens, whole=wishes.trace)


class Reader:
    """Diagnoses prompts, as each request wishes and the service allows."""

    def __init__(self, pipeline: Pipeline, speaker: Speaker, settings: ServiceSettings) -> None:
        """Take a loaded pipeline and the model in it."""
        self.off = pipeline.policy.disabled
        """Ids of the detectors that are switched off. Replaced as a whole, at any time."""
        self.pipeline = pipeline
        self._speaker, self._settings = speaker, settings
        self._worker = Worker("promptfix-read", speaker.places)
        # Building the rules takes longer than applying them.
        self._under = lru_cache(maxsize=64)(lambda policy: replace(pipeline, policy=policy))

    def mode(self, wished: Mode | None, text: str, answers: str | None) -> Mode:
        """How far to go with a prompt for a model. Raises Forbidden or Refused."""
        repairs = answers is None or answers in self.pipeline.library.calibrated
        return modes.choose(wished, self._settings, text, repairs=repairs)

    async def look(
        self, prompt: Prompt, wishes: Wishes, mode: Mode, answers: str | None = None
    ) -> Seen:
        """Look at a prompt; `answers` is the model that will answer, if it is not the one here.

        Raises MicroscopeError if looking fails or takes too long and failures are to be errors.
        """
        pipeline = self._under(self._policy(wishes, answers))
        if mode == "off":
            return Seen(pipeline.diagnose(prompt, mode=mode).trace)
        started = perf_counter()
        look = self._worker.run(partial(self._look, pipeline, prompt, mode))
        try:
            seen = await asyncio.wait_for(look, self._settings.reading_seconds)
        except TimeoutError as error:
            late = f"reading took longer than {self._settings.reading_seconds:g} seconds"
            if pipeline.policy.on_failure == "error":
                raise MicroscopeError(f"{late}; send a shorter prompt, or try again") from error
            seen = Seen(pipeline.unread(prompt, mode, late, "error").trace)
        return seen.waited(perf_counter() - started)

    def close(self) -> None:
        """Stop reading."""
        self._worker.close()

    def _policy(self, wishes: Wishes, answers: str | None) -> Policy:
        policy, wished = self.pipeline.policy, wishes.max_annotations
        most = policy.max_annotations if wished is None else min(wished, policy.max_annotations)
        return replace(policy, disabled=self.off, max_annotations=most, answers=answers)

    def _look(self, pipeline: Pipeline, prompt: Prompt, mode: Mode) -> Seen:
        """Read in the worker's thread. Who stands in for another model may read the turn alone."""
        trace, prefill = self._diagnose(pipeline, prompt, mode)
        if prompt.history and pipeline.policy.answers is not None and trace.failure:
            alone = prompt.model_copy(update={"history": ()})
            trace, prefill = self._diagnose(pipeline, alone, mode)
        if trace.action != "repaired":
            return Seen(trace, prefill)
        before, after = map(len, map(self._speaker.encode, (trace.prompt, trace.in_force)))
        return Seen(trace, prefill, after - before)

    def _diagnose(self, pipeline: Pipeline, prompt: Prompt, mode: Mode) -> Diagnosis:
        if (most := self._settings.max_prompt_tokens) is not None:
            try:
                check_length(self._speaker, prompt, most)
            except PromptTooLong as error:
                return pipeline.unread(prompt, mode, str(error), "skipped")
            except PromptError:
                pass  # reading fails of it too, and the pipeline says what becomes of that
        return pipeline.diagnose(prompt, mode=mode, keep=pipeline.policy.answers is None)


def check_length(speaker: Speaker, prompt: Prompt | str | tuple[int, ...], most: int) -> int:
    """Count the tokens of a prompt. Raises PromptTooLong if there are more than allowed."""
    count = len(speaker.encode(prompt))
    if count > most:
        raise PromptTooLong(
            f"the prompt is {count} tokens long, and no more than {most} are read; shorten it"
        )
    return count
