"""Told stories about other things: a story's count nouns are replaced, each one throughout.

A concrete story that is drawn hundreds of times is learnt by heart, words and sums together. With
"lemons" or "lanterns" where its cookies stood, only how it is told says what to compute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.schemas import Schema

_COUNTED = re.compile(r"(?:\{\$?[a-z]\}|[Hh]ow many|of the)((?: [a-z]+){1,3})")
_KEPT = frozenset(
    """
    days hours minutes seconds weeks months years cents dollars inches feet miles meters yards
    pounds ounces gallons cups pints quarts liters kilometers centimeters degrees points times pages
    pairs dozens people does
    """.split()
)
"""Units, what else only makes sense as itself, and a verb that looks like deer."""
_HYPERNYMS = re.compile(
    r"\b(?:animals|pets|birds|fish|insects|fruits?|vegetables|flowers|plants|trees|toys|coins|drinks"
    r"|desserts|sweets|treats|snacks|vehicles|instruments|tools|utensils|clothes|cutlery|furniture"
    r"|shapes|items|dishes|legs|wheels|wings|strings|baked goods)\b"
)
"""Words for several kinds of things at once: a lantern and a lemon are no animals."""
EACH = 0.75
"""How often a noun that could be replaced is."""


@cache
def _nouns() -> Mapping[str, str]:
    """Plural -> singular."""
    return {words.plural(noun): noun for noun in (*words.rare_nouns(), *words.THINGS)}


@cache
def counted(schema: Schema) -> tuple[str, ...]:
    """The plural nouns that a schema's own words count, each once."""
    told = " ".join((*schema.facts, *schema.asks))
    found: dict[str, None] = {}
    for behind in _COUNTED.findall(told):
        known = (word for word in behind.split() if word in _nouns() or word in _KEPT)
        if (first := next(known, None)) and first not in _KEPT:
            found[first] = None
    return tuple(found)


def swapped(schema: Schema, rng: Random) -> Schema:
    """Tell `schema` of other things; one that counts no things in its own words stays as it is."""
    told = " ".join((*schema.facts, *schema.asks))
    if _HYPERNYMS.search(" ".join((*schema.asks, schema.phrase))):
        return schema
    names: dict[str, str] = {}
    for several in counted(schema):
        other = rng.choice(words.THINGS if rng.random() < 0.7 else words.rare_nouns())
        if rng.random() < EACH and words.plural(other) not in told and other not in names.values():
            names |= {several: words.plural(other), _nouns()[several]: other}
    if not names:
        return schema
    either = "|".join(sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(\b[Aa]n? )?(?<![{{$'-])\b({either})\b(?!')")

    def told_so(text: str) -> str:
        return pattern.sub(lambda m: _article(m[1], names[m[2]]) + names[m[2]], text)

    return replace(
        schema,
        facts=tuple(map(told_so, schema.facts)),
        asks=tuple(map(told_so, schema.asks)),
        phrase=told_so(schema.phrase),
    )


def _article(before: str | None, noun: str) -> str:
    """`a ` or `an ` where one stood, as the noun behind it wants it."""
    if before is None:
        return ""
    return before[0] + ("n " if noun[0] in "aeiou" else " ")
