"""Look for the rule that predicts repair, and see what the same search finds in shuffled outcomes.

Pure numpy; knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from promptfix.measures import Null
from promptfix.mining.conflicts import Pairs, conflict
from promptfix.mining.selection import (
    Bools,
    Choice,
    Floats,
    Screen,
    Values,
    folds_of,
    told,
    weighted,
)

STAYS = 0.1
"""What a prompt that stays right with the note counts, beside one that the note changes.

To annotate it costs nothing, so what matters most is which changes are repairs; but a detector
speaks of misunderstandings, and had better be quiet where there is none.
"""


@dataclass(frozen=True)
class Half:
    """Prompts of one half of the data that an annotation can be made for."""

    x: Values
    """[prompts, columns]."""
    uplift: npt.NDArray[np.int8]
    """[prompts]: 1 turned right, -1 turned wrong, 0 right with the note and without."""
    groups: Sequence[str]
    """[prompts]: prompts of one group are variants of each other."""

    @property
    def repaired(self) -> Bools:
        """[prompts]."""
        return self.uplift > 0

    @property
    def weights(self) -> Floats:
        """[prompts]: how much each counts when a rule is looked for."""
        return np.where(self.uplift == 0, STAYS, 1.0)

    def shuffled(self, rng: np.random.Generator) -> Half:
        """The same prompts with each other's outcomes.

        A group is given those of another of about its size, in one piece: variants share their
        fate, and a search that learns from them must not look better than chance for it.
        """
        rows: dict[str, list[int]] = {}
        for row, group in enumerate(self.groups):
            rows.setdefault(group, []).append(row)
        alike: dict[int, list[list[int]]] = {}
        for group in sorted(rows):
            alike.setdefault(len(rows[group]).bit_length(), []).append(rows[group])
        uplift = self.uplift.copy()
        for some in alike.values():
            for to, other in zip(some, rng.permutation(len(some)).tolist(), strict=True):
                source = some[other]
                again = len(to) > len(source)
                uplift[to] = self.uplift[rng.choice(source, len(to), replace=again)]
        return replace(self, uplift=uplift)


class Search:
    """A search for rules on one half of the data, to be run again on shuffled outcomes."""

    def __init__(self, half: Half, *, paired: bool = True) -> None:
        """Search `half`; its groups are never torn apart. Without `paired`, for sums alone."""
        self._half, self._folds = half, folds_of(half.groups)
        self._screen = Screen(half.x)
        self._pairs = Pairs(half.x) if paired else None

    def best(self, half: Half | None = None) -> Choice | None:
        """The rule that predicts repair best on held-out folds; None if none passes the screens.

        `half`: the same prompts with other outcomes.
        """
        x, half = self._half.x, half or self._half
        y, w = half.repaired, half.weights
        found = [weighted(x, y, w, self._folds, self._screen)]
        if self._pairs:
            found.append(conflict(x, y, w, self._folds, self._pairs))
        return max((c for c in found if c), key=lambda c: c.gain, default=None)

    def null(self, other: Half, real: Choice, runs: int, seed: int) -> Null:
        """Run the search on shuffled outcomes, and compare with what the real rule tells.

        `other` is the half that the search never sees. A run matches the real rule if its own
        tells as much of the (shuffled) outcomes there. What annotating would bring is no measure:
        of a note that mostly helps, a rule that knows nothing and always fires brings as much.
        """
        known = told(real.scores(other.x), other.repaired, other.weights)
        rng = np.random.default_rng(seed)
        found = matched = 0
        for _ in range(runs):
            choice = self.best(self._half.shuffled(rng))
            held = other.shuffled(rng)
            found += choice is not None
            # No rule tells nothing, and a real one that tells nothing is matched by that.
            tells = told(choice.scores(held.x), held.repaired, held.weights) if choice else 0.0
            matched += tells >= known
        return Null(runs=runs, found=found, matched=matched)
