"""Look for the rule that predicts repair, and see what the same search finds in shuffled outcomes.

Pure numpy; knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptfix.measures import Null
from promptfix.mining.calibration import Calibrated, calibrate
from promptfix.mining.conflicts import Pairs, conflict
from promptfix.mining.selection import Bools, Choice, Screen, Values, folds_of, weighted


@dataclass(frozen=True)
class Half:
    """The prompts of one half of the data that an annotation can be made for."""

    x: Values
    """[prompts, columns]."""
    uplift: npt.NDArray[np.int8]
    """[prompts]."""

    def shuffled(self, rng: np.random.Generator) -> Half:
        """The same prompts with the outcomes of others."""
        return Half(self.x, rng.permutation(self.uplift))


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
            scores = choice.scores(held.x)
            made = calibrate(scores, held.uplift, real.prompts, budget)
            found += made is not None
            matched += made is not None and made.net >= real.net
        return Null(runs=runs, found=found, matched=matched)
