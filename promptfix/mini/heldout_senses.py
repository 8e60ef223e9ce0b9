"""Sentences that turn on a rare word; mini never trains on them.

`rare/*.jsonl`: in three files the rare word is the marked one, literal and figurative. In
`company.jsonl` it is the noun beside a common marked word, and decides how that is meant. What
the words mean stands in annotations/tables/rare.json. For mining and measuring.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from typing import Any

from promptfix.mini.corpus.metaphor import target_of

FILES = ("verbs", "nouns", "adjectives", "company")
PARTS = 3
"""One word of so many is for measuring alone."""


def sentences(*, mined: bool) -> Iterator[dict[str, Any]]:
    """Rows with `id`, `sentence`, `target`, `label`, `lemma` (the rare word) and `kind`.

    `mined`: those of the words that detectors are mined from, else those of all other words.
    """
    for name in FILES:
        kind = "unknown-company" if name == "company" else "unknown-sense"
        for entry in _entries(name):
            word: str = entry["word"]
            if measured(word) == mined:
                continue
            told = [(0, said) for said in entry["literal"]]
            told += [(1, said) for said in entry["figurative"]]
            for n, (label, said) in enumerate(told, 1):
                yield {
                    "id": f"rare-{word}-{n}",
                    "sentence": said.replace("*", ""),
                    "target": target_of(said),
                    "label": label,
                    "lemma": word,
                    "kind": kind,
                }


def measured(word: str) -> bool:
    """Whether a word is for measuring alone."""
    return int(sha256(word.encode()).hexdigest(), 16) % PARTS == 0


def _entries(name: str) -> list[dict[str, Any]]:
    file = resources.files("promptfix.mini").joinpath("rare", f"{name}.jsonl")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
