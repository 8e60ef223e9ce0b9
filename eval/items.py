"""The items of an evaluation: whole sets, without what overlaps with training or mining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.mini_abilities import grouped_sample, lemmatised, training_ngrams, unleaked
from promptfix.mini import leaks
from promptfix.tasks import DataError, Item, Task, digest, load


@dataclass(frozen=True)
class Sets:
    """Items of one task from several files."""

    task: Task
    items: list[Item]
    rows: dict[str, npt.NDArray[np.intp]]
    """Name of a set -> the indices of its items."""
    digests: dict[str, str]
    dropped: dict[str, int]
    """Name of a set -> items left out, since they overlap with what was trained or mined on."""
    mined: list[Item]
    """What mining saw: rival gates learn from it."""


def gather(
    task: Task, files: Sequence[Path], mined: Sequence[Path], data: Path, sample: int
) -> Sets:
    """Read sets, from `data` where a path leads nowhere else.

    Raises DataError if a set holds no item of the task, or none is left.
    """
    seen = lemmatised(item for file in mined for item in load(file) if item.task == task)
    known = training_ngrams(data) | leaks.union(item.text for item in seen)
    items: list[Item] = []
    rows: dict[str, npt.NDArray[np.intp]] = {}
    digests: dict[str, str] = {}
    dropped: dict[str, int] = {}
    for name in files:
        file = name if name.exists() else data / name
        every = lemmatised(item for item in load(file) if item.task == task)
        some = grouped_sample(every, sample) if len(every) > sample else every
        kept = unleaked(some, known)
        if not kept:
            raise DataError(f"{file} holds no {task} item that is not trained or mined on")
        rows[file.stem] = np.arange(len(items), len(items) + len(kept))
        items += kept
        digests[file.stem], dropped[file.stem] = digest(kept), len(some) - len(kept)
    return Sets(task, items, rows, digests, dropped, seen)
