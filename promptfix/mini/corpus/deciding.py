"""Notes that decide: how many steps a problem takes, of which kind, over which numbers.

A note that only repeats what the text says is passed over by a model that can do without it. These
say what the text leaves open to a small reader. In part of the problems the question is left out,
so that nothing but the note tells what to do; in others the note says something else than the text
does, and is to be followed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from promptfix.mini.corpus.draws import worked_out
from promptfix.mini.corpus.notes import place
from promptfix.mini.corpus.surface import Problem, problem, spin

_NUMBER = re.compile(r"(?<![\d.,/:$])\d{1,4}(?![\d.,/:%])")
_SIGN = re.compile(r"\d ?([-+*/]) ?\d")
_STEPS = {
    1: (
        "A single step (will do|is enough here|is all).",
        "You need (just |only |)one step.",
        "(Number of steps|Steps): 1",
        "Do (only |)one thing with the numbers.",
        "Calculate (only |just |)once.",
        "1 step",
    ),
    2: (
        "(Two steps are needed|It takes two steps|You need two steps|This takes 2 steps).",
        "(Number of steps|Steps): 2",
        "First one step, then another.",
        "Calculate twice.",
        "2 steps",
    ),
    3: (
        "(Three steps are needed|It takes three steps|You need 3 steps).",
        "(Number of steps|Steps): 3",
        "3 steps",
    ),
}
_KINDS = {
    "+": (
        "(Put|Take) (them|the two) together.",
        "Add (up|here|the numbers).",
        "We want (a|the) total.",
        "How much in all, that is (asked|meant).",
        "It is a matter of adding.",
        "Plus",
    ),
    "-": (
        "Take one from the other.",
        "Subtract (here|the smaller|one from the other).",
        "We want (a|the) difference.",
        "How far apart they are, that is (asked|meant).",
        "It is a matter of (taking away|subtracting).",
        "Minus",
    ),
    "*": (
        "Multiply (here|them|the numbers).",
        "So many times so much.",
        "We want (a|the) product.",
        "It is a matter of multiplying.",
        "Times",
    ),
    "/": (
        "Divide (here|one by the other).",
        "Share it out evenly.",
        "We want (a|the) (share|quotient).",
        "It is a matter of dividing.",
        "Divided by",
    ),
}
_NOUNS = {
    "+": ("a sum", "a total", "adding", "putting together"),
    "-": ("a difference", "subtracting", "taking away"),
    "*": ("a product", "multiplying"),
    "/": ("a quotient", "a share", "dividing", "sharing out"),
}
_BOTH = (
    "(Begin|Start) with {x}(,|;|) and end with {y}.",
    "{x} (comes|stands) first, {y} (after that|comes next).",
    "{x} first, and then {y}",
    "(In two steps|Two steps): {x}, {y}",
)
"""Both of two steps, by their kinds."""
_FIRST = (
    "(Begin|Start) with {a} and {b}(, {c} comes (later|after that)| and take {c} after that|).",
    "First (take |)the {a} and the {b}, then the {c}.",
    "{a} with {b}(,|;) and what comes out with {c}.",
    "{a} and {b} (come|go) first, {c} (last|comes second).",
)
"""Both of two steps, by their numbers."""
_NUMBERS = (
    "(Work with|Take|Use|All you need is|Everything depends on) {a} and {b}.",
    "{a} and {b}",
    "(Nothing but|No more than|Just use) {a} and {b}.",
    "{a} and {b} (are|is) all (it takes|there is to it).",
)
_BARE = (
    "How many?",
    "How many is that?",
    "What comes out?",
    "What is the answer?",
    "Work it out.",
    "How much is it?",
)
_MEANT = {
    "+": (
        "{a} and {b} (together|added up|put together) (are|is) (meant|wanted).",
        "Add {a} and {b}.",
        "{a} plus {b}, please.",
        "The total of {a} and {b}, that is.",
    ),
    "-": (
        "(Take|Subtract) {b} from {a}.",
        "What is {a} less {b}, that is (meant|wanted).",
        "{a} minus {b}, please.",
        "How far apart are {a} and {b}, that is.",
    ),
    "*": ("{a} times {b}, please.", "Multiply {a} (by|with) {b}.", "{a} groups of {b} are meant."),
    "/": ("Divide {a} by {b}.", "Share {a} among {b}.", "{a} over {b}, please."),
}
UNDECIDED = 0.25
"""How often the question is left out."""
OVERRULED = 0.4
"""How often a note says something else than the text, where it can."""


def decided(rng: Random) -> tuple[str, Problem]:
    """A problem with a note that decides; returns the text with the note, and the problem."""
    item = problem(rng, distract=0.6)
    story = item.text.replace(item.question, "").strip()
    given = sorted({int(number) for number in _NUMBER.findall(story)})
    roll = rng.random()
    if roll < UNDECIDED and len(given) > 1 and story != item.text:
        return _undecided(story, given, rng)
    if roll > 1 - OVERRULED and (overruled := _overruled(item, rng)):
        return overruled
    note = hint(item.steps, rng)
    return (place(item.text, note, rng) if note else item.text), item


def hint(sums: Sequence[str], rng: Random) -> str | None:
    """What is to be done, without its result; None for a problem that needs no sum."""
    signs = [_SIGN.findall(one) for one in sums]
    if not sums or len(sums) not in _STEPS:
        return None
    told = [_said(_STEPS[len(sums)], rng)]
    if all(len(each) == 1 for each in signs):
        kinds = [each[0] for each in signs]
        said = [_said(_KINDS[kind], rng) for kind in kinds]
        told.append(said[0] if len(said) == 1 else f"first: {said[0]} then: {said[1]}")
        if len(sums) == 2:
            x, y = (rng.choice(_NOUNS[kind]) for kind in kinds)
            told += [_said(_BOTH, rng).format(x=x, y=y)]
            told += _in_order(sums, rng)
        if len(sums) == 1:
            a, b = re.findall(r"\d+(?:\.\d+)?", sums[0])[:2]
            told += [_said(_NUMBERS, rng).format(a=a, b=b)]
            told += [f"{told[1]} {told[2]}"]
    return rng.choice(told)


def _in_order(sums: Sequence[str], rng: Random) -> list[str]:
    """A note on which numbers come first, of two sums the second of which takes up the first."""
    first, second = (re.findall(r"\d+(?:\.\d+)?", one) for one in sums)
    if len(first) != 3 or first[2] not in second[:2]:
        return []
    (c,) = [number for number in second[:2] if number != first[2]] or [first[2]]
    return [_said(_FIRST, rng).format(a=first[0], b=first[1], c=c)]


def _overruled(item: Problem, rng: Random) -> tuple[str, Problem] | None:
    """A problem of one sum whose note asks for another one; None where it cannot be made.

    With two numbers it says what to do with them, with more which two to take.
    """
    given = sorted({int(number) for number in _NUMBER.findall(item.text)})
    signs = _SIGN.findall(" ".join(item.steps))
    if len(item.steps) != 1 or len(signs) != 1 or len(given) < 2:
        return None
    told = [int(number) for number in re.findall(r"\d+", item.steps[0])[:2]]
    if not set(told) <= set(given):
        return None  # an amount with decimals, or a number in words
    if len(set(re.findall(r"\d+", item.text))) == 2:
        sign = rng.choice([kind for kind in "+-*/" if _fits(kind, given)])
        return _told_to(item, sign, given, _said(_KINDS[sign], rng), rng)
    pair = rng.sample(given, 2)
    if not _fits(signs[0], pair):
        return None
    a, b = _order(signs[0], pair, rng)
    note = _said(_NUMBERS, rng).format(a=a, b=b)
    if rng.random() < 0.2:
        note = f"{note} {_said(_KINDS[signs[0]], rng)}"
    return _told_to(item, signs[0], (a, b), note, rng)


def _fits(sign: str, pair: Sequence[int]) -> bool:
    """Whether the sum comes out, and is not too large to be worked out."""
    small, large = sorted(pair)
    if sign == "/":
        return small > 0 and large % small == 0
    return sign != "*" or small * large <= 5000


def _order(sign: str, pair: Sequence[int], rng: Random) -> tuple[int, int]:
    small, large = sorted(pair)
    swapped = sign in "+*" and rng.random() < 0.5
    return (small, large) if swapped else (large, small)


def _told_to(
    item: Problem, sign: str, pair: Sequence[int], note: str, rng: Random
) -> tuple[str, Problem]:
    """The problem with the note, answered as the note says."""
    a, b = _order(sign, pair, rng)
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
    steps = tuple(worked_out(f"{a} {sign} {b}", result))
    made = replace(item, steps=steps, answer=str(result), schema="overruled")
    return place(item.text, note, rng), made


def _undecided(story: str, given: Sequence[int], rng: Random) -> tuple[str, Problem]:
    """A story without its question: a note says which of its numbers to take, and how."""
    a, b = rng.sample(given, 2)
    sign = rng.choice("++---*/")
    if sign in "-/":
        a, b = max(a, b), min(a, b)
    if (sign == "/" and (b == 0 or a % b)) or (sign == "*" and a * b > 5000):
        sign, a, b = "-", max(a, b), min(a, b)
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[sign]
    text = f"{story} {rng.choice(_BARE)}"
    note = _said(_MEANT[sign], rng).format(a=a, b=b)
    made = Problem(
        text, "", (f"{a} {sign} {b} = {result}",), "the answer", str(result), "undecided"
    )
    return place(text, note, rng), made


def _said(wordings: Sequence[str], rng: Random) -> str:
    """One of several wordings, half of the time without its capital."""
    said = spin(rng.choice(wordings), rng)
    return said if rng.random() < 0.5 else said[:1].lower() + said[1:]
