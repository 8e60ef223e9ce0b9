"""Does mini read a note, or only react to one? `python -m eval.counterfactual`.

Unit-word problems of the held-out generator, with the shipped annotation's words around a value that is not the true
one: "1 gross = 7". A model that reads answers with 7. Writes eval/results/counterfactual.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

from eval.common import ROOT, WEIGHTS, share, write_result
from promptfix.mini.heldout import answer_with, unit_words
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.rewriting import note
from promptfix.tasks import correct

SEED = 77


def main() -> None:
    """Ask plainly, with the true note and with a false one; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    model = LocalModel(load_network(options.model))
    template = json.loads((ROOT / "annotations/unit-word-equation.json").read_text())["template"]
    rng = Random(SEED)
    rows = list(unit_words(options.count, SEED))
    false = [rng.choice([v for v in range(row["b"] + 1, row["b"] + 30) if v != row["value"]]) for row in rows]

    def noted(values: list[int]) -> list[str]:
        return [row["question"] + (note(template.format(word=row["word"], value=v)) or "") for row, v in zip(rows, values, strict=True)]

    def right(prompts: list[str], golds: list[int]) -> int:
        said = model.answer_many([Prompt(text=p) for p in prompts], max_tokens=48, batch=64)
        return sum(correct(a.text, str(g)) for a, g in zip(said, golds, strict=True))

    truth = [row["value"] for row in rows]
    answers, altered = [int(r["answer"]) for r in rows], [answer_with(r, v) for r, v in zip(rows, false, strict=True)]
    result = {
        "n": len(rows), "plain_right": right([r["question"] for r in rows], answers), "true_note_right": right(noted(truth), answers),
        "false_note_computed_with": right(noted(false), altered), "false_note_still_right": right(noted(false), answers),
    }
    for key in list(result)[1:]:
        print(f"{key:26} {share(result[key], result['n'])}")
    print(write_result("counterfactual", result))


if __name__ == "__main__":
    main()
