"""Comparisons between people, of which a question needs only those that lead to the known one.

"Ann has 3 fewer figs and 5 more nuts than Bo. Bo has 8 figs. How many figs has Ann?"
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from promptfix.slots.described import Told, lows_of
from promptfix.slots.lemmas import stem
from promptfix.slots.strangers import names
from promptfix.slots.words import Piece, pieces, sentences

_COMPARED = frozenset("more fewer less".split())
_STATES = frozenset(stem(verb) for verb in "have do be own".split())
_INITIALLY = re.compile(r"(?i)\b(?:initially|originally|at first|before)\b")
_SHARING = re.compile(r"(?i)\b(?:than|each|every|per|times|both|together|total|altogether|as)\b")
_GAP = re.compile(r"(?i)how (?:many|much) (?:more|fewer|less)\b")
_LISTED = re.compile(r"(?i)\b(?:than|and)\b")
_JOINT = re.compile(r"(?i)\b(?:together|both|total|altogether)\b")


class _Known(NamedTuple):
    """A number of things that somebody has, or has more or fewer than another."""

    told: Told
    who: str
    than: str
    """Empty for a number that is no comparison."""


def by_chain(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two numbers that lead from the people in the question to what is known."""
    owned = _by_owner(text, asked, noun, told)
    if owned:
        return owned
    people = {name.lower() for name in names(text)}
    known = _known(text, told, people)
    if not noun or not any(one.than for one in known) or _JOINT.search(text):
        return []
    told_of = [one.told for one in known]
    changed = _after_change(text, asked, known, told)
    if changed:
        return changed
    if any(t not in told_of for t in told) and not _INITIALLY.search(asked):
        return []
    wanted = [p.low for p in pieces(asked) if p.low in people]
    if len(wanted) == 1 and _LISTED.search(asked):
        heads = {t.head for t in told if t.head and _says(asked, t)}
        pair = [k.told for k in known if not k.than and k.who == wanted[0] and k.told.head in heads]
        return pair if len(pair) == len({t.head for t in pair}) == 2 else []
    about = [one for one in known if one.told.head == noun[-1]]
    if len(wanted) == 1:
        return _to_value(wanted[0], about)
    return _between(wanted[0], wanted[1], about) if len(wanted) == 2 else []


def _by_owner(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two numbers of the one person that a question names; all others are somebody else's."""
    things = {stem(t.head) for t in told}
    people = {stem(name.lower()) for name in names(text)} - things
    wanted = {stem(p.low) for p in pieces(asked)} & people
    if not noun or len(wanted) != 1 or _GAP.match(asked) or _SHARING.search(text):
        return []
    if any(t.head not in {noun[-1], ""} or len(t.words & people) != 1 for t in told):
        return []
    mine = [t for t in told if t.words & wanted]
    return mine if len(mine) == 2 < len(told) else []


def _after_change(
    text: str, asked: str, known: Sequence[_Known], told: Sequence[Told]
) -> list[Told]:
    """How far two people were apart and what one of them gained or lost since."""
    people = {name.lower() for name in names(text)}
    wanted = [p.low for p in pieces(asked) if p.low in people]
    gaps = [k.told for k in known if k.than and {k.who, k.than} == set(wanted)]
    changes = [t for t in told if t not in [k.told for k in known]]
    if len(told) != 3 or len(wanted) != 2 or len(gaps) != 1 or len(changes) != 1:
        return []
    here = lows_of(sentences(text)[changes[0].sentence].of(text)) & people
    alike = len({t.head for t in told}) == 1 and gaps[0].sentence < changes[0].sentence
    fits = alike and len(here) == 1 and here <= set(wanted) and not _INITIALLY.search(asked)
    return [*gaps, *changes] if fits and _GAP.match(asked) else []


def _says(asked: str, told: Told) -> bool:
    """Whether a question names what a number counts."""
    return told.quantity.noun.split()[-1].lower() in {piece.low for piece in pieces(asked)}


def _to_value(who: str, about: Sequence[_Known]) -> list[Told]:
    """The comparison of somebody with the one whose number is known, and that number."""
    values = {one.who: one for one in about if not one.than}
    pairs = [
        [one.told, values[other].told]
        for one in about
        if one.than and who in (one.who, one.than)
        for other in {one.who, one.than} - {who}
        if other in values
    ]
    return pairs[0] if len(pairs) == 1 and who not in values else []


def _between(one: str, other: str, about: Sequence[_Known]) -> list[Told]:
    """Two comparisons that lead from one to another over a third."""
    links = [(frozenset({k.who, k.than}), k.told) for k in about if k.than]
    mine = [(pair, t) for pair, t in links if one in pair and other not in pair]
    theirs = [(pair, t) for pair, t in links if other in pair and one not in pair]
    met = [[a, b] for left, a in mine for right, b in theirs if left & right]
    return met[0] if len(met) == 1 and len(mine) + len(theirs) == len(links) == 2 else []


def _known(text: str, told: Sequence[Told], people: set[str]) -> list[_Known]:
    """What is said of whom, as far as it is a state and not what happened."""
    every = pieces(text)
    spans = sentences(text)
    found: list[_Known] = []
    for t in told:
        span = spans[t.sentence]
        here = [p for p in every if span.start <= p.start < span.end]
        who = _subject([p for p in here if p.end <= t.quantity.start], people)
        than = _object([p for p in here if p.start >= t.quantity.end], people)
        compared = bool(t.words & _COMPARED)
        if who and _is_state(t, told, people) and bool(than) == compared:
            found.append(_Known(t, who, than))
    return found


def _is_state(told: Told, every: Sequence[Told], people: set[str]) -> bool:
    """Whether a number is of what somebody has; a name may look like a verb: "Fred had"."""
    first = next(t for t in every if t.sentence == told.sentence) == told
    named = first and told.state and told.doing <= {stem(name) for name in people}
    return bool(told.doing & _STATES) or named


def _subject(before: Sequence[Piece], people: set[str]) -> str:
    """The last one named before a number, but for the one behind "than" if it goes on with and."""
    subject = last = ""
    for at, piece in enumerate(before):
        if piece.low in people:
            last = piece.low
            behind_than = at and before[at - 1].low == "than"
            subject = subject if behind_than and subject else last
        elif piece.low == "who":
            subject = last
    return subject


def _object(behind: Sequence[Piece], people: set[str]) -> str:
    """The one named right behind the next "than" that belongs to a number."""
    for at, piece in enumerate(behind[:-1]):
        if piece.low in people and (not at or behind[at - 1].low != "than"):
            return ""
        if piece.low == "than":
            return behind[at + 1].low if behind[at + 1].low in people else ""
    return ""
