"""Does mini read a note, or only react to one? `python -m eval.counterfactual`.

Unit-word problems of the held-out generator, with the shipped annotation's words around a value
that is not the true one: "1 gross = 7". A model that reads answers with 7. Writes
eval/results/counterfactual.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from eval.common import ROOT, WEIGHTS, share, write_result
from promptfix.mini.heldout import answer_with, unit_words
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.rewriting import note
from promptfix.tasks import correct

SEED = 77


def noted(rows: Sequence[Mapping[str, Any]], values: Sequence[int]) -> list[str]:
    """The problems with notes that give their words these values."""
    file = ROOT / "annotations/unit-word-equation.json"
    template = json.loads(file.read_text())["template"]
    pairs = zip(rows, values, strict=True)
    notes = [note(template.format(word=row["word"], value=value)) for row, value in pairs]
    return [row["question"] + (words or "") for row, words in zip(rows, notes, strict=True)]


def right(model: LocalModel, prompts: Sequence[str], golds: Sequence[int]) -> int:
    """How many prompts are answered with these numbers."""
    said = model.answer_many([Prompt(text=p) for p in prompts], max_tokens=48, batch=64)
    return sum(correct(a.text, str(g)) for a, g in zip(said, golds, strict=True))


def main() -> None:
    """Ask plainly, with the true note and with a false one; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    model = LocalModel(load_network(options.model))
    rng = Random(SEED)
    rows = list(unit_words(options.count, SEED))
    others = [[v for v in range(r["b"] + 1, r["b"] + 30) if v != r["value"]] for r in rows]
    false = [rng.choice(values) for values in others]
    truth = noted(rows, [row["value"] for row in rows])
    answers = [int(row["answer"]) for row in rows]
    altered = [int(answer_with(row, value)) for row, value in zip(rows, false, strict=True)]
    result = {
        "plain_right": right(model, [row["question"] for row in rows], answers),
        "true_note_right": right(model, truth, answers),
        "false_note_computed_with": right(model, noted(rows, false), altered),
        "false_note_still_right": right(model, noted(rows, false), answers),
    }
    for key, hits in result.items():
        print(f"{key:26} {share(hits, len(rows))}")
    print(write_result("counterfactual", {"n": len(rows), **result}))


if __name__ == "__main__":
    main()
