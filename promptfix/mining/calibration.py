"""Where does a detector fire, and how much harm is left?

Decided on prompts that selection did not see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
LEAST_RATIO = 4
"""Repairs for each harm that a threshold has to bring."""


@dataclass(frozen=True)
class Calibrated:
    """A threshold and what annotating above it does, in counts of prompts."""

    threshold: float
    prompts: int
    annotated: int
    repaired: int
    harmed: int
    harm_at_most: float
    """Upper bound (Clopper and Pearson 1934) on the share of all prompts that are turned wrong."""

    @property
    def p_value(self) -> float:
        """One-sided sign test: the chance of so many repairs if harm were as likely as repair."""
        from scipy.stats import binomtest

        changed = self.repaired + self.harmed
        if not changed:
            return 1.0
        return float(binomtest(self.repaired, changed, alternative="greater").pvalue)


def harm_bound(harmed: int, prompts: int) -> float:
    """The upper end of the one-sided interval for a share."""
    from scipy.stats import beta

    return 1.0 if harmed >= prompts else float(beta.ppf(CONFIDENCE, harmed + 1, prompts - harmed))


def calibrate(
    scores: npt.NDArray[np.float64], uplift: npt.NDArray[np.int8], prompts: int, budget: float
) -> Calibrated | None:
    """Choose the threshold with the largest net repair whose harm stays in bounds.

    The upper bound on the harmed share of all `prompts` is within `budget`, and `LEAST_RATIO`
    times as many prompts are repaired as harmed. `scores` and `uplift` are those of the prompts
    that can be annotated. A threshold is above 0, so that silence never fires. None if there is
    no such threshold.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, change = scores[order], uplift[order]
    repaired, harmed = np.cumsum(change > 0), np.cumsum(change < 0)
    best: Calibrated | None = None
    for i in range(len(ranked)):
        last_of_its_score = i + 1 == len(ranked) or ranked[i + 1] < ranked[i]
        if ranked[i] <= 0 or not last_of_its_score:
            continue
        bound = harm_bound(int(harmed[i]), prompts)
        net = int(repaired[i] - harmed[i])
        if repaired[i] < LEAST_RATIO * harmed[i]:
            continue
        if bound <= budget and net > (best.repaired - best.harmed if best else 0):
            below = ranked[i + 1] if i + 1 < len(ranked) else 0.0
            threshold = float(max((ranked[i] + max(below, 0.0)) / 2, 1e-6))
            best = Calibrated(threshold, prompts, i + 1, int(repaired[i]), int(harmed[i]), bound)
    return best
