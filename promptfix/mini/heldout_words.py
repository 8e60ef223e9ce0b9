"""Problems that turn on a word for a number; mini never trains on them.

On multiples ("thrice"), fractions ("a tenth of"), parts that everybody is taken to know of (the
legs of a spider), Roman numerals, and held-out stories with a number in words. Some of the words
mini knows well ("twice", "a third of"), others it does not. For mining and measuring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.stories import HELD_OUT
from promptfix.mini.corpus.surface import problem, spin
from promptfix.slots.words import SMALL, TENS

_AS_MANY = [
    "{N} has {k} {X}. {M} has {w} as many {X}. How many {X} does {M} have?",
    (
        "{N} (sold|picked|found|counted) {k} {X}, and {M} {w} as many. "
        "How many {X} (was that|did {M} get)?"
    ),
    (
        "Last year there were {k} {X} (in the hall|at the fair). This year there are {w} as many. "
        "How many {X} are there this year?"
    ),
]
_THE_NUMBER = [
    "{N} has {k} {X} and {M} has {w} (the|that) number. How many {X} does {M} have?",
    (
        "(The school|A shop|{N}) ordered {k} {X} in May and {w} that number in June. "
        "How many {X} were ordered in June?"
    ),
    "{N} had {k} {X} and wants to {w} the number. How many {X} will {N} have then?",
]
_GREW = [
    (
        "There were {k} {X} (in the store|on the farm). By summer the number had {w}. "
        "How many {X} were there (then|by summer)?"
    ),
    (
        "{N} sold {k} {X} in the first week. In the second week the number {w}. "
        "How many {X} did {N} sell in the second week?"
    ),
]
_FOLD = [
    "{N} had {k} {X}. In a year the number grew {w}. How many {X} were there then?",
    (
        "The (club|museum|shop) sold {k} {X} in May. In June the sale rose {w}. "
        "How many {X} did it sell in June?"
    ),
]
_MULTIPLES = (
    [(w, n, _AS_MANY) for w, n in (("twice", 2), ("twice", 2), ("thrice", 3), ("thrice", 3))]
    + [
        (w, n, _THE_NUMBER)
        for w, n in (("double", 2), ("triple", 3), ("treble", 3), ("quadruple", 4))
    ]
    + [(w, n, _GREW) for w, n in (("doubled", 2), ("tripled", 3), ("quadrupled", 4))]
    + [(w, n, _FOLD) for w, n in (("twofold", 2), ("threefold", 3), ("fivefold", 5))]
)
_OF_THEM = [
    "{N} has {k} {X}. {W} the {X} are (red|old|broken). How many {X} are that?",
    "{N} had {k} {X} and gave {w} them to {M}. How many {X} did {M} get?",
    "{N} (picked|found|bought) {k} {X}. {M} took {w} the {X}. How many {X} did {M} take?",
    "Of {k} {X} in the (hall|yard|store) {w} them are sold. How many {X} are sold?",
    "There were {k} {X} (on the shelf|in the box). {N} used {w} the {X}. How many were used?",
]
_FRACTIONS = [
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
]
_PARTS_OF = [
    "How many {p} do {k} {Y} have?",
    "{N} (sees|draws|counts|has) {k} {Y}. How many {p} (are there|are that|do they have)?",
    "There are {k} {Y} (in the picture|at the show|in the book). How many {p} are there (in all|)?",
]
_MORE_PARTS = "{N} drew {k} {Y} on Monday and {b} {Y} on Tuesday. How many {p} did {N} draw in all?"
_PARTS = [
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
]
_NUMBERED = [
    (
        "{N} has read chapter {r} of a book of {k} chapters. How many chapters (are left|follow)?",
        "k-r",
    ),
    ("{N} has solved {r} of {k} riddles. How many riddles are left?", "k-r"),
    (
        (
            "(A|The) play has {r} acts in the first part and {k} in the second. "
            "How many acts is that?"
        ),
        "k+r",
    ),
    ("{N} is at lesson {r}. In {k} more lessons the course ends. How many lessons has it?", "k+r"),
    ("{N} has {r} {X} and buys {k} more. How many {X} does {N} have?", "k+r"),
    ("Pharaoh {N} {r} has {k} {X} and gives {b} of them away. How many {X} are left?", "k-b"),
    ("Pope {N} {r} had {k} {X} and bought {b} more. How many {X} were there then?", "k+b"),
    ("In part {r} of the film there are {k} {X} and {b} horses. How many is that?", "k+b"),
    (
        "Volume {r} of the tales has {k} pages. {N} has read {b} pages. How many pages are left?",
        "k-b",
    ),
]
"""Story and sum; in some the numeral, `r`, plays no part."""
_IDLE = ["{M} is {b} years old.", "It was a cold day.", "{M} lives {b} miles away."]
"""Sentences that play no part."""
_ROMAN = (("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1))
_NUMBER = re.compile(r"(?<![\d.,$/])\d+(?![\d.,%/])")


def word_problems(count: int, seed: int) -> Iterator[dict[str, str]]:
    """Problems of all five kinds, as rows with `id`, `question`, `answer` and `kind`."""
    rng = Random(seed)
    kinds = list(KINDS)
    for n in range(count):
        kind = kinds[n % len(kinds)]
        question, answer = KINDS[kind](rng)
        yield {"id": f"word-{seed}-{n}", "question": question, "answer": answer, "kind": kind}


def _multiple(rng: Random) -> tuple[str, str]:
    word, times, stories = rng.choice(_MULTIPLES)
    k = rng.randint(2, 40)
    return _told(rng.choice(stories), rng, k=k, w=word), str(k * times)


def _fraction(rng: Random) -> tuple[str, str]:
    word, share = rng.choice(_FRACTIONS)
    part = rng.randint(2, 12)
    capital = word[0].upper() + word[1:]
    return _told(rng.choice(_OF_THEM), rng, k=part * share, w=word, W=capital), str(part)


def _part(rng: Random) -> tuple[str, str]:
    things, part, each = rng.choice(_PARTS)
    k, b = rng.randint(2, 12), rng.randint(2, 9)
    if rng.random() < 0.2:
        return _told(_MORE_PARTS, rng, k=k, b=b, Y=things, p=part), str((k + b) * each)
    return _told(rng.choice(_PARTS_OF), rng, k=k, Y=things, p=part), str(k * each)


def _roman(rng: Random) -> tuple[str, str]:
    story, formula = rng.choice(_NUMBERED)
    value = rng.choice([n for n in range(2, 30) if len(roman(n)) > 1])
    k, b = rng.randint(value + 1, 60), rng.randint(2, value)
    other = value if formula.endswith("r") else b
    answer = k - other if formula.startswith("k-") else k + other
    return _told(story, rng, k=k, b=b, r=roman(value)), str(answer)


def _spelled(rng: Random) -> tuple[str, str]:
    """A held-out story with one of its numbers in words."""
    while True:
        item = problem(rng, rng.choice(HELD_OUT))
        found = [m for m in _NUMBER.finditer(item.text) if 3 <= int(m[0]) <= 99]
        if found:
            one = rng.choice(found)
            text = f"{item.text[: one.start()]}{spelled(int(one[0]))}{item.text[one.end() :]}"
            return re.sub(r"(?:^|[.?!] )[a-z]", lambda m: m[0].upper(), text), item.answer


KINDS: Mapping[str, Callable[[Random], tuple[str, str]]] = {
    "unknown-multiple": _multiple,
    "unknown-fraction": _fraction,
    "unstated-number": _part,
    "roman-numeral": _roman,
    "spelled-number": _spelled,
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


def _told(story: str, rng: Random, **slots: object) -> str:
    one, other = rng.sample(words.FEMALE + words.MALE, 2)
    things = words.plural(rng.choice(words.THINGS))
    told = spin(story, rng).format(**{"N": one, "M": other, "X": things, **slots})
    idle = rng.choice(_IDLE).format(M=other, b=rng.randint(3, 40)) if rng.random() < 0.2 else ""
    return " ".join(f"{idle} {told}".replace(" ?", "?").split())
