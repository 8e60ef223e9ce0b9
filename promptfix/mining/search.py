"""Look for the rule that predicts repair, and see what the same search finds in shuffled outcomes.

Pure numpy; knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptfix.measures import Null
from promptfix.mining.calibration import Calibrated, calibrate, floor
from promptfix.mining.conflicts import Pairs, conflict
from promptfix.mining.selection import Bools, Choice, Screen, Values, folds_of, weighted


@dataclass(frozen=True)
class Half:
    """Prompts of one half of the data, among them those that an annotation can be made for."""

    x: Values
    """[prompts, columns]."""
    uplift: npt.NDArray[np.int8]
    """[prompts]; 0 where the annotation cannot be made."""
    can: Bools
    """[prompts]: whether it can."""
    beside: int = 0
    """How many of the last rows are other words of prompts. A rule learns from them, and they do
    not raise the least threshold: one loud word in ten prompts would silence it."""

    def shuffled(self, rng: np.random.Generator) -> Half:
        """The same prompts; those that can be annotated have the outcomes of others that can.

        So a shuffled search knows as well as the real one where a note can be made, and what it
        does not know is where the note helps.
        """
        uplift = self.uplift.copy()
        uplift[self.can] = rng.permutation(self.uplift[self.can])
        return Half(self.x, uplift, self.can, self.beside)


def settle(
    choice: Choice, half: Half, prompts: int, budget: float
) -> tuple[Calibrated | None, float]:
    """Calibrate a rule on a half that it was not chosen on; and the least threshold it may have."""
    scores = choice.scores(half.x)
    whole = len(scores) - half.beside
    least = floor(scores[:whole][~half.can[:whole]])
    return calibrate(scores[half.can], half.uplift[half.can], prompts, budget, least), least


class Search:
    """A search for rules on one half of the data, to be run again on shuffled outcomes."""

    def __init__(self, half: Half, groups: Sequence[str], *, paired: bool = True) -> None:
        """Search `half`; its groups are never torn apart. Without `paired`, for sums alone."""
        self._half, self._folds = half, folds_of(groups)
        self._screen = Screen(half.x)
        self._pairs = Pairs(half.x) if paired else None

    def best(self, repaired: Bools | None = None) -> Choice | None:
        """The rule that predicts repair best on held-out folds; None if none passes the screens."""
        y = self._half.uplift > 0 if repaired is None else repaired
        found = [weighted(self._half.x, y, self._folds, self._screen)]
        if self._pairs:
            found.append(conflict(self._half.x, y, self._folds, self._pairs))
        return max((c for c in found if c), key=lambda c: c.gain, default=None)

    def null(self, other: Half, real: Calibrated, runs: int, budget: float, seed: int) -> Null:
        """Run search and calibration on shuffled outcomes, and compare with the real detector.

        `other` is the calibration half. A run matches the real detector if its net repairs there
        are as many.
        """
        rng = np.random.default_rng(seed)
        found = matched = 0
        for _ in range(runs):
            choice = self.best(self._half.shuffled(rng).uplift > 0)
            held = other.shuffled(rng)
            if choice is None:
                continue
            made, _ = settle(choice, held, real.prompts, budget)
            found += made is not None
            matched += made is not None and made.net >= real.net
        return Null(runs=runs, found=found, matched=matched)
