"""From answers to the rows of a result: gains with intervals, flips, tests, per set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from eval import stats
from eval.answering import Said
from eval.arms import PLACEBOS, Looked, Sent
from eval.breakdown import reliability
from eval.items import Sets
from eval.stats import Bools, Floats
from promptfix.mining.cause import auroc
from promptfix.mining.files import write_text
from promptfix.tasks import Item, final

POSITIVE = "metaphorical"
"""The label whose F1 is given."""


def arm_row(said: Said, plain: Said, flagged: Sequence[bool], sets: Sets) -> dict[str, Any]:
    """What an arm did, held against the plain answers."""
    here = np.array(flagged, dtype=np.bool_)
    gained, interval = stats.gain(said.right, plain.right, sets.rows)
    return {
        "accuracy": stats.macro(said.right, sets.rows),
        "gain": gained,
        "gain_ci95": interval,
        "mcnemar_p": stats.mcnemar(said.right, plain.right),
        **stats.flips(said.right, plain.right),
        "flagged": stats.flips(said.right[here], plain.right[here]) | {"n": int(here.sum())},
        "tokens": said.tokens,
        "withdrawn": said.withdrawn,
        "without_answer": said.silent,
        "per_set": per_set(said, sets),
    }


def per_set(said: Said, sets: Sets) -> dict[str, dict[str, Any]]:
    """Name of a set -> n, right, and for metaphor the F1."""
    found: dict[str, dict[str, Any]] = {}
    for name, rows in sets.rows.items():
        found[name] = {"n": len(rows), "right": int(said.right[rows].sum())}
        if sets.task == "metaphor":
            labels = [final(said.texts[i]) for i in rows.tolist()]
            gold = [sets.items[i].gold for i in rows.tolist()]
            found[name]["f1"] = stats.f1(labels, gold, POSITIVE)
    return found


def gate_row(
    scores: Floats, template: Said, plain: Said, looked: Looked, sets: Sets
) -> dict[str, Any]:
    """What the same notes do where another gate puts them, on as many prompts."""
    can = np.isfinite(scores)
    chosen = stats.at_rate(scores, can, sum(looked.flagged))
    right = np.where(chosen, template.right, plain.right)
    gained, interval = stats.gain(right, plain.right, sets.rows)
    repaired, harmed = template.right & ~plain.right, plain.right & ~template.right
    changed = can & (repaired | harmed)
    return {
        "chosen": int(chosen.sum()),
        "gain": gained,
        "gain_ci95": interval,
        **stats.flips(right, plain.right),
        "auroc_repaired_or_harmed": auroc(scores[changed], repaired[changed]),
        "auroc_repaired_or_not": auroc(scores[can], repaired[can]),
        "tenths": reliability(scores, repaired, harmed),
    }


def summary(plain: Said, said: Mapping[str, Said], best: Bools, sets: Sets) -> dict[str, Any]:
    """The figures of the headline. `best` [items]: whether any annotation gets an item right."""
    fixed = said.get("promptfix", plain)
    placebos = {name: stats.macro(said[name].right, sets.rows) for name in PLACEBOS if name in said}
    rival = max(placebos, key=lambda name: placebos[name], default=None)
    other = said[rival].right if rival else plain.right
    gained, interval = stats.gain(fixed.right, plain.right, sets.rows)
    over, over_interval = stats.gain(fixed.right, other, sets.rows)
    return {
        "task": sets.task,
        "n": len(sets.items),
        "plain": stats.macro(plain.right, sets.rows),
        "promptfix": stats.macro(fixed.right, sets.rows),
        "best_placebo": {"name": rival, "value": placebos[rival] if rival else None},
        "oracle": stats.macro(best, sets.rows),
        **stats.flips(fixed.right, plain.right),
        "gain": gained,
        "gain_ci95": interval,
        "gain_over_placebo": over,
        "gain_over_placebo_ci95": over_interval,
        "mcnemar_p": stats.mcnemar(fixed.right, plain.right),
        "mcnemar_p_over_placebo": stats.mcnemar(fixed.right, other),
        "per_set": {
            name: {"plain": row, "promptfix": per_set(fixed, sets)[name]}
            for name, row in per_set(plain, sets).items()
        },
        "plain_tokens": plain.tokens,
        "plain_without_answer": plain.silent,
    }


def write_sent(path: Path, items: Sequence[Item], sent: Mapping[str, Sent]) -> str:
    """Write the prompts really sent, where the plain one was not; returns their sha256."""
    lines = [
        json.dumps({"id": item.id, "arm": arm, "prompt": texts[n]}, ensure_ascii=False)
        for arm, texts in sent.items()
        for n, item in enumerate(items)
        if texts[n] is not None
    ]
    text = "".join(f"{line}\n" for line in lines)
    write_text(path, text)
    return sha256(text.encode()).hexdigest()
