"""What is known of the items, and the rows of it that a rule learns from or is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from promptfix.formats import Annotation
from promptfix.mining.outcomes import Answered, Bools
from promptfix.mining.search import Half
from promptfix.mining.selection import Values, fold_of
from promptfix.tasks import Item, Task


@dataclass(frozen=True)
class Sample:
    """All that is known of the items when rules are looked for."""

    items: Sequence[Item]
    annotations: Sequence[Annotation]
    answered: Answered
    features: Values
    """[items, 2 * features]: peaks on the user's tokens, then values at the read-out."""
    words: Mapping[str, Values] = field(default_factory=dict[str, Values])
    """Annotation id -> [items, features]: peaks on the word that the annotation is about."""
    seed: int = 0
    """Decides which half an item falls into, and how outcomes are shuffled."""

    def of_task(self, task: Task) -> Bools:
        """[items]: whether an item is of the task."""
        return np.array([item.task == task for item in self.items], dtype=np.bool_)

    def held(self, task: Task) -> Bools:
        """[items]: whether an item is in the half of the task that rules never learn from.

        Decided by the hash of its group, so that variants stay together.
        """
        salt = f"calibration{self.seed or ''}"
        half = [fold_of(item.group, 2, salt) == 1 for item in self.items]
        return self.of_task(task) & np.array(half, dtype=np.bool_)

    @property
    def original(self) -> Bools:
        """[items]: all that are no variants. Counts are of these: variants are not independent."""
        return np.array([not item.variant for item in self.items], dtype=np.bool_)

    @property
    def written(self) -> Bools:
        """[items]: all that people wrote, and no program."""
        return np.array([not item.generated for item in self.items], dtype=np.bool_)

    def calibration(self, task: Task) -> Bools:
        """[items]: whether an item is one of those that thresholds are set on."""
        return self.held(task) & self.original

    def half(self, x: Values, which: Bools, annotation: str) -> Half:
        """Those of the items from which a rule can learn where an annotation helps.

        A prompt that stays wrong with the note says nothing: to annotate it costs nothing and
        brings nothing.
        """
        uplift = self.answered.uplift(annotation)
        rows = np.flatnonzero(which & (self.answered.plain | (uplift > 0)))
        groups = tuple(self.items[i].group for i in rows.tolist())
        return Half(x[rows], uplift[rows], groups)
