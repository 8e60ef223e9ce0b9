"""Amounts with a decimal point: prices in cents, lengths, weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from random import Random

from promptfix.mini.corpus.draws import Number, work
from promptfix.mini.corpus.schemas import Schema

_MEASURES = """
miles inches feet meters yards kilometers centimeters pounds ounces grams kilograms tons gallons
pints quarts liters cups hours degrees acres
""".split()
_AMOUNT = re.compile(rf"\{{\$([a-e])\}}|\{{([a-e])\}} (?:more )?(?:{'|'.join(_MEASURES)})\b")
WHOLE = 0.15
"""How often one amount among others is a whole number all the same."""


def in_hundredths(numbers: Mapping[str, int], letters: str) -> dict[str, Number]:
    """The numbers of `letters`, which are hundredths, as amounts: 1250 is 12.50."""
    return {letter: Decimal(numbers[letter]).scaleb(-2) for letter in letters}


def with_fractions(schema: Schema, numbers: Mapping[str, int], rng: Random) -> dict[str, Number]:
    """The amounts of a story that only adds and takes them away, each with something over.

    Empty for a story of anything else, and where the sums no longer come out.
    """
    told = " ".join((*schema.facts, *schema.asks))
    letters = {price or measure for price, measure in _AMOUNT.findall(told)}
    steps = " ".join(schema.steps)
    taken = set(re.findall("[a-e]", steps))
    if not letters or taken - letters or re.search(r"[^a-erp+\- ]", steps):
        return {}
    usual = 2 if "{$" in told else 1
    amounts: dict[str, Number] = {}
    for letter in sorted(letters):
        places = usual if rng.random() < 0.85 else 3 - usual
        over = Decimal(rng.randrange(10**places)).scaleb(-places)
        amounts[letter] = numbers[letter] if rng.random() < WHOLE else numbers[letter] + over
    try:
        _, result = work(schema, {**numbers, **amounts}, rng)
    except ValueError:
        return {}
    return amounts if result > 0 else {}
