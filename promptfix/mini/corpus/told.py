"""Thousands of concrete stories, one a line in `told/*.jsonl`, in the language of schemas.py.

A model of mini's size learns a few hundred ways of telling by heart; it reads only what it cannot
learn by heart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources

from promptfix.mini.corpus.schemas import Schema


def told() -> tuple[Schema, ...]:
    """All of them, in the order of the files."""
    return tuple(_rows())


def _rows() -> Iterator[Schema]:
    folder = resources.files("promptfix.mini.corpus").joinpath("told")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            facts, asks, steps = (tuple(row[key]) for key in ("facts", "asks", "steps"))
            draw, point = row.get("draw", ""), row.get("point", "")
            yield Schema(row["name"], facts, asks, steps, row["phrase"], draw, point=point)
