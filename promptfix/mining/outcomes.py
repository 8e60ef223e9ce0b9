"""What does each annotation do to each prompt? Answers come from a cache on disk where they can."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from promptfix.following import follows
from promptfix.formats import Annotation
from promptfix.library import Library
from promptfix.mining.files import append
from promptfix.records import ANSWER_TOKENS, Answer, Prompt, Span
from promptfix.rewriting import note
from promptfix.slots import Slots
from promptfix.tasks import Item, Task, correct

Ints = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Progress: TypeAlias = Callable[[int], object]
"""Told how many more prompts are answered."""


class Noted(NamedTuple):
    """A prompt with a note."""

    text: str
    slots: Slots
    """What the note says."""
    again: str | None = None
    """The prompt with the note in its other words, if it has any."""


Both: TypeAlias = tuple[list[Noted | None], list[Noted | None]]
"""[items] twice: prompts with a note that the text as a whole gives, and that the word does which
it is about. Where the two differ the second is left out, so that there is one outcome for a prompt.
"""


def _silent(_done: int) -> None:
    """Report nothing."""


class Answerer(Protocol):
    """Answers many prompts greedily, each as if it had been asked alone."""

    def answer_many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int,
        batch: int,
        progress: Callable[[int], object],
    ) -> list[Answer]:
        """Answer in the order of the prompts."""
        ...


class AnswerCache:
    """Greedy answers of one model, kept in a JSONL file by the hash of what was asked.

    Appended to as answers come, so that an interrupted run loses one chunk at most; a torn last
    line is ignored.
    """

    CHUNK = 512

    def __init__(self, model: Answerer, path: Path | None, max_tokens: int = ANSWER_TOKENS) -> None:
        """Use a model; `path` None keeps nothing on disk."""
        self._model, self._path, self._max_tokens = model, path, max_tokens
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            self._known = dict(_readable(path))

    def answers(self, prompts: Sequence[str], progress: Progress = _silent) -> list[str]:
        """The model's answers, in order; only what is not known yet is asked."""
        new = {p for p in prompts if self._key(p) not in self._known}
        missing = sorted(new)  # those that begin alike together: see `write_many`
        progress(len(prompts) - len(missing))
        for first in range(0, len(missing), self.CHUNK):
            self._ask(missing[first : first + self.CHUNK], progress)
        return [self._known[self._key(p)] for p in prompts]

    def _ask(self, chunk: Sequence[str], progress: Progress) -> None:
        said = self._model.answer_many(
            [Prompt(text=p) for p in chunk],
            max_tokens=self._max_tokens,
            batch=64,
            progress=progress,
        )
        fresh = {self._key(p): a.text for p, a in zip(chunk, said, strict=True)}
        self._known |= fresh
        if self._path is not None:
            append(self._path, [json.dumps([key, text]) for key, text in fresh.items()])

    def _key(self, prompt: str) -> str:
        return sha256(f"{self._max_tokens}\n{prompt}".encode()).hexdigest()[:24]


def _readable(path: Path) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            key, text = json.loads(line)
            rows.append((key, text))
        except ValueError:
            continue
    return rows


@dataclass(frozen=True)
class Answered:
    """Right or wrong, plainly and under each annotation."""

    plain: Bools
    """[items]."""
    fillable: Mapping[str, Bools]
    """Annotation id -> [items]: whether its slots could be filled from the text as a whole."""
    pointed: Mapping[str, Bools]
    """Annotation id -> [items]: whether they could be from the word that it is about."""
    noted: Mapping[str, Bools]
    """Annotation id -> [items]: whether the noted answer is right; `plain` where there is none, or
    where it is not taken since it does something else than the note says."""

    def uplift(self, annotation: str) -> Ints:
        """[items]: 1 turned right, -1 turned wrong, 0 otherwise."""
        return self.noted[annotation].astype(np.int8) - self.plain.astype(np.int8)


def annotate(
    text: str, annotation: Annotation, library: Library, span: Span | None = None
) -> str | None:
    """The text with the annotation's note; None where a slot cannot be filled."""
    made = _noted(text, annotation, library.fill(annotation, text, span))
    return made.text if made else None


def _noted(text: str, annotation: Annotation, slots: Slots | None) -> Noted | None:
    words = note(annotation.template.format_map(slots)) if slots is not None else None
    if slots is None or words is None:
        return None
    other = note(annotation.again.format_map(slots)) if annotation.again else None
    return Noted(text + words, slots, text + other if other else None)


def measure(
    items: Sequence[Item],
    annotations: Sequence[Annotation],
    library: Library,
    cache: AnswerCache,
    progress: Callable[[int], Progress] = lambda _total: _silent,
    *,
    checked: bool = True,
) -> Answered:
    """Answer everything and score it. `progress` is told the number of prompts beforehand.

    `checked`: where an answer does something else than its note says, the one to its other words
    counts, and if that does so too, the plain one: it is the one that is given then (see
    following.py). Raises as answering does.
    """
    notes = _notes(items, annotations, library)
    asked = [
        (n, annotation, noted)
        for annotation in annotations
        for n, noted in enumerate(_either(notes[annotation.id]))
        if noted
    ]
    prompts = [*(item.prompt for item in items), *(noted.text for *_, noted in asked)]
    said = cache.answers(prompts, progress(len(prompts)))
    plain = np.zeros(len(items), dtype=np.bool_)
    plain[:] = [correct(a, item.gold) for a, item in zip(said[: len(items)], items, strict=True)]
    right = {annotation.id: plain.copy() for annotation in annotations}
    answers = said[len(items) :]
    while asked:
        astray: list[tuple[int, Annotation, Noted]] = []
        for (n, annotation, noted), answer in zip(asked, answers, strict=True):
            if not (checked and follows(annotation, noted.slots, answer) is False):
                right[annotation.id][n] = correct(answer, items[n].gold)
            elif noted.again:
                astray.append((n, annotation, Noted(noted.again, noted.slots)))
        asked, answers = astray, cache.answers([noted.text for *_, noted in astray])
    fillable = {name: _there(whole) for name, (whole, _) in notes.items()}
    return Answered(plain, fillable, {n: _there(p) for n, (_, p) in notes.items()}, right)


def _either(both: Both) -> list[Noted | None]:
    return [one or other for one, other in zip(*both, strict=True)]


def _notes(
    items: Sequence[Item], annotations: Sequence[Annotation], library: Library
) -> dict[str, Both]:
    """Annotation id -> the noted prompts. What one parser fills is parsed once."""
    by_parser: dict[tuple[str, Task], list[Annotation]] = {}
    for annotation in annotations:
        by_parser.setdefault((annotation.filler, annotation.task), []).append(annotation)
    found: dict[str, Both] = {}
    for alike in by_parser.values():
        slots = [_slots(item, alike[0], library) for item in items]
        for annotation in alike:
            both = [
                (_noted(item.prompt, annotation, one), _noted(item.prompt, annotation, other))
                for item, (one, other) in zip(items, slots, strict=True)
            ]
            whole = [one for one, _ in both]
            pointed = [other if one is None or one == other else None for one, other in both]
            found[annotation.id] = whole, pointed
    return {annotation.id: found[annotation.id] for annotation in annotations}


def _slots(
    item: Item, annotation: Annotation, library: Library
) -> tuple[Slots | None, Slots | None]:
    """What the text as a whole gives, and what the word does that a note would be about."""
    if annotation.task != item.task:
        return None, None
    word = library.about(annotation, item.prompt)
    told = library.fill(annotation, item.prompt, word) if word else None
    return library.fill(annotation, item.prompt, None), told


def _there(noted: Sequence[Noted | None]) -> Bools:
    return np.array([one is not None for one in noted], dtype=np.bool_)
