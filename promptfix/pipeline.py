"""Repair a prompt: all of promptfix, in the order it happens.

    read      what does the model represent while it reads the prompt?   microscope.py
    detect    which known misunderstandings does that match?             detection.py
    rewrite   which annotations answer them, and where do they go?       rewriting.py
    verify    the repaired prompt is read: did the findings clear?       detection.py
    answer    what does the model say, and does that follow the notes?   models.py, following.py

`read` and `answer` run a neural network and are passed in; all else is a pure function.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from promptfix.clock import Clock
from promptfix.detection import Detection, Ruleset, detect, verify
from promptfix.errors import PromptTooLong
from promptfix.following import checkable, strays
from promptfix.formats import Status
from promptfix.library import Library
from promptfix.records import (
    GREEDY,
    Action,
    Answer,
    Mode,
    Piece,
    Prompt,
    Reading,
    Repair,
    Sampling,
    Score,
    Trace,
    Verification,
)
from promptfix.rewriting import Uncleared, answerable, reworded, rewrite, settle

Prefill: TypeAlias = object
"""What the model remembers of the tokens it has read: token ids and their KV cache, say.

Opaque to the pipeline, which only hands it on. A prefill saves time and never changes a result:
whoever is handed one keeps the longest common prefix of its token ids and the new prompt's, crops
the rest away and reads on from there. Reading or answering may change what a prefill holds (by
cropping and appending in place), so it must know which tokens it holds at any time, and may be
handed in again afterwards, for any prompt. It belongs to one request: no two threads ever share
one. Whoever is handed a prefill that is not of its own making ignores it.
"""


ROOM = 64
"""How many tokens for the answer a note has to leave, unless there were fewer without it."""


class Look(NamedTuple):
    """What came of reading a prompt."""

    reading: Reading
    prefill: Prefill | None
    """To be handed to the next `read` or `answer` of this request; None if there is none."""


class Microscope(Protocol):
    """A model with an SAE attached, seen through one lens. Safe to use from several threads."""

    @property
    def lens(self) -> str:
        """The id of the lens, as in detectors/lenses.json."""
        ...

    def read(self, prompt: Prompt, prefill: Prefill | None = None, *, keep: bool = True) -> Look:
        """Let the model read a prompt as a user's turn, up to where its answer begins.

        Where the model is not going to answer, nothing need be kept of the reading: `keep=False`
        gives the same reading without a prefill, and sooner.

        The reading holds the features that the detectors name, at every token of the user's text
        and at the read-out, the last token of the input. Raises PromptTooLong if the input does
        not fit the context, MicroscopeError for everything else that goes wrong.
        """
        ...


class Model(Protocol):
    """Anything that answers a prompt. Safe to use from several threads."""

    def answer(
        self, prompt: Prompt, prefill: Prefill | None = None, sampling: Sampling = GREEDY
    ) -> Answer:
        """Answer a prompt, from what has been read of it where `prefill` says so.

        The answer is the same with and without a prefill. Raises PromptTooLong, ModelTimeout or
        ModelError.
        """
        ...


Input: TypeAlias = Prompt | str | tuple[int, ...]
"""What a model in this process can go on from: a user's turn, raw text, or token ids."""


@runtime_checkable
class Speaker(Model, Protocol):
    """A model in this process, as a server needs it. All that it raises, `answer` raises too."""

    @property
    def context(self) -> int:
        """How many tokens it can take, prompt and answer together."""
        ...

    @property
    def places(self) -> int:
        """How many prompts it reads and answers together, in as many threads."""
        ...

    def stream(
        self, prompt: Input, prefill: Prefill | None = None, sampling: Sampling = GREEDY
    ) -> Iterator[Piece]:
        """Answer token by token. Who stops asking stops the writing."""
        ...

    def encode(self, prompt: Input) -> tuple[int, ...]:
        """Turn a prompt into the token ids that the model reads."""
        ...

    def spell(self, token: int) -> str:
        """Write one token as text."""
        ...

    def score(self, prompt: Input, top: int = 0) -> Sequence[Score]:
        """Say of each token how likely it was after those before it, and which `top` were."""
        ...


@dataclass(frozen=True)
class Policy:
    """What the pipeline may do, and what it does when something goes wrong."""

    edit_from: Status = Status.measured
    """From which status on a detector may edit; all others only report."""
    disabled: frozenset[str] = frozenset()
    """Ids of detectors that are switched off."""
    max_annotations: int = 1
    uncleared: Uncleared = "calibrated"
    on_failure: Literal["pass-through", "error"] = "pass-through"
    """A broken microscope: answer the prompt as it came, or raise."""
    on_too_long: Literal["pass-through", "error"] = "error"
    """A prompt that does not fit the microscope: hand it on unread, or raise."""
    answers: str | None = None
    """The model that answers, where it is not the lens's own. Only detectors that were calibrated
    on its answers may edit then: a small model's misunderstandings are not a large one's."""


class Diagnosis(NamedTuple):
    """What came of looking at a prompt, before it is answered."""

    trace: Trace
    """Without an answer."""
    prefill: Prefill | None = None
    """For answering `trace.in_force`."""


@dataclass(frozen=True)
class _Findings:
    """What looking at a prompt has brought so far."""

    detection: Detection = field(default_factory=lambda: Detection((), ()))
    repair: Repair | None = None
    """The repair that was made; the one in force if `action` is `repaired`."""
    verification: Verification | None = None
    action: Action = "none"
    failure: str | None = None
    prefill: Prefill | None = None


@dataclass(frozen=True)
class Pipeline:
    """A microscope, a model and a library, ready to repair prompts from any thread."""

    microscope: Microscope
    model: Model
    library: Library
    policy: Policy = field(default_factory=Policy)

    @staticmethod
    def load(**settings: Any) -> "Pipeline":
        """Put a pipeline together: from these settings, the environment, the embedded model."""
        # The one look upwards, for convenience: by name, since no import may run that way.
        return import_module("promptfix.assembly").load(**settings)

    @property
    def reads(self) -> str:
        """The name of the model that the microscope is on, as its lens says it."""
        lens = self.library.lenses.get(self.microscope.lens)
        return lens.model if lens else self.microscope.lens

    @cached_property
    def rules(self) -> Ruleset:
        """The detectors of the microscope's lens."""
        lens, off = self.microscope.lens, self.policy.disabled
        return Ruleset(self.library.detectors_for(lens, off))

    @cached_property
    def _able(self) -> frozenset[str]:
        """The detectors that may edit, by `id@version`."""
        least, answers = self.policy.edit_from, self.policy.answers
        return frozenset(
            detector.stamp
            for detector in self.library.detectors
            if detector.status.reaches(least) and self.library.calibrated_on(detector) == answers
        )

    def repair(self, prompt: Prompt | str, *, mode: Mode = "repair") -> Trace:
        """Diagnose a prompt and rewrite it, without answering it."""
        return self.diagnose(prompt, mode=mode, keep=False).trace

    def answer(
        self,
        prompt: Prompt | str,
        *,
        mode: Mode = "repair",
        compare: bool = False,
        sampling: Sampling = GREEDY,
    ) -> Trace:
        """Diagnose a prompt, rewrite it and answer it; `compare` answers the original too."""
        trace, prefill = self.diagnose(prompt, mode=mode)
        clock, original = Clock(trace.seconds), None
        with clock("answer"):
            answer = self.model.answer(trace.in_force, prefill, sampling)
            while self.strays(trace, answer):
                trace = self.astray(trace, answer)
                answer = self.model.answer(trace.in_force, prefill, sampling)
        if compare:
            with clock("compare"):
                alike = trace.in_force == trace.prompt
                original = answer if alike else self.model.answer(trace.prompt, prefill, sampling)
        made = {"answer": answer, "original_answer": original, "seconds": clock.seconds}
        return trace.model_copy(update=made)

    def checks(self, trace: Trace) -> bool:
        """Say whether an answer to this repaired prompt is held against its notes.

        Those of another model are not: they show their sums in other ways, or none.
        """
        repair = trace.repair if trace.action == "repaired" else None
        return bool(repair and self.policy.answers is None and checkable(repair, self.library))

    def strays(self, trace: Trace, answer: Answer) -> bool:
        """Say whether an answer does something else than its notes say: it is not taken then."""
        repair = trace.repair if self.checks(trace) else None
        return repair is not None and strays(repair, answer.text, self.library)

    def astray(self, trace: Trace, answer: Answer) -> Trace:
        """What is in force after an answer that strays: the notes in other words, then none.

        The other words are not looked at, only the answer to them is judged: `verification` stays
        that of the first.
        """
        repair = reworded(trace.repair, self.library) if trace.repair else None
        told = {"repair": repair} if repair else {"action": "withdrawn"}
        return trace.model_copy(update={**told, "strayed": answer})

    def diagnose(
        self, prompt: Prompt | str, *, mode: Mode = "repair", keep: bool = True
    ) -> Diagnosis:
        """Diagnose a prompt and rewrite it, and keep what the model has read for answering."""
        clock = Clock()
        asked = Prompt(text=prompt) if isinstance(prompt, str) else prompt
        seen = self._look(asked, mode, clock, keep=keep)
        return Diagnosis(self._trace(asked, mode, seen, clock.seconds), seen.prefill)

    def unread(
        self, prompt: Prompt, mode: Mode, failure: str, action: Literal["skipped", "error"]
    ) -> Diagnosis:
        """Say of a prompt that was not looked at why it was not."""
        return Diagnosis(self._trace(prompt, mode, _Findings(action=action, failure=failure), {}))

    def _trace(
        self, prompt: Prompt, mode: Mode, seen: _Findings, seconds: dict[str, float]
    ) -> Trace:
        return Trace(
            id=uuid.uuid4().hex,
            library=self.library.digest,
            lens=self.microscope.lens,
            answers=self.policy.answers,
            mode=mode,
            action=seen.action,
            prompt=prompt,
            findings=seen.detection.findings,
            near_misses=seen.detection.near_misses,
            repair=seen.repair,
            verification=seen.verification,
            failure=seen.failure,
            seconds=seconds,
        )

    def _look(self, prompt: Prompt, mode: Mode, clock: Clock, *, keep: bool) -> _Findings:
        """Read, detect, rewrite and verify; what fails on the way costs nobody their answer."""
        seen = _Findings()
        if mode == "off":
            return replace(seen, action="skipped")
        try:
            with clock("read"):
                look = self.microscope.read(prompt, keep=keep)
            with clock("detect"):
                detection = self._detect(prompt, look.reading)
            action: Action = "detected" if detection.findings else "none"
            seen = _Findings(detection, action=action, prefill=look.prefill)
            with clock("rewrite"):
                seen = replace(seen, repair=self._rewrite(prompt, detection))
            if seen.repair is None or mode == "detect":
                return seen
            with clock("verify"):
                return self._verify(seen, seen.repair, look.reading, keep=keep)
        except PromptTooLong as error:
            if self.policy.on_too_long == "error":
                raise
            return replace(seen, action="skipped", failure=str(error), prefill=None)
        except Exception as error:
            if self.policy.on_failure == "error":
                raise
            failure = str(error) or type(error).__name__
            return replace(seen, action="error", failure=failure, prefill=None)

    def _detect(self, prompt: Prompt, reading: Reading) -> Detection:
        """Match all detectors; what no note could answer in this prompt is no finding."""
        seen, lens = detect(reading, self.rules), self.microscope.lens
        findings = answerable(prompt, seen.findings, self.library, lens=lens)
        return seen._replace(findings=findings)

    def _rewrite(self, prompt: Prompt, detection: Detection) -> Repair | None:
        """Answer those findings whose detectors may edit."""
        findings = [finding for finding in detection.findings if finding.detector in self._able]
        lens, limit = self.microscope.lens, self.policy.max_annotations
        return rewrite(prompt, findings, self.library, lens=lens, limit=limit)

    def _verify(self, seen: _Findings, repair: Repair, before: Reading, *, keep: bool) -> _Findings:
        """Read the repaired prompt, which answering it needs anyway, and decide what stays."""
        try:
            look = self.microscope.read(repair.repaired, seen.prefill, keep=keep)
            self._check_room(before, look.reading)
        except PromptTooLong as error:
            return replace(seen, failure=f"with its notes the prompt is too long: {error}")
        verification = verify(repair, look.reading, self.rules)
        harmful = self.library.harmful_uncleared
        kept = settle(repair, verification, self.policy.uncleared, harmful)
        return replace(
            seen,
            repair=kept or repair,
            verification=verification,
            action="repaired" if kept else "detected",
            prefill=look.prefill,
        )

    def _check_room(self, before: Reading, after: Reading) -> None:
        """Raise PromptTooLong if notes take the room that the answer needs."""
        if self.policy.answers is not None or not isinstance(self.model, Speaker):
            return  # who answers has a context of its own
        had, left = (self.model.context - seen.readout - 1 for seen in (before, after))
        if left < min(had, ROOM):
            raise PromptTooLong(f"it leaves {left} of {had} tokens for the answer")


def joined(pieces: Sequence[Piece], prompt_tokens: int) -> Answer:
    """Put the pieces of an answer together; one that was broken off ended for its length."""
    return Answer(
        text="".join(piece.text for piece in pieces),
        finish_reason=pieces[-1].finish or "length",
        prompt_tokens=prompt_tokens,
        completion_tokens=pieces[-1].tokens,
    )
