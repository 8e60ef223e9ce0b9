"""Where does a detector fire, and how much harm is left?

Decided on prompts that selection did not see: for each detector alone, then for all of them
together, since what has to stay bounded is the harm of the library as a whole. It is bounded twice,
on all prompts and on those that people wrote: generated ones are made for one note each, which
hardly harms them, and would make room for harm elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptfix.evidence import LEAST_RATIO, harm_bound, sign_test

Floats = npt.NDArray[np.float64]
Int8s = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

LEAST = 1e-6
"""The lowest threshold: silence never fires."""
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""Of the budget, for which thresholds are tried; the largest first."""
PRICES = (1, 2, 4, 8, 16, 32, 1000)
"""Repairs that one harm is taken to cost, when thresholds are looked for together."""


@dataclass(frozen=True)
class Calibrated:
    """A threshold and what annotating above it does, in counts of prompts."""

    threshold: float
    prompts: int
    annotated: int
    repaired: int
    harmed: int

    @property
    def net(self) -> int:
        """Prompts turned right, less those turned wrong."""
        return self.repaired - self.harmed

    @property
    def harm_at_most(self) -> float:
        """Upper bound on the share of all prompts that are turned wrong."""
        return harm_bound(self.harmed, self.prompts)

    @property
    def p_value(self) -> float:
        """The chance of so many repairs if harm were as likely as repair."""
        return sign_test(self.repaired, self.harmed)


def thresholds(scores: Floats) -> Floats:
    """Where a threshold may lie: between two scores, from `LEAST` on, the highest first."""
    seen = np.unique(scores[scores > 0])[::-1]
    below = np.append(seen[1:], 0.0)[: len(seen)]
    return np.maximum((seen + below) / 2, LEAST)


def count(scores: Floats, uplift: Int8s, threshold: float, prompts: int) -> Calibrated:
    """What annotating from a threshold on does."""
    changes = uplift[scores >= threshold]
    repaired, harmed = int((changes > 0).sum()), int((changes < 0).sum())
    return Calibrated(threshold, prompts, len(changes), repaired, harmed)


def calibrate(scores: Floats, uplift: Int8s, prompts: int, budget: float) -> Calibrated | None:
    """Choose the threshold with the largest net repair whose harm stays in bounds.

    The upper bound on the harmed share of all `prompts` is within `budget`, and `LEAST_RATIO`
    times as many prompts are repaired as harmed. `scores` and `uplift` are those of the prompts
    that can be annotated. A threshold is above 0, so that silence never fires. None if there is
    no such threshold.
    """
    found = [count(scores, uplift, at, prompts) for at in _useful(scores, uplift)]
    allowed = [c for c in found if c.net > 0 and _within(c.repaired, c.harmed, prompts, budget)]
    return max(allowed, key=lambda c: (c.net, c.threshold), default=None)


def together(
    scores: Floats, uplift: Int8s, budget: float, written: Bools | None = None
) -> list[float | None]:
    """Thresholds under which all detectors together repair most, with their harm in bounds.

    `scores` and `uplift` are [detectors, prompts], in the order in which detectors are served:
    a prompt gets the note of the first that fires on it (score -inf: no note can be made).
    `written` [prompts]: those that people wrote, on which alone the bounds have to hold too. Begins
    where all detectors pay one price for harm, the best of `PRICES`, so that none uses up the
    budget that another needs more; then changes one threshold at a time as long as the net repair
    grows. Each detector keeps `LEAST_RATIO` by itself, too, on all prompts: those that people wrote
    are few for one. None where one had better stay off, and everywhere if nothing keeps the bounds,
    as of fewer prompts than can show them.
    """
    parts = [(part, int(part.sum())) for part in _parts(scores.shape[1], written)]
    options = [[np.inf, *_fair(s, u)] for s, u in zip(scores, uplift, strict=True)]
    made = [
        [count(row, changes, at, scores.shape[1]) for at in values]
        for row, changes, values in zip(scores, uplift, options, strict=True)
    ]

    def net(at: Sequence[float]) -> int:
        changes = _changes(scores, uplift, at)
        if all(_within(*_tally(changes[part]), n, budget) for part, n in parts):
            return int(changes.sum())
        return -1

    def at_price(price: float) -> list[float]:
        worth = [[(c.repaired - price * c.harmed, c.threshold) for c in row] for row in made]
        return [max(row)[1] for row in worth]

    starts = [at_price(price) for price in PRICES]
    chosen = max(starts, key=net)
    best, improved = net(chosen), True
    while improved:
        improved = False
        for which, values in enumerate(options):
            for value in values:
                trial = [*chosen[:which], value, *chosen[which + 1 :]]
                if net(trial) > best:
                    chosen, best, improved = trial, net(trial), True
    return [None if np.isinf(at) or best < 0 else at for at in chosen]


def cautious(
    scores: Floats, uplift: Int8s, budget: float, folds: Ints, written: Bools | None = None
) -> list[float | None]:
    """The thresholds of `together` for so much of the budget as holds on prompts without a say.

    Many thresholds that are set on the same prompts do less harm there than elsewhere. So for each
    of `SHARES` of the budget they are set without one of the `folds` [prompts] and tried on it, in
    turn; the largest share is taken with which, on the folds together, no more than the whole
    budget is harmed, and `LEAST_RATIO` times as many are repaired as harmed. (The upper bound of
    the harm would have to hold for rules from fewer prompts, and wastes half.)
    """
    parts = _parts(scores.shape[1], written)
    for share in SHARES:
        changed = np.zeros((len(parts), 2), dtype=np.intp)
        for fold in np.unique(folds):
            here = folds == fold
            rest = None if written is None else written[~here]
            at = together(scores[:, ~here], uplift[:, ~here], share * budget, rest)
            limits = [np.inf if one is None else one for one in at]
            for row, part in enumerate(parts):
                changed[row] += served(scores[:, here & part], uplift[:, here & part], limits)
        repaired, harmed = changed.T
        bounded = harmed <= [budget * part.sum() for part in parts]
        if all(bounded & (repaired >= LEAST_RATIO * harmed)):
            return together(scores, uplift, share * budget, written)
    return [None] * len(scores)


def _parts(prompts: int, written: Bools | None) -> list[Bools]:
    """The prompts on which harm is bounded: all, and those that people wrote, if there are any."""
    every = np.ones(prompts, dtype=np.bool_)
    return [every] if written is None or not written.any() else [every, written]


def served(scores: Floats, uplift: Int8s, at: Sequence[float]) -> tuple[int, int]:
    """How many prompts are repaired and harmed, if the first detector that fires is served."""
    return _tally(_changes(scores, uplift, at))


def _changes(scores: Floats, uplift: Int8s, at: Sequence[float]) -> Int8s:
    """[prompts]: 1 where a prompt is turned right, -1 where wrong, 0 elsewhere."""
    fires = scores >= np.array(at)[:, None]
    first, prompts = fires.argmax(axis=0), np.arange(scores.shape[1])
    return np.where(fires[first, prompts], uplift[first, prompts], np.int8(0))


def _tally(changes: Int8s) -> tuple[int, int]:
    return int((changes > 0).sum()), int((changes < 0).sum())


def _within(repaired: int, harmed: int, prompts: int, budget: float) -> bool:
    return repaired >= LEAST_RATIO * harmed and harm_bound(harmed, prompts) <= budget


def _fair(scores: Floats, uplift: Int8s) -> list[float]:
    """The thresholds at which a detector keeps `LEAST_RATIO` by itself."""
    made = [count(scores, uplift, at, len(scores)) for at in _useful(scores, uplift)]
    return [c.threshold for c in made if c.repaired >= LEAST_RATIO * c.harmed]


def _useful(scores: Floats, uplift: Int8s) -> list[float]:
    """The thresholds just below a repaired prompt; no other can be the best."""
    repaired = np.unique(scores[(uplift > 0) & (scores >= LEAST)])
    every = thresholds(scores[np.isfinite(scores)])
    return [float(every[every <= score].max()) for score in repaired[::-1]]
