"""Controls: is the answer in the note, is the question needed, do the features know the label?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval import probes
from eval.answering import Asker
from eval.arms import Sent, digits, notes_alone, without_question
from eval.items import Sets
from eval.stats import f1
from promptfix.microscope import Microscope
from promptfix.mining.cause import auroc
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.tasks import Item

LABELS = ("literal", "metaphorical")


def leaks_of(
    asker: Asker, sent: Sent, items: Sequence[Item], by: Sequence[str | None]
) -> dict[str, Any]:
    """What the notes give away.

    A solver that sees a note and no prompt is held against the commonest answer; and so is the
    label (of metaphor) that is commonest where a misunderstanding was found, both on the items
    that got a note.
    """
    alone = notes_alone(sent, items)
    noted = [items[n] for n in alone]
    if not noted:
        return {"notes": 0}
    said = asker.greedy(noted, list(alone.values()))
    golds = [item.gold for item in noted]
    kinds = [by[n] for n in alone]
    common = {
        kind: Counter(g for g, k in zip(golds, kinds, strict=True) if k == kind)
        for kind in set(kinds)
    }
    guessed = sum(counts.most_common(1)[0][1] for counts in common.values())
    return {
        "notes": len(noted),
        "say_the_gold_number": digits(alone, items),
        "right_from_the_note_alone": int(said.right.sum()),
        "right_by_the_commonest_answer": Counter(golds).most_common(1)[0][1],
        "right_by_which_detector_fired": guessed if noted[0].task == "metaphor" else None,
    }


def shortcut(asker: Asker, sets: Sets) -> dict[str, dict[str, int]]:
    """Name of a set -> how often the model is right with the question, and with it cut off."""
    found: dict[str, dict[str, int]] = {}
    for name, rows in sets.rows.items():
        whole, cut = without_question([sets.items[i] for i in rows.tolist()])
        found[name] = {
            "n": len(cut),
            "right_with_the_question": int(asker.greedy(whole, [None] * len(whole)).right.sum()),
            "right_without_the_question": int(asker.greedy(cut, [None] * len(cut)).right.sum()),
        }
    return found


def direct(pipeline: Pipeline, sae: Path, asker: Asker, sets: Sets) -> dict[str, Any]:
    """The metaphor task answered from inside: by the detectors' features, and by a dense probe.

    Both learn the labels of mining's items. If either does as well as promptfix, promptfix is a
    detour.
    """
    if not sets.mined:
        return {}
    seen, texts = [i.prompt for i in sets.mined], [i.prompt for i in sets.items]
    labels = np.array([item.gold == LABELS[1] for item in sets.mined], dtype=np.bool_)
    groups = [item.group for item in sets.mined]
    whole = Microscope(asker.network, Sae.load(sae, d_in=asker.network.width), "direct")
    columns = [int(feature) for feature in pipeline.rules.features]
    found: dict[str, Any] = {}
    if columns:
        pair = [_columns(whole, some, columns) for some in (seen, texts)]
        found["features"] = _told(probes.learnt(pair[0], labels, pair[1], groups), sets)
    dense = probes.dense(whole, seen), probes.dense(whole, texts)
    found["dense"] = _told(probes.learnt(dense[0], labels, dense[1], groups), sets)
    return found


def _columns(microscope: Microscope, texts: Sequence[str], features: Sequence[int]) -> Any:
    peaks = microscope.read_many([Prompt(text=text) for text in texts], features, 64)
    return np.concatenate([peaks.user.numpy(), peaks.readout.numpy()], axis=1)


def _told(scores: Any, sets: Sets) -> dict[str, Any]:
    said = [LABELS[int(score > 0)] for score in scores]
    found: dict[str, Any] = {}
    for name, rows in sets.rows.items():
        pairs = [(said[i], sets.items[i].gold) for i in rows.tolist()]
        right = sum(s == g for s, g in pairs)
        score = f1([s for s, _ in pairs], [g for _, g in pairs], LABELS[1])
        metaphorical = np.array([g == LABELS[1] for _, g in pairs], dtype=np.bool_)
        found[name] = {"n": len(rows), "right": right, "f1": score}
        # What is known whatever the share of metaphors is taken to be.
        found[name]["auroc"] = auroc(np.asarray(scores)[rows], metaphorical)
    return found
