"""The numbers of a problem, and the sums that answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from random import Random
from typing import TypeAlias

from promptfix.mini.corpus.formulas import formula
from promptfix.mini.corpus.schemas import Schema

Number: TypeAlias = int | Decimal
"""A decimal keeps its places: 12.50 + 2.50 = 15.00."""
LARGEST = 200_000
"""Answers stay below this."""
TABLE = 12
"""Products up to this are known by heart."""
UNIT = 12
"""What a unit is worth while none is drawn."""
_TERM = re.compile(r"[a-z]|\d+|[-+*/%]")


def number(rng: Random) -> int:
    """A quantity, small ones more often, up to four digits."""
    roll = rng.random()
    if roll < 0.36:
        return rng.randint(2, 20)
    if roll < 0.84:
        return rng.randint(10, 99)
    return rng.randint(100, 999) if roll < 0.98 else rng.randint(1000, 9999)


def draw(schema: Schema, rng: Random, unit: int, pointed: str = "") -> dict[str, int]:
    """Numbers for the letters that suit the schema where its unit word is worth `unit`.

    Those of `pointed` are in hundredths. Raises ValueError for a schema whose conditions nothing
    meets.
    """
    values: dict[str, int] = {}
    for _ in range(50):
        values = _drawn(schema, rng, pointed)
        values["u"] = unit
        if _suits(schema, values, rng):
            return values
    return values | {"b": 1}


def work(
    schema: Schema, values: Mapping[str, Number], rng: Random
) -> tuple[tuple[str, ...], Number]:
    """The worked sums and the result.

    Raises ValueError when a step over whole numbers does not come out whole, or one over decimals
    takes more places than they have.
    """
    scope: dict[str, Number] = {"u": UNIT, **values, "r": 0, "p": 0}
    lines: list[str] = []
    for step in schema.steps:
        terms = _TERM.findall(step)
        taken = [scope.get(term, term) for term in terms]
        result = _settled(formula(step)(scope, rng), taken)
        if len(terms) > 1:
            lines += worked_out(" ".join(map(str, taken)), result)
        scope["p"], scope["r"] = scope["r"], result
    return tuple(lines), scope["r"]


def _settled(exact: float | Decimal, taken: Sequence[object]) -> Number:
    """A step's result with as many places as the numbers have that it took."""
    pointed = [term for term in taken if isinstance(term, Decimal)]
    if "/" in taken and len(pointed) > 1:
        pointed = []
    most = min(pointed, key=lambda term: int(term.as_tuple().exponent), default=None)
    result = int(exact) if most is None else Decimal(exact).quantize(most)
    if exact < 0 or result != exact:
        raise ValueError(f"{taken} comes to {exact}")
    return result


def worked_out(sum_: str, result: Number) -> list[str]:
    """The lines of one sum; a product of large numbers by the digits of its second one.

    A small model multiplies by one digit at a time.
    """
    terms = sum_.split()
    if terms[1:2] != ["*"] or len(terms) != 3:
        return [f"{sum_} = {result}"]
    least, most = sorted((Decimal(term) for term in terms[::2]), key=_heaviness)
    digits = str(least)
    parts = [int(d) * 10**place for place, d in enumerate(reversed(digits)) if d not in "0."][::-1]
    if "." in digits or least <= TABLE or most % 10 == 0 or len(parts) < 2:
        return [f"{sum_} = {result}"]
    lines = [f"{most} * {part} = {most * part}" for part in parts]
    return [*lines, f"{' + '.join(str(most * part) for part in parts)} = {result}"]


def _heaviness(factor: Decimal) -> tuple[bool, Decimal]:
    """What is multiplied by the digits of the other: an amount with decimals, or the larger."""
    return "." in str(factor), factor


def _drawn(schema: Schema, rng: Random, pointed: str) -> dict[str, int]:
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
        if pointed:
            values |= {letter: _hundredths(rng) for letter in (*pointed, "q")}
        if _suits(schema, values, rng):
            return values
    raise ValueError(f"schema {schema.name} cannot be drawn")


def _hundredths(rng: Random) -> int:
    """An amount between a quarter and two hundred, small ones more often."""
    return rng.choice((rng.randint(25, 999), rng.randint(100, 2999), rng.randint(500, 19_999)))


def _suits(schema: Schema, values: dict[str, int], rng: Random) -> bool:
    """Make the schema's assignments in `values`; whether its conditions hold and it comes out."""
    values.setdefault("u", UNIT)
    for clause in filter(None, schema.draw.split(";")):
        letter, assigned, right = clause.partition("=")
        if assigned:
            values[letter] = int(formula(right)(values, rng))
            if values[letter] < 0:
                return False
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
