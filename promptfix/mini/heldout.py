"""Generated items that mini never trains on: held-out stories and unit-word problems.

The latter count in the unit words of the glossary. Both are for mining and measuring. Written as
JSONL rows with `id`, `question`, `answer`, as every other math set, and `group`: the story.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from promptfix.mini.corpus import words
from promptfix.mini.corpus.stories import HELD_OUT
from promptfix.mini.corpus.surface import problem
from promptfix.mini.wordings import reckon, wordings

COUNTS = {
    "gross": 144,
    "score": 20,
    "dozen": 12,
    "half-dozen": 6,
    "trio": 3,
    "quartet": 4,
    "quintet": 5,
    "sextet": 6,
    "pair": 2,
}
"""Words for a number of things."""
PARTS = {
    "fortnight": ("days", 14),
    "decade": ("years", 10),
    "century": ("years", 100),
    "week": ("days", 7),
    "yard": ("feet", 3),
    "pound": ("ounces", 16),
    "gallon": ("quarts", 4),
    "quart": ("pints", 2),
    "pint": ("cups", 2),
    "bushel": ("pecks", 4),
    "stone": ("pounds", 14),
    "fathom": ("feet", 6),
    "nickel": ("cents", 5),
    "dime": ("cents", 10),
    "quarter": ("cents", 25),
    "shilling": ("pence", 12),
    "guinea": ("shillings", 21),
    "furlong": ("yards", 220),
    "hour": ("minutes", 60),
    "foot": ("inches", 12),
    "day": ("hours", 24),
    "year": ("months", 12),
    "minute": ("seconds", 60),
}
"""Words for a number of smaller units."""


def stories(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Problems told by the held-out stories."""
    rng = Random(seed)
    for n in range(count):
        item = problem(rng, rng.choice(HELD_OUT))
        row = {"id": f"story-{seed}-{n}", "question": item.text, "answer": item.answer}
        yield row | {"group": f"story {item.schema}"}


def unit_words(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Problems that turn on what a unit word is worth."""
    rng = Random(seed)
    for n in range(count):
        yield {"id": f"unit-{seed}-{n}", **_unit_word(rng)}


def _unit_word(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("units"))
    counted = story.form == "count"
    word = rng.choice(sorted(COUNTS if counted else PARTS))
    part, value = ("", COUNTS[word]) if counted else PARTS[word]
    n, b = rng.randint(2, 9), rng.randint(1, value - 1)
    several = "{n}" in story.story and not counted and word != "foot"
    unit = words.plural(word).replace("centurys", "centuries") if several else word
    question = story.tell(rng, n=n, b=b, a=rng.choice(["one", "1"]), u=unit, p=part)
    row = {"question": question, "group": story.group, "word": word, "value": value}
    row |= {"formula": story.formula, "n": n, "b": b}
    return {**row, "answer": answer_with(row, value)}


def answer_with(row: Mapping[str, Any], value: int) -> str:
    """The answer to a unit-word problem if its word were worth `value`."""
    return reckon(row["formula"], {"n": row["n"], "b": row["b"], "v": value})


def write(path: Path, count: int, seed: int) -> None:
    """Write `count` stories and `count` unit-word problems to a JSONL file."""
    rows = [*stories(count, seed), *unit_words(count, seed)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
