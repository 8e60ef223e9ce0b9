"""Problems that turn on a few words; mini never trains on them.

On multiples ("thrice"), fractions ("a tenth of"), parts that everybody is taken to know of (the
legs of a spider), Roman numerals, held-out stories with a number in words, comparisons ("8 more
than Ada", most said the wrong way round for the question), differences ("how many more than") and
rare verbs that make a number larger or smaller ("jettisoned").
Some of the words mini knows well ("twice", "a third of"), others it does not; in some problems on
parts and numerals these play no part. For mining and measuring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from promptfix.mini.corpus.stories import HELD_OUT
from promptfix.mini.corpus.surface import problem
from promptfix.mini.wordings import Wording, wordings
from promptfix.slots.words import SMALL, TENS

_TIMES = {
    "as-many": (("twice", 2), ("thrice", 3)),
    "number": (("double", 2), ("triple", 3), ("treble", 3), ("quadruple", 4)),
    "grew": (("doubled", 2), ("tripled", 3), ("quadrupled", 4)),
    "fold": (("twofold", 2), ("threefold", 3), ("fivefold", 5)),
}
"""Form of a story -> the words that fit it, and what they multiply by."""
_SHARES = (
    ("half of", 2),
    ("a third of", 3),
    ("one third of", 3),
    ("a quarter of", 4),
    ("one fourth of", 4),
    ("a fifth of", 5),
    ("one sixth of", 6),
    ("an eighth of", 8),
    ("a tenth of", 10),
    ("one tenth of", 10),
    ("a twelfth of", 12),
    ("a twentieth of", 20),
)
_PARTS = (
    ("spiders", "legs", 8),
    ("beetles", "legs", 6),
    ("ants", "legs", 6),
    ("crabs", "legs", 10),
    ("octopuses", "arms", 8),
    ("dogs", "legs", 4),
    ("hens", "legs", 2),
    ("cows", "legs", 4),
    ("cars", "wheels", 4),
    ("tricycles", "wheels", 3),
    ("bicycles", "wheels", 2),
    ("violins", "strings", 4),
    ("guitars", "strings", 6),
    ("triangles", "sides", 3),
    ("squares", "sides", 4),
    ("pentagons", "sides", 5),
    ("octagons", "sides", 8),
    ("baseball teams", "players", 9),
)
_GAINED = """
accrued accumulated amassed annexed cadged commandeered confiscated filched garnered gleaned
impounded imported pilfered procured purloined reaped recouped requisitioned retrieved salvaged
scrounged snared stockpiled wangled
""".split()
_LOST = """
auctioned banished bartered bequeathed bestowed ceded culled demolished disbursed dismantled
dispensed dumped expended exported forfeited incinerated jettisoned liquidated mislaid offloaded
pawned peddled razed relinquished renounced scrapped scuttled squandered surrendered vended
""".split()
"""Verbs that few texts for children have, by what they do to the number of things one has."""
_IDLE = 0.2
"""Share of the problems that begin with a sentence that plays no part."""
_ROMAN = (("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1))
_NUMBER = re.compile(r"(?<![\d.,$/])\d+(?![\d.,%/-])")


def word_problems(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Problems of all kinds: rows with `id`, `question`, `answer`, `group` and `kind`.

    And `needed`: whether the answer turns on the word.
    """
    rng = Random(seed)
    kinds = list(KINDS)
    for n in range(count):
        kind = kinds[n % len(kinds)]
        yield {"id": f"word-{seed}-{n}", **KINDS[kind](rng), "kind": kind}


def operation_problems(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Problems of one step whose operation has to be understood, not said in so many words.

    Shares and equal groups, and wholes of which one part is told. Rows as of `word_problems`.
    """
    rng = Random(seed)
    for n in range(count):
        story = rng.choice([w for name in ("shares", "products", "wholes") for w in wordings(name)])
        b = rng.randint(2, 12)
        k = b * rng.randint(2, 24)
        row = _compared(rng, story, k=k, b=b, c=rng.randint(2, 40))
        yield {"id": f"operation-{seed}-{n}", **row, "kind": "wrong-steps"}


def change_problems(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Problems of one step with a rare verb, which alone tells whether it adds or takes away.

    Rows as of `word_problems`; their group is the verb.
    """
    rng = Random(seed)
    for n in range(count):
        story = rng.choice(wordings("changes"))
        gained = rng.random() < 0.5
        verb = rng.choice(_GAINED if gained else _LOST)
        k, b = rng.randint(20, 90), rng.randint(2, 18)
        numbers = {"k": k, "b": b, "s": b if gained else -b, "c": rng.randint(2, 40)}
        told = story.tell(rng, idle=_IDLE, v=verb, **numbers)
        row = {"question": told, "answer": story.answer(**numbers), "group": verb, "needed": True}
        yield {"id": f"change-{seed}-{n}", **row, "kind": "change-direction"}


def _row(question: str, story: Wording, word: str, **numbers: int) -> dict[str, Any]:
    """`word` is the letter of the formula that stands for it."""
    row = {"question": question, "answer": story.answer(**numbers), "group": story.group}
    return row | {"needed": word in story.formula}


def _multiple(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("multiples"))
    word, times = rng.choice(_TIMES[story.form])
    k = rng.randint(2, 40)
    told = story.tell(rng, idle=_IDLE, k=k, w=word)
    return _row(told, story, "w", k=k, w=times)


def _fraction(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("fractions"))
    word, share = rng.choice(_SHARES)
    k = share * rng.randint(2, 12)
    told = story.tell(rng, idle=_IDLE, k=k, w=word, W=word[0].upper() + word[1:])
    return _row(told, story, "w", k=k, w=share)


def _part(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("parts"))
    things, part, each = rng.choice(_PARTS)
    k = rng.randint(3, 14)
    b = rng.randint(2, min(9, k - 1))
    told = story.tell(rng, idle=_IDLE, k=k, b=b, t=k * each, Y=things, p=part)
    return _row(told, story, "e", k=k, b=b, t=k * each, e=each)


def _roman(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("roman"))
    value = rng.choice([n for n in range(3, 30) if len(roman(n)) > 1])
    k, b = rng.randint(value + 1, 60), rng.randint(2, value - 1)
    told = story.tell(rng, idle=_IDLE, k=k, b=b, r=roman(value))
    return _row(told, story, "r", k=k, b=b, r=value)


def _comparison(rng: Random) -> dict[str, Any]:
    story = rng.choice(wordings("comparisons"))
    if story.form == "times":
        b = rng.randint(2, 6)
        k = b * rng.randint(2, 12)
    else:
        k = rng.randint(12, 60)
        b = rng.randint(2, k - 2)
    return _compared(rng, story, k=k, b=b, c=rng.randint(2, 40))


def _difference(rng: Random) -> dict[str, Any]:
    k = rng.randint(8, 60)
    numbers = {"k": k, "b": rng.randint(2, k - 2), "c": rng.randint(2, 40)}
    return _compared(rng, rng.choice(wordings("differences")), **numbers)


def _compared(rng: Random, story: Wording, **numbers: int) -> dict[str, Any]:
    told = story.tell(rng, idle=_IDLE, **numbers)
    row = {"question": told, "answer": story.answer(**numbers), "group": story.group}
    return row | {"needed": True}


def _spelled(rng: Random) -> dict[str, Any]:
    """A held-out story with one of its numbers in words."""
    while True:
        item = problem(rng, rng.choice(HELD_OUT))
        found = [m for m in _NUMBER.finditer(item.text) if 3 <= int(m[0]) <= 99]
        if found:
            one = rng.choice(found)
            text = f"{item.text[: one.start()]}{spelled(int(one[0]))}{item.text[one.end() :]}"
            capitals = re.sub(r"(?:^|[.?!] )[a-z]", lambda m: m[0].upper(), text)
            row = {"question": capitals, "answer": item.answer, "group": f"story {item.schema}"}
            return row | {"needed": True}


KINDS: Mapping[str, Callable[[Random], dict[str, Any]]] = {
    "unknown-multiple": _multiple,
    "unknown-fraction": _fraction,
    "unstated-number": _part,
    "roman-numeral": _roman,
    "spelled-number": _spelled,
    "reversed-comparison": _comparison,
    "difference-asked": _difference,
}
"""Kind of misunderstanding -> how a problem of it is drawn."""


def roman(number: int) -> str:
    """A number below 40 as the Romans wrote it."""
    made = ""
    for letters, value in _ROMAN:
        times, number = divmod(number, value)
        made += letters * times
    return made


def spelled(number: int) -> str:
    """A number below 100 in words."""
    if number < len(SMALL):
        return SMALL[number]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f"-{SMALL[ones]}" if ones else "")
