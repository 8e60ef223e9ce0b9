"""Clarifying notes inside training prompts, so that the model learns what a note is.

The kinds here are the *trained* ones: what a word is worth, which quantities count and which do
not, what is asked, a list of the quantities, an idle remark. Their wordings share no run of eight
words with any annotation that ships; the other kinds of shipped annotation never occur here
(MODEL_CARD.md, "held out").
"""

from __future__ import annotations

from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.draws import number
from promptfix.mini.corpus.surface import Problem, problem, spin

_FRAMES = ["{t}\n[Note: {n}]"] * 6 + [
    "{t}\n(Note: {n})",
    "{t}\nNote: {n}",
    "{t}\nHint: {n}",
    "{t} ({n})",
    "Note: {n}\n{t}",
    "[{n}] {t}",
    "{t}\n[Remember: {n}]",
    "{n} {t}",
    "{t} {n}",
    "{t}\nP.S. {n}",
]
_IDLE = [
    "This is an easy one.",
    "Take your time.",
    "Our teacher asked this last year.",
    "Please show the sum.",
    "I found this in an old book.",
    "The numbers are made up.",
    "Thank you for your help.",
    "Everybody in the story is kind.",
    "The story is true.",
    "Nobody knows where this happened.",
    "Read it once more before you start.",
    "My friend could not do it.",
]
_SYLLABLES = """
ba be bi bo bu da de di do du fa fe fi fo ga ge gi go ka ke ki ko la le li lo lu ma me mi mo mu
na ne ni no pa pe pi po ra re ri ro sa se si so ta te ti to va ve vi vo za ze zi zo
""".split()
_ENDS = ["", "", "n", "l", "r", "k", "t", "m", "sh", "ck", "st", "x"]
_QUESTIONS = [
    "We want to know: {q}",
    "Here is the question again. {q}",
    "The thing to find out: {p}.",
    "It is about the {p}.",
]
_ABOUT = ["It is about the {p}.", "The thing to find out: {p}.", "Asking for the {p}, that is."]
_COUNTING = ["What counts: {x}.", "You only need {x}.", "It all turns on {x}.", "Of use: {x}."]
_LISTINGS = ["The story tells of {x}.", "In short: {x}.", "Count them: {x}."]
_DEFINITIONS = [
    "by {n} we mean {v} {t}.",
    "{n} stands for {v}.",
    "{v} {t} make a {n}.",
    "the word {n} means {v} {t}.",
    "{n} = {v}",
    "people here say {n} when they mean {v}.",
    "a {n} has {v} {t}.",
    "there are {v} {t} in a {n}.",
    "with {n} they mean {v}.",
    "every {n} counts {v} {t}.",
    "a {n} is {v}.",
    "{n}: {v} {t}.",
]
_UNIT_STORIES = [
    (
        "{N} (bought|has|found|ordered) {n} {unit} of {X}.",
        "How many {X} (is that|does {N} have|are there)?",
        "n*u",
    ),
    (
        (
            "{N} (bought|has|made|picked) (a|one) {unit1} of {X}. "
            "{N} (lost|sold|gave away|used) {b} of them."
        ),
        "How many {X} (are left|does {N} have left)?",
        "u-b",
    ),
    (
        "{N} (bought|has|made|picked) (a|one) {unit1} of {X} and {M} (gave|brought) {b} more.",
        "How many {X} are there( in all| now|)?",
        "u+b",
    ),
    (
        "The (trip|work|game|storm|journey) took {n} {unit}.",
        "How many {part} (is that|did it take)?",
        "n*u",
    ),
    (
        "(A|One) {unit1} of {X} (is|was) shared (equally |)among {k} (friends|children).",
        "How many {X} does each get?",
        "u/k",
    ),
    (
        "There are {n} {unit} of {X} in the {C1} and {b} {Y} on the table.",
        "How many {X} are there?",
        "n*u",
    ),
]
"""Story, question and sum; `u` is what the unit word is worth."""


def place(text: str, note: str, rng: Random) -> str:
    """Put `note` somewhere around `text` in one of the frames a note may have."""
    return rng.choice(_FRAMES).format(t=text, n=note)


def made_up_word(rng: Random) -> str:
    """A pronounceable word that English does not have, most likely."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 3))) + rng.choice(_ENDS)


def annotated(rng: Random) -> tuple[str, Problem]:
    """A problem whose text carries one note, sometimes two.

    Returns the text with the notes, and the problem.
    """
    if rng.random() < 0.42:
        return unit_word(rng)
    item = problem(rng, distract=0.6)
    thing = _asked_thing(item)
    if thing and rng.random() < 0.4:
        return _elliptic(item, thing, rng), item
    text = place(item.text, _remark(item, rng), rng)
    return (place(text, rng.choice(_IDLE), rng) if rng.random() < 0.1 else text), item


def _asked_thing(item: Problem) -> str | None:
    """Which of several counted things a "how many" asks for."""
    things = {thing for _, thing in item.quantities}
    asked = [thing for thing in things if f"ow many {thing} " in item.question]
    return asked[0] if len(things) > 1 and len(asked) == 1 else None


def _elliptic(item: Problem, thing: str, rng: Random) -> str:
    """The problem without the word for what is asked, which only a note tells."""
    text = item.text.replace(f"ow many {thing} ", "ow many ")
    return place(text, rng.choice(_ABOUT).format(p=thing), rng)


def _remark(item: Problem, rng: Random) -> str:
    makers = [_idle, _question]
    if item.unasked:
        makers += [_unasked, _counting] * 2
    if len(item.quantities) > 1:
        makers += [_listing] * 2
    return rng.choice(makers)(item, rng)


def _idle(_item: Problem, rng: Random) -> str:
    return rng.choice(_IDLE)


def _question(item: Problem, rng: Random) -> str:
    return rng.choice(_QUESTIONS).format(q=item.question, p=item.phrase)


def _unasked(item: Problem, rng: Random) -> str:
    value, thing = rng.choice(item.unasked)
    what = f"the {value} {thing}" if thing != "this" else f"the number {value}"
    wordings = (
        f"You can leave out {what}",
        f"{what} (do not|does not) matter here",
        f"{what} can be left aside",
        f"nothing depends on {what}",
    )
    return spin(f"({'|'.join(wordings)}).", rng)


def _counting(item: Problem, rng: Random) -> str:
    used = [
        f"{value} {thing}" for value, thing in item.quantities if (value, thing) not in item.unasked
    ]
    return rng.choice(_COUNTING).format(x=" and ".join(used)) if used else _question(item, rng)


def _listing(item: Problem, rng: Random) -> str:
    counted = ", ".join(f"{value} {thing}" for value, thing in item.quantities)
    return rng.choice(_LISTINGS).format(x=counted)


def unit_word(rng: Random) -> tuple[str, Problem]:
    """A story that counts in a unit word which only the note explains.

    The word is made up, or an odd use of a real one. Returns the text with the note, and the
    problem.
    """
    known = rng.random() < 0.15
    name = rng.choice(words.UNITS)[0] if known else made_up_word(rng)
    story, ask, formula = rng.choice(_UNIT_STORIES)
    value = rng.choice([rng.randint(2, 20), rng.randint(2, 60), number(rng)])
    count, share = rng.randint(2, 9), 1
    if formula == "u/k":
        share = rng.randint(2, 9)
        value = share * rng.randint(1, 12)
    rest = rng.randint(1, max(1, value - 1))
    slots = _slots(name, rng) | {"n": count, "b": rest, "k": share}
    text = f"{spin(story, rng)} {spin(ask, rng)}".format(**slots)
    counted = str(slots["part"] if "{part}" in ask else slots["X"])
    others = ["things", "of them", str(slots["X"]), "pieces"]
    things = counted if "{part}" in ask else rng.choice(others)
    note = _definition(name, value, things, rng)
    sum_, result = {
        "n*u": (f"{count} * {value}", count * value),
        "u-b": (f"{value} - {rest}", value - rest),
        "u+b": (f"{value} + {rest}", value + rest),
        "u/k": (f"{value} / {share}", value // share),
    }[formula]
    phrase = counted + {"u-b": " left", "u/k": " each"}.get(formula, "")
    steps = (f"{sum_} = {result}",)
    item = Problem(text, "", steps, phrase, str(result), "unit-word", ((value, name),))
    return place(text, note, rng), item


def _slots(name: str, rng: Random) -> dict[str, str | int]:
    """People and things for a story that counts in `name`."""
    people = rng.sample(words.FEMALE + words.MALE, 2)
    first, second = rng.choice(words.THINGS), rng.choice(words.rare_nouns())
    return {
        "N": people[0],
        "M": people[1],
        "X": words.plural(first),
        "Y": words.plural(second),
        "unit": rng.choice([words.plural(name), name]),
        "unit1": name,
        "part": rng.choice(["days", "hours", "minutes"]),
        "C1": rng.choice(words.CONTAINERS),
    }


def _definition(name: str, value: int, things: str, rng: Random) -> str:
    shown = words.spell(value) if rng.random() < 0.1 else str(value)
    return rng.choice(_DEFINITIONS).format(n=name, v=shown, t=things)
