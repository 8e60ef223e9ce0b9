"""Figures for comparing arms on the same items: paired, with intervals. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

DRAWS = 4000


def macro(right: Bools, sets: Mapping[str, npt.NDArray[np.intp]]) -> float:
    """Accuracy averaged over sets. right [items]; sets: name -> indices of its items."""
    return float(np.mean([right[rows].mean() for rows in sets.values()]))


def gain(
    arm: Bools, other: Bools, sets: Mapping[str, npt.NDArray[np.intp]], seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Macro-averaged gain of `arm` over `other`, with its 95 % interval.

    Paired bootstrap: items are drawn again within each set (Efron 1979).
    """
    rng = np.random.default_rng(seed)
    change = arm.astype(np.float64) - other.astype(np.float64)
    draws = np.zeros(DRAWS)
    for rows in sets.values():
        picked = rng.integers(0, len(rows), size=(DRAWS, len(rows)))
        draws += change[rows][picked].mean(1) / len(sets)
    low, high = np.quantile(draws, [0.025, 0.975])
    return macro(arm, sets) - macro(other, sets), (float(low), float(high))


def mcnemar(arm: Bools, other: Bools) -> float:
    """Exact two-sided p value for the items on which two arms differ (McNemar 1947)."""
    from scipy.stats import binomtest

    better, worse = int((arm & ~other).sum()), int((other & ~arm).sum())
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def flips(arm: Bools, plain: Bools) -> dict[str, int]:
    """How many items an arm turns right and wrong."""
    return {
        "wrong_to_right": int((arm & ~plain).sum()),
        "right_to_wrong": int((plain & ~arm).sum()),
    }


def f1(said: Sequence[str | None], gold: Sequence[str], label: str) -> float:
    """F1 of one label; an answer that never says counts as the other one."""
    pairs = [(s == label, g == label) for s, g in zip(said, gold, strict=True)]
    hit = sum(s and g for s, g in pairs)
    wrong = sum(s != g for s, g in pairs)
    return 2 * hit / (2 * hit + wrong) if hit else 0.0


def at_rate(scores: Floats, can: Bools, count: int) -> Bools:
    """The `count` items with the highest scores among those that can be annotated."""
    order = [i for i in np.argsort(-scores, kind="stable").tolist() if can[i]]
    chosen = np.zeros(len(scores), dtype=np.bool_)
    chosen[order[:count]] = True
    return chosen
