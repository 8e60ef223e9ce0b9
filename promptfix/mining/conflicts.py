"""Conflicts: a feature of what the text asks, together with one of what the model is about to do.

Every pair of a feature on the user's tokens and one at the read-out is looked at. A pair counts if
repairs are commoner where both fire than where either does, and not by chance among so many pairs.
Pure numpy; knows nothing of models.
"""

from __future__ import annotations

import numpy as np

from promptfix.mining.selection import (
    LEAST_FIRING,
    Bools,
    Choice,
    Floats,
    Ints,
    Values,
    discoveries,
    held_out,
)

WIDEST = 1024
"""Columns of each kind that are paired: those that fire on the likeliest share of prompts."""
TRIED = 12
"""Pairs whose prediction is cross-validated."""


class Pairs:
    """All pairs of a column of the user's half and one of the read-out's half of a matrix."""

    def __init__(self, x: Values) -> None:
        """Look at x [prompts, 2 * features]: user tokens first, then the read-out."""
        self.half = x.shape[1] // 2
        self.user = _pairable(x[:, : self.half])
        self.readout = _pairable(x[:, self.half :]) + self.half
        self._on = [(x[:, some] > 0).astype(np.float32) for some in (self.user, self.readout)]
        self._together = self._on[0].T @ self._on[1]

    def passed(self, y: Bools, w: Floats) -> list[tuple[int, int]]:
        """The pairs that survive false-discovery control, the strongest first."""
        if y.sum() < 4 or (~y).sum() < 4 or not self._together.size:
            return []
        user, readout = self._on
        rate = float((w * y).sum() / w.sum())
        hits, size, squares = (v.astype(np.float32) for v in (w * y, w, w**2))
        repaired, n, spread = ((user * v[:, None]).T @ readout for v in (hits, size, squares))
        n, spread = np.maximum(n, 1e-6), np.maximum(spread, 1e-6)
        z = (repaired - rate * n) / np.sqrt(spread * rate * (1 - rate))
        shares = [(hits @ on) / np.maximum(size @ on, 1e-6) for on in (user, readout)]
        alone = np.maximum(shares[0][:, None], shares[1][None, :])
        z[(self._together < LEAST_FIRING) | (repaired / n <= alone)] = -np.inf
        kept = discoveries(z.ravel().astype(np.float64))
        rows, columns = np.unravel_index(kept, z.shape)
        pairs = zip(self.user[rows], self.readout[columns], strict=True)
        return [(int(u), int(r)) for u, r in pairs]


def conflict(x: Values, y: Bools, w: Floats, folds: Ints, pairs: Pairs) -> Choice | None:
    """Choose the pair of columns of x that predicts y [prompts] best; None if none passes."""
    passed = pairs.passed(y, w)
    best: Choice | None = None
    for pair in passed[:TRIED]:
        factors = (_factor(x[:, pair[0]]), _factor(x[:, pair[1]]))
        choice = Choice(pair, factors, conflict=True, gain=0.0, screened=len(passed))
        gain = held_out(_shaped(choice.scores(x)), y, w, folds)
        if gain > (best.gain if best else 0.0):
            best = Choice(pair, factors, conflict=True, gain=gain, screened=len(passed))
    return best


def _pairable(x: Values) -> Ints:
    """At most `WIDEST` columns that fire on 2 to 60 % of the prompts, the commonest first."""
    share = (x > 0).mean(0)
    fits = np.flatnonzero((share >= 0.02) & (share <= 0.6) & ((x > 0).sum(0) >= LEAST_FIRING))
    order = np.argsort(-share[fits], kind="stable")[:WIDEST]
    return np.sort(fits[order])


def _factor(column: Values) -> float:
    """1 over the middle of what the column shows where it fires."""
    return float(1 / np.median(column[column > 0]))


def _shaped(scores: Floats) -> Floats:
    """[prompts, 2]: whether both fire, and how strongly."""
    return np.column_stack([scores > 0, np.minimum(scores, 3.0)]).astype(np.float64)
