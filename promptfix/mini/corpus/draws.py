"""The numbers of a problem, and the sums that answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from random import Random

from promptfix.mini.corpus.formulas import formula
from promptfix.mini.corpus.schemas import Schema

LARGEST = 20_000
"""Answers stay below this."""
UNIT = 12
"""What a unit is worth while none is drawn."""
_TERM = re.compile(r"[a-z]|\d+|[-+*/%]")


def number(rng: Random) -> int:
    """A quantity, small ones more often, up to four digits."""
    roll = rng.random()
    if roll < 0.42:
        return rng.randint(2, 20)
    if roll < 0.87:
        return rng.randint(10, 99)
    return rng.randint(100, 999) if roll < 0.985 else rng.randint(1000, 9999)


def draw(schema: Schema, rng: Random, unit: int) -> dict[str, int]:
    """Numbers for the letters that suit the schema where its unit word is worth `unit`.

    Raises ValueError for a schema whose conditions nothing meets.
    """
    values: dict[str, int] = {}
    for _ in range(50):
        values = _drawn(schema, rng)
        values["u"] = unit
        if _suits(schema, values, rng):
            return values
    return values | {"b": 1}


def work(schema: Schema, values: Mapping[str, int], rng: Random) -> tuple[tuple[str, ...], int]:
    """The worked sums and the result. Raises ValueError when a step is not a whole number."""
    scope = {"u": UNIT, **values, "r": 0, "p": 0}
    lines: list[str] = []
    for step in schema.steps:
        exact = formula(step)(scope, rng)
        if exact != int(exact) or exact < 0:
            raise ValueError(step)
        terms = _TERM.findall(step)
        if len(terms) > 1:
            shown = " ".join(str(scope.get(term, term)) for term in terms)
            lines.append(f"{shown} = {int(exact)}")
        scope["p"], scope["r"] = scope["r"], int(exact)
    return tuple(lines), scope["r"]


def _drawn(schema: Schema, rng: Random) -> dict[str, int]:
    """Numbers that suit the schema with a unit of `UNIT`."""
    for _ in range(5000):
        values = {letter: number(rng) for letter in "abcde"}
        values["d"] = number(rng)
        values["n"] = rng.randint(2, 12) if rng.random() < 0.8 else rng.randint(2, 40)
        values["m"] = rng.randint(2, 12)
        values["t"] = rng.randint(2, 9)
        values["q"] = rng.randint(1, 12) if rng.random() < 0.7 else rng.randint(2, 60)
        if any("*" in step for step in schema.steps):
            values["a"] = rng.randint(2, 12) if rng.random() < 0.75 else rng.randint(2, 60)
        if _suits(schema, values, rng):
            return values
    raise ValueError(f"schema {schema.name} cannot be drawn")


def _suits(schema: Schema, values: dict[str, int], rng: Random) -> bool:
    """Make the schema's assignments in `values`; whether its conditions hold and it comes out."""
    values.setdefault("u", UNIT)
    for clause in filter(None, schema.draw.split(";")):
        letter, assigned, right = clause.partition("=")
        if assigned:
            values[letter] = int(formula(right)(values, rng))
        elif not formula(clause)(values, rng):
            return False
    return all(values[letter] > 0 for letter in _used(schema.steps)) and _works(schema, values, rng)


@cache
def _used(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The drawn letters that the steps compute with."""
    return tuple(x for x in "abcdnmt" if any(re.search(rf"\b{x}\b", step) for step in steps))


def _works(schema: Schema, values: Mapping[str, int], rng: Random) -> bool:
    try:
        steps, result = work(schema, values, rng)
    except (ZeroDivisionError, ValueError):
        return False
    return 0 <= result < LARGEST and (result > 0 or not steps)
