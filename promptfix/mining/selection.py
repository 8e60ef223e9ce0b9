"""Which few features predict that an annotation repairs a prompt?

A screen by correlation with false-discovery control (Benjamini and Hochberg 1995), then a forward
choice of at most `MAX_FEATURES` by cross-validated likelihood of a ridge logistic regression.
Columns are (feature, place) pairs: the peak on the user's tokens, or the value at the read-out.
Pure numpy; knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from promptfix.formats import MAX_FEATURES

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

SCREENED = 48
"""Columns that the forward choice looks at."""
FOLDS = 5
RIDGE = 1.0
FALSE_DISCOVERY = 0.1
LEAST_GAIN = 0.5
"""Cross-validated log-likelihood (nats) that one more feature has to bring."""


@dataclass(frozen=True)
class Choice:
    """Columns with their weights, on the scale of the activations."""

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    gain: float
    """Cross-validated log-likelihood over that of the base rate, in nats."""
    screened: int
    """How many columns passed the screen."""

    def scores(self, x: npt.NDArray[np.float32]) -> Floats:
        """Score prompts: x [prompts, columns] -> [prompts]."""
        return x[:, list(self.columns)].astype(np.float64) @ np.array(self.weights)


def fold_of(group: str, folds: int = FOLDS, salt: str = "") -> int:
    """The fold of a group of items: a fixed function of its name."""
    return int.from_bytes(sha256(f"{salt}{group}".encode()).digest()[:4], "big") % folds


def choose(
    x: npt.NDArray[np.float32], y: Bools, groups: Sequence[str], limit: int = 4
) -> Choice | None:
    """Choose columns of x [prompts, columns] that predict y [prompts]; None if none passes."""
    passed = screen(x, y)
    if not len(passed):
        return None
    folds = np.array([fold_of(g) for g in groups])
    small = x[:, passed].astype(np.float64)
    scale = small.std(0) + 1e-9
    picked = _forward(small / scale, y, folds, min(limit, MAX_FEATURES))
    if not picked:
        return None
    columns = [int(c) for c, _ in picked]
    weights = _fit((small / scale)[:, columns], y)[1:] / scale[columns]
    chosen = tuple(int(passed[c]) for c in columns)
    return Choice(chosen, tuple(float(w) for w in weights), picked[-1][1], len(passed))


def screen(x: npt.NDArray[np.float32], y: Bools) -> Ints:
    """The columns whose positive correlation with y survives false-discovery control.

    Strongest first, at most `SCREENED`. Only positive ones: a detector is a statement about
    features that fire, and silence alone never makes it fire.
    """
    from scipy.stats import norm

    alive = np.flatnonzero((x > 0).sum(0) >= 8)
    if y.sum() < 4 or (~y).sum() < 4 or not len(alive):
        return np.array([], dtype=np.intp)
    seen = np.log1p(x[:, alive].astype(np.float64))
    target = y - y.mean()
    seen -= seen.mean(0)
    r = (target @ seen) / (np.sqrt((seen**2).sum(0) * (target**2).sum()) + 1e-12)
    p = norm.sf(np.arctanh(np.clip(r, -0.999, 0.999)) * np.sqrt(max(len(y) - 3, 1)))
    order = np.argsort(p, kind="stable")
    allowed = FALSE_DISCOVERY * np.arange(1, len(p) + 1) / len(p)
    below = np.flatnonzero(p[order] <= allowed)
    return alive[order[: below[-1] + 1]][:SCREENED] if len(below) else np.array([], dtype=np.intp)


def _forward(x: Floats, y: Bools, folds: Ints, limit: int) -> list[tuple[int, float]]:
    """Add the column that helps most on held-out folds, until none brings `LEAST_GAIN`."""
    picked: list[tuple[int, float]] = []
    best = 0.0
    while len(picked) < limit:
        chosen = [c for c, _ in picked]
        rest = [c for c in range(x.shape[1]) if c not in chosen]
        gains = [(_held_out(x[:, [*chosen, c]], y, folds), c) for c in rest]
        better = sorted((g for g in gains if g[0] >= best + LEAST_GAIN), reverse=True)
        kept = next((g for g in better if (_fit(x[:, [*chosen, g[1]]], y)[1:] > 0).all()), None)
        if kept is None:
            break
        best, column = kept
        picked.append((column, best))
    return picked


def _held_out(x: Floats, y: Bools, folds: Ints) -> float:
    """Log-likelihood of y on held-out folds, over that of the base rate."""
    total = 0.0
    for fold in range(FOLDS):
        test = folds == fold
        if not test.any() or y[~test].all() or not y[~test].any():
            continue
        beta = _fit(x[~test], y[~test])
        rate = y[~test].mean()
        total += _likelihood(beta[0] + x[test] @ beta[1:], y[test])
        total -= float(np.where(y[test], np.log(rate), np.log1p(-rate)).sum())
    return total


def _likelihood(logits: Floats, y: Bools) -> float:
    return float((np.where(y, logits, 0.0) - np.logaddexp(0.0, logits)).sum())


def _fit(x: Floats, y: Bools) -> Floats:
    """Ridge logistic regression by Newton's method: [intercept, weights]; the intercept is free."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = np.diag([0.0] + [RIDGE] * x.shape[1])
    beta = np.zeros(design.shape[1])
    for _ in range(12):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (y - p) - penalty @ beta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + penalty
        beta = beta + np.linalg.solve(hessian + 1e-9 * np.eye(len(beta)), gradient)
    return beta
