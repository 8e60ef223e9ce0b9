"""The stories of held-out problems that turn on one word: `wordings/*.txt`, one a line.

A line is form, formula and story, with tabs between. `(one|other)` offers wordings. They are many
because they are what the mined data is split by: rules learn from some and are tried on others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.formulas import formula
from promptfix.mini.corpus.surface import spin

_IDLE = ["{M} is {b} years old.", "It was a cold day.", "{M} lives {b} miles away."]
"""Sentences that play no part."""


@dataclass(frozen=True)
class Wording:
    """A story with slots in braces."""

    group: str
    """Its name: problems that are told by it are variants of each other."""
    form: str
    """Which words fit it; "-" if all of its file do."""
    formula: str
    story: str

    def tell(self, rng: Random, *, idle: float = 0.0, **slots: object) -> str:
        """The story of two people and some things; `idle` is how often one idle sentence leads."""
        one, other = rng.sample(words.FEMALE + words.MALE, 2)
        things = words.plural(rng.choice(words.THINGS))
        told = spin(self.story, rng).format(**{"N": one, "M": other, "X": things, **slots})
        if rng.random() < idle:
            told = f"{rng.choice(_IDLE).format(M=other, b=rng.randint(3, 40))} {told}"
        return " ".join(told.replace(" ?", "?").replace(" .", ".").split())

    def answer(self, **numbers: int) -> str:
        """What the formula comes to."""
        return reckon(self.formula, numbers)


def reckon(text: str, numbers: Mapping[str, int]) -> str:
    """What a formula comes to. Raises ValueError if that is no whole number."""
    value = formula(text)(numbers, Random(0))
    if value != int(value):
        raise ValueError(f"{text} comes to {value} with {numbers}")
    return str(int(value))


@cache
def wordings(name: str) -> tuple[Wording, ...]:
    """The stories of one file, in its order."""
    folder = resources.files("promptfix.mini").joinpath("wordings")
    lines = folder.joinpath(f"{name}.txt").read_text("utf-8").splitlines()
    return tuple(Wording(f"{name} {n}", *line.split("\t")) for n, line in enumerate(lines, 1))
