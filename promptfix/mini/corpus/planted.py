"""Numbers planted in reading texts: which of them belongs to what has to be read out of any prose.

Made-up stories have few forms, and a small model learns the forms by heart. Here "the shells" of a
real sentence becomes "47 shells", and the question asks for one number, or for two together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from promptfix.mini.corpus.draws import number

_COUNTED = re.compile(
    r"\b(?:the|some|many|these|those|his|her|their|my|our|all|few|several|two|three|four|ten) "
    r"([a-z]{2,}[a-rt-z]s)\b(?! of\b)"
)
_NO_NOUNS = frozenset("always perhaps sometimes besides news times things means ones gods".split())
MOST = 4
"""Numbers in one text."""
_ONE = ("How many {x} are there?", "How many {x} does the text tell of?", "How many {x}?")
_BOTH = ("How many {x} and {y} are there in all?", "How many {x} and {y} are there together?")
_MORE = ("How many more {x} than {y} are there?", "By how many are there more {x} than {y}?")
_FEWER = ("How many fewer {y} than {x} are there?", "What is the difference between {x} and {y}?")


@dataclass(frozen=True)
class Planted:
    """A text with numbers, a question about them, and its worked answer."""

    prompt: str
    solution: str


def nouns(text: str) -> list[str]:
    """The words of a text that a number can be planted before, each once."""
    return [n for n in dict.fromkeys(_COUNTED.findall(text)) if n not in _NO_NOUNS]


def planted(text: str, rng: Random) -> Planted:
    """Plant numbers in a text with at least two of `nouns`, and ask for one or two of them."""
    chosen = rng.sample(nouns(text), min(MOST, len(nouns(text)), rng.choice((2, 2, 3, 4))))
    counts = dict(zip(chosen, _distinct(len(chosen), rng), strict=True))
    told = _COUNTED.sub(lambda found: _with_number(found, counts), text)
    question, solution = _asked(counts, rng)
    first = rng.random() < 0.2
    return Planted(f"{question} {told}" if first else f"{told} {question}", solution)


def _distinct(count: int, rng: Random) -> Sequence[int]:
    values: list[int] = []
    while len(values) < count:
        if (value := number(rng)) not in values:
            values.append(value)
    return values


def _with_number(found: re.Match[str], counts: dict[str, int]) -> str:
    """The number in the place of the determiner; each noun keeps its own all through the text."""
    return f"{counts[found[1]]} {found[1]}" if found[1] in counts else found[0]


def _asked(counts: dict[str, int], rng: Random) -> tuple[str, str]:
    """A question and its answer in mini's form."""
    x, y = rng.sample(sorted(counts), 2)
    if counts[x] < counts[y]:
        x, y = y, x
    a, b = counts[x], counts[y]
    roll = rng.random()
    if roll < 0.4:
        x = rng.choice((x, y))
        return rng.choice(_ONE).format(x=x), f"{x}\nAnswer: {counts[x]}"
    if roll < 0.65:
        asked = rng.choice(_BOTH).format(x=x, y=y)
        return asked, f"{x} and {y}: {a} + {b} = {a + b}\nAnswer: {a + b}"
    forms = rng.choice((_MORE, _FEWER))
    asked = rng.choice(forms).format(x=x, y=y)
    return asked, f"more {x}: {a} - {b} = {a - b}\nAnswer: {a - b}"
