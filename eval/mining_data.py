"""Gather the items that detectors are mined from: `python -m eval.mining_data --out runs/items`.

Maths: SVAMP's training folds, MAWPS train and valid, each problem also with other numbers
(variants.py), the half of GSM8K train that mini never saw (few steps), held-out stories, unit
words, other words for numbers, problems of one step and rare verbs of the generator. Metaphor:
VUA-20 train and moh-rest as they are, without any lemma of MOH-X, and sentences with rare words;
those of every third rare word are for measuring alone. Test sets are not touched.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from eval.common import ROOT, data_folder
from eval.variants import variants
from promptfix.formats import Sense
from promptfix.mini.corpus.worked import for_training
from promptfix.mini.heldout import stories, unit_words
from promptfix.mini.heldout_senses import sentences
from promptfix.mini.heldout_words import change_problems, operation_problems, word_problems
from promptfix.slots.lemmas import base

LONGEST = 30
"""Words of a VUA-20 sentence; mini was made for short ones."""


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    lines = path.read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line.strip()]


def varied(path: Path, count: int) -> list[dict[str, Any]]:
    """The rows of a file, each with its variants behind it."""
    return [some for row in rows(path) for some in (row, *variants(row, count))]


def generated(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that say that a program wrote them."""
    return [{**row, "generated": True} for row in found]


def few_steps(row: dict[str, Any]) -> bool:
    """Whether a GSM8K item is mining's and takes at most two sums."""
    return not for_training(row["id"]) and row["solution"].count("<<") <= 2


def metaphor_rows(data: Path, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """VUA-20 train and moh-rest without the lemmas of MOH-X.

    Of the first, a fixed sample of at most `count`, with as many metaphors as texts have: what a
    note turns wrong and right depends on how often the model's verdict is right.
    """
    entries = json.loads((ROOT / "annotations/tables/senses.json").read_text())
    table = {word: Sense.model_validate(entry) for word, entry in entries.items()}
    barred = {row["lemma"] for row in rows(data / "metaphor/moh-x.jsonl")}
    known = table | dict.fromkeys(barred, next(iter(table.values())))
    rest = [r for r in rows(data / "metaphor/moh-rest.jsonl") if r["lemma"] not in barred]
    vua = []
    for row in rows(data / "metaphor/vua20-train.jsonl"):
        lemma = base(row["target"], known)
        if lemma in table and lemma not in barred and 4 <= len(row["sentence"].split()) <= LONGEST:
            vua.append(row | {"lemma": lemma})
    Random(0).shuffle(vua)
    return vua[:count], rest


def main() -> None:
    """Write one file per source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/items"))
    parser.add_argument("--held-out", type=Path, default=Path("runs/held-out"))
    parser.add_argument("--generated", type=int, default=2000, help="held-out stories")
    parser.add_argument("--unit-words", type=int, default=600, help="problems in unit words")
    parser.add_argument("--variants", type=int, default=6, help="of each problem of other people")
    parser.add_argument("--words", type=int, default=5600, help="problems in words for numbers")
    parser.add_argument("--operations", type=int, default=1200, help="problems of one step")
    parser.add_argument("--changes", type=int, default=800, help="problems with rare verbs")
    parser.add_argument("--vua", type=int, default=3000)
    options = parser.parse_args()
    data = data_folder()
    options.out.mkdir(parents=True, exist_ok=True)
    options.held_out.mkdir(parents=True, exist_ok=True)
    vua, rest = metaphor_rows(data, options.vua)
    sets = {
        "svamp-train": varied(data / "math/svamp-train.jsonl", options.variants),
        "mawps-train": varied(data / "math/mawps-train.jsonl", options.variants),
        "mawps-valid": varied(data / "math/mawps-valid.jsonl", options.variants),
        "gsm8k-mining": [r for r in rows(data / "math/gsm8k-train.jsonl") if few_steps(r)],
        "stories": generated(stories(options.generated, 1)),
        "unit-words": generated(unit_words(options.unit_words, 1)),
        "number-words": generated(word_problems(options.words, 1)),
        "operations": generated(operation_problems(options.operations, 1)),
        "changes": generated(change_problems(options.changes, 1)),
        "vua20-mining": vua,
        "moh-rest": rest,
        "rare-words": generated(sentences(mined=True)),
    }
    for name, found in sets.items():
        _write(options.out / f"{name}.jsonl", found)
    _write(options.held_out / "rare-words-test.jsonl", list(sentences(mined=False)))


def _write(path: Path, found: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    print(f"{path.stem:16} {len(found)}")


if __name__ == "__main__":
    main()
