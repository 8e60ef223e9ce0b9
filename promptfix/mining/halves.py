"""What is known of the items, and the rows of it that a rule learns from or is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptfix.formats import Annotation
from promptfix.mining.outcomes import Answered, Bools, Ints
from promptfix.mining.search import Half
from promptfix.mining.selection import Values, fold_of
from promptfix.tasks import Item, Task

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Evidence:
    """All that is known of the items when rules are looked for."""

    items: Sequence[Item]
    annotations: Sequence[Annotation]
    answered: Answered
    features: Values
    """[items, 2 * features]: peaks on the user's tokens, then values at the read-out."""
    words: Mapping[str, Values] = field(default_factory=dict[str, Values])
    """Annotation id -> [items, features]: peaks on the word that the annotation is about."""
    beside: Mapping[str, Values] = field(default_factory=dict[str, Values])
    """The same on the prompt's other words, on which a rule about that word has to be quiet."""
    seed: int = 0
    """Decides which half an item falls into, and how outcomes are shuffled."""

    def of_task(self, task: Task) -> Bools:
        """[items]: whether an item is of the task."""
        return np.array([item.task == task for item in self.items], dtype=np.bool_)

    def calibration(self, task: Task) -> Bools:
        """[items]: whether an item is in the task's calibration half, by the hash of its group."""
        salt = f"calibration{self.seed or ''}"
        half = [fold_of(item.group, 2, salt) == 1 for item in self.items]
        return self.of_task(task) & np.array(half, dtype=np.bool_)


def half_of(
    x: Values,
    whole: Values,
    rows: Rows,
    uplift: Ints,
    can: Bools,
    beside: Values | None = None,
) -> tuple[Half, Rows]:
    """Rows of x; where no note can be made, what the features do in the `whole` prompt.

    Behind them what they do `beside` the word of each prompt that has one. Also returns the item
    that each row is of.
    """
    seen = np.where(can[rows, None], x[rows], whole[rows, : x.shape[1]])
    half = Half(seen, np.where(can, uplift, 0)[rows].astype(np.int8), can[rows])
    if beside is None:
        return half, rows
    more = rows[can[rows]]
    nothing = np.zeros(len(more), dtype=np.int8)
    return Half(
        np.concatenate([half.x, beside[more]]),
        np.concatenate([half.uplift, nothing]),
        np.concatenate([half.can, nothing.astype(np.bool_)]),
        len(more),
    ), np.concatenate([rows, more])


def others(which: Bools, most: int) -> Rows:
    """Indices of at most so many of them, evenly spaced."""
    found = np.flatnonzero(which)
    return found[:: max(1, -(-len(found) // most))]
