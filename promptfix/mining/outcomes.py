"""What does each annotation do to each prompt? Answers come from a cache on disk where they can."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from promptfix.formats import Annotation
from promptfix.library import Library
from promptfix.records import Answer, Prompt
from promptfix.rewriting import note
from promptfix.tasks import Item, correct

Ints = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Progress: TypeAlias = Callable[[int], object]
"""Told how many more prompts are answered."""


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

    def __init__(self, model: Answerer, path: Path | None, max_tokens: int = 64) -> None:
        """Use a model; `path` None keeps nothing on disk."""
        self._model, self._path, self._max_tokens = model, path, max_tokens
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            self._known = dict(_readable(path))

    def answers(self, prompts: Sequence[str], progress: Progress = _silent) -> list[str]:
        """The model's answers, in order; only what is not known yet is asked."""
        missing = sorted({p for p in prompts if self._key(p) not in self._known}, key=len)
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
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps([key, text]) + "\n" for key, text in fresh.items())

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
class Outcomes:
    """Right or wrong, plainly and under each annotation."""

    plain: Bools
    """[items]."""
    fillable: Mapping[str, Bools]
    """Annotation id -> [items]: whether its slots could be filled."""
    noted: Mapping[str, Bools]
    """Annotation id -> [items]: whether the noted answer is right; `plain` where there is none."""

    def uplift(self, annotation: str) -> Ints:
        """[items]: 1 turned right, -1 turned wrong, 0 otherwise."""
        return self.noted[annotation].astype(np.int8) - self.plain.astype(np.int8)


def annotate(text: str, annotation: Annotation, library: Library) -> str | None:
    """The text with the annotation's note; None where a slot cannot be filled."""
    slots = library.fill(annotation, text, None)
    words = note(annotation.template.format_map(slots)) if slots is not None else None
    return None if words is None else text + words


def measure(
    items: Sequence[Item],
    annotations: Sequence[Annotation],
    library: Library,
    cache: AnswerCache,
    progress: Progress = _silent,
) -> Outcomes:
    """Answer everything and score it. Raises as answering does."""

    def score(some: Sequence[Item], prompts: Sequence[str]) -> Bools:
        said = cache.answers(prompts, progress)
        right = [correct(answer, item.gold) for answer, item in zip(said, some, strict=True)]
        return np.array(right, dtype=np.bool_)

    plain = score(items, [item.prompt for item in items])
    fillable: dict[str, Bools] = {}
    noted: dict[str, Bools] = {}
    for annotation in annotations:
        texts = [
            annotate(item.prompt, annotation, library) if annotation.task == item.task else None
            for item in items
        ]
        can = np.array([text is not None for text in texts], dtype=np.bool_)
        chosen = [item for item, text in zip(items, texts, strict=True) if text is not None]
        result = plain.copy()
        result[can] = score(chosen, [text for text in texts if text is not None])
        fillable[annotation.id], noted[annotation.id] = can, result
    return Outcomes(plain, fillable, noted)
