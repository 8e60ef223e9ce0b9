"""What an arm did on parts of the items: by kind of misunderstanding, by word, by score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval import stats
from eval.answering import Said
from eval.arms import Looked
from eval.items import Sets
from eval.stats import Bools, Floats

TRAINED = frozenset(
    "unknown-unit-word irrelevant-quantity extra-step difference-asked literal-reading "
    "unknown-sense wrong-steps".split()
)
"""Kinds of note that the embedded model has read in training (MODEL_CARD.md); others are new."""
BINS = 10


def by_kind(fixed: Said, plain: Said, looked: Looked) -> dict[str, dict[str, Any]]:
    """Misunderstanding -> flips where it was answered, and whether training had such notes."""
    kinds = sorted({kind for kind in looked.by if kind})
    return {kind: _part(fixed, plain, [k == kind for k in looked.by], kind) for kind in kinds}


def _part(fixed: Said, plain: Said, here: Sequence[bool], kind: str) -> dict[str, Any]:
    rows = np.array(here, dtype=np.bool_)
    counted = {"n": int(rows.sum()), "trained": kind in TRAINED}
    return counted | stats.flips(fixed.right[rows], plain.right[rows])


def by_training(fixed: Said, plain: Said, looked: Looked, sets: Sets) -> dict[str, dict[str, Any]]:
    """The gain that notes of kinds known from training bring, and that of new kinds alone."""
    found: dict[str, dict[str, Any]] = {}
    for name, trained in (("trained", True), ("new", False)):
        here = np.array([kind and (kind in TRAINED) == trained for kind in looked.by], dtype=bool)
        right = np.where(here, fixed.right, plain.right)
        gained, interval = stats.gain(right, plain.right, sets.rows)
        counted = {"n": int(here.sum()), "gain": gained, "gain_ci95": interval}
        found[name] = counted | stats.flips(right, plain.right)
    return found


def by_lemma(fixed: Said, plain: Said, sets: Sets) -> dict[str, dict[str, dict[str, int]]]:
    """Name of a set -> items whose marked word mining saw, and those whose word it did not."""
    known = {item.group for item in sets.mined}
    seen = np.array([item.group in known for item in sets.items], dtype=np.bool_)
    return {
        name: {"seen": _right(fixed, plain, rows[seen[rows]])}
        | {"unseen": _right(fixed, plain, rows[~seen[rows]])}
        for name, rows in sets.rows.items()
    }


def _right(fixed: Said, plain: Said, rows: Any) -> dict[str, int]:
    return {
        "n": len(rows),
        "plain": int(plain.right[rows].sum()),
        "promptfix": int(fixed.right[rows].sum()),
    }


def reliability(scores: Floats, repaired: Bools, harmed: Bools) -> list[dict[str, float]]:
    """Tenths of the prompts by a gate's score: what the note did in each.

    Args:
        scores: [items]; -inf where no note can be made.
        repaired: [items] whether the note turns an answer right.
        harmed: [items] whether it turns one wrong.
    """
    can = np.flatnonzero(np.isfinite(scores))
    order = can[np.argsort(scores[can], kind="stable")]
    return [
        {
            "n": len(part),
            "score": float(scores[part].mean()),
            "repaired": int(repaired[part].sum()),
            "harmed": int(harmed[part].sum()),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]
