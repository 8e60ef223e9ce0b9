"""Which few features predict that an annotation repairs a prompt?

Two forms of rule are looked for: a weighted sum of at most `MAX_FEATURES` features, and a conflict
(conflicts.py). Sums come from a screen by correlation with false-discovery control (Benjamini and
Hochberg 1995), then a forward choice by cross-validated likelihood of a ridge logistic regression.
Columns are (feature, place) pairs: the peak on the user's tokens, or the value at the read-out.
Prompts have weights w, of which the largest is 1. Pure numpy; knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from promptfix.formats import MAX_FEATURES

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

SCREENED = 48
"""Columns that the forward choice looks at."""
FOLDS = 5
RIDGE = 1.0
FALSE_DISCOVERY = 0.1
LEAST_GAIN = 0.5
"""Cross-validated log-likelihood (nats) that one more feature has to bring."""
LEAST_FIRING = 8
"""Prompts that a column has to fire on to be looked at."""


@dataclass(frozen=True)
class Choice:
    """Columns that predict repair, and how they are put together into a score."""

    columns: tuple[int, ...]
    factors: tuple[float, ...]
    """What activations are multiplied by, so that they can be added or compared."""
    conflict: bool
    """The score is the smallest product, else their sum."""
    gain: float
    """Cross-validated log-likelihood over that of the base rate, in nats."""
    screened: int
    """How many columns, or pairs of them, passed the screen."""

    def scores(self, x: Values) -> Floats:
        """Score prompts: x [prompts, columns] -> [prompts]."""
        products = x[:, list(self.columns)].astype(np.float64) * np.array(self.factors)
        return products.min(1) if self.conflict else products.sum(1)


def fold_of(group: str, folds: int = FOLDS, salt: str = "") -> int:
    """The fold of a group of items: a fixed function of its name."""
    return int.from_bytes(sha256(f"{salt}{group}".encode()).digest()[:4], "big") % folds


def folds_of(groups: Sequence[str]) -> Ints:
    """[prompts]: the fold of each."""
    return np.array([fold_of(group) for group in groups], dtype=np.intp)


class Screen:
    """Columns in a form in which many outcomes can be held against them quickly."""

    def __init__(self, x: Values) -> None:
        """Look at x [prompts, columns]."""
        self.alive: Ints = np.flatnonzero((x > 0).sum(0) >= LEAST_FIRING)
        self._seen = np.log1p(x[:, self.alive])
        self._squares = self._seen**2

    def passed(self, y: Bools, w: Floats) -> Ints:
        """The columns whose positive correlation with y survives false-discovery control.

        Strongest first, at most `SCREENED`. Only positive ones: a detector is a statement about
        features that fire, and silence alone never makes it fire.
        """
        if y.sum() < 4 or (~y).sum() < 4 or not len(self.alive):
            return np.array([], dtype=np.intp)
        share = (w / w.sum()).astype(np.float32)
        target = (y - share @ y).astype(np.float32)
        mean = share @ self._seen
        spread = np.maximum(share @ self._squares - mean**2, 1e-12)
        r = ((share * target) @ self._seen) / np.sqrt(spread * (share @ target**2))
        effective = w.sum() ** 2 / (w**2).sum()
        z = np.arctanh(np.clip(r, -0.999, 0.999)) * np.sqrt(max(effective - 3, 1))
        kept = discoveries(z.astype(np.float64))
        return self.alive[kept[:SCREENED]]


def discoveries(z: Floats) -> Ints:
    """Which z values survive false-discovery control (one-sided), the largest first."""
    from scipy.stats import norm

    p = norm.sf(z)
    order = np.argsort(p, kind="stable")
    allowed = FALSE_DISCOVERY * np.arange(1, len(p) + 1) / max(len(p), 1)
    below = np.flatnonzero(p[order] <= allowed)
    return order[: below[-1] + 1] if len(below) else np.array([], dtype=np.intp)


def weighted(
    x: Values, y: Bools, w: Floats, folds: Ints, screen: Screen, limit: int = MAX_FEATURES
) -> Choice | None:
    """Choose a weighted sum of columns of x [prompts, columns] that predicts y [prompts].

    None if no column passes the screen.
    """
    passed = screen.passed(y, w)
    if not len(passed):
        return None
    small = x[:, passed].astype(np.float64)
    scale = small.std(0) + 1e-9
    picked = _forward(small / scale, y, w, folds, min(limit, MAX_FEATURES))
    if not picked:
        return None
    columns = [int(c) for c, _ in picked]
    weights = _fit((small / scale)[:, columns], y, w)[1:] / scale[columns]
    chosen = tuple(int(passed[c]) for c in columns)
    factors = tuple(float(v) for v in weights)
    return Choice(chosen, factors, conflict=False, gain=picked[-1][1], screened=len(passed))


def _forward(x: Floats, y: Bools, w: Floats, folds: Ints, limit: int) -> list[tuple[int, float]]:
    """Add the column that helps most on held-out folds, until none brings `LEAST_GAIN`."""
    picked: list[tuple[int, float]] = []
    best = 0.0
    while len(picked) < limit:
        chosen = [c for c, _ in picked]
        rest = [c for c in range(x.shape[1]) if c not in chosen]
        gains = [(held_out(x[:, [*chosen, c]], y, w, folds), c) for c in rest]
        better = sorted((g for g in gains if g[0] >= best + LEAST_GAIN), reverse=True)
        kept = next((g for g in better if (_fit(x[:, [*chosen, g[1]]], y, w)[1:] > 0).all()), None)
        if kept is None:
            break
        best, column = kept
        picked.append((column, best))
    return picked


def held_out(x: Floats, y: Bools, w: Floats, folds: Ints) -> float:
    """Log-likelihood (nats) of y on held-out folds given x, over that of the base rate."""
    total = 0.0
    for fold in range(FOLDS):
        test = folds == fold
        if not test.any() or y[~test].all() or not y[~test].any():
            continue
        beta = _fit(x[~test], y[~test], w[~test])
        rate = (w * y)[~test].sum() / w[~test].sum()
        total += _likelihood(beta[0] + x[test] @ beta[1:], y[test], w[test])
        total -= _likelihood(np.full(int(test.sum()), np.log(rate / (1 - rate))), y[test], w[test])
    return total


def told(scores: Floats, y: Bools, w: Floats) -> float:
    """What scores tell of y, in nats: the log-likelihood of a logistic regression on them.

    Over that of the base rate; 0 where y is no commoner among high scores.
    """
    if y.all() or not y.any():
        return 0.0
    x = (scores / (scores.std() + 1e-9))[:, None]
    beta = _fit(x, y, w)
    rate = (w * y).sum() / w.sum()
    known = _likelihood(beta[0] + x[:, 0] * beta[1], y, w)
    gain = known - _likelihood(np.full(len(y), np.log(rate / (1 - rate))), y, w)
    return max(float(gain), 0.0) if beta[1] > 0 else 0.0


def _likelihood(logits: Floats, y: Bools, w: Floats) -> float:
    return float((w * (np.where(y, logits, 0.0) - np.logaddexp(0.0, logits))).sum())


def _fit(x: Floats, y: Bools, w: Floats) -> Floats:
    """Ridge logistic regression by Newton's method: [intercept, weights]; the intercept is free."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = np.diag([0.0] + [RIDGE] * x.shape[1])
    beta = np.zeros(design.shape[1])
    for _ in range(12):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (w * (y - p)) - penalty @ beta
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian + 1e-9 * np.eye(len(beta)), gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-6:
            break
    return beta
