"""Sums and differences by the part that each of two numbers plays in a story.

A number says how many there were at first, how many there are in the end, or how many came or went;
or it is a side of a comparison, a part, a whole or a goal. Two such parts and what is asked for
leave one operation. Where a verb of change goes with no number, nothing is said.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from promptfix.formats import Tables
from promptfix.slots.changes import (
    STORED,
    TWO_SIDED,
    adds_on_top,
    is_elsewhere,
    is_object,
    is_part,
    is_received,
    is_taker,
)
from promptfix.slots.described import KIN, Told, describe, verbal
from promptfix.slots.lemmas import bases, stem
from promptfix.slots.sums import asks_elsewhere, is_other_part
from promptfix.slots.words import AUXILIARY, Piece, pieces, quantities, sentence_at, value

_HIDDEN = re.compile(
    r"(?i)\b(?:each|every|per|apiece|as many|as much|times|twice|half|halves|double[ds]?|third"
    r"|quarter|percent|dozens?|pairs?|average|another|none|all of|equal\w*|divid\w*|split|except"
    r"|not|n't|never|yet|about \d+|discount|again|back|used to"
    r"|an? (?:second|minute|hour|day|week|month|year)|if \w+ (?:all|gives? all))\b|%|\d/\d"
)
"""Words that hide a number, bring in another step or leave open what happened."""
_THAN = re.compile(r"(?i)\bthan\b|\b(?:fewer|less)\b|\bmore\b[^.?!]*\bthat\b")
_UNTOLD = re.compile(r"(?i)\b(?:some|several|others?|the rest|a few|a number of|many|a lot)\b")
_FIRST = re.compile(r"(?i)\b(?:initially|originally|at first|earlier|at the start|to begin with)\b")
_END = re.compile(r"(?i)\b(?:left|now|remain\w*|still|currently|ends? up)\b|^\W*then\b")
_BEFORE_ASKED = re.compile(
    r"(?i)\b(?:at first|originally|initially|to start|to begin|in the beginning|at the start"
    r"|at the beginning|start(?:ed)? with|begin with|began with|before)\b"
)
_LEFT_ASKED = re.compile(r"(?i)\b(?:left|remain\w*|still ha\w+)\b")
_AFTER_ASKED = re.compile(
    r"(?i)^how (?:many|much|long|tall|heavy)\b(?=[^?]*(?:\b(?:have|has|left|remain\w*|now|weigh)\b"
    r"|\b(?:are|were) (?:there|in|on|at|sitting|swimming)\b|\bends? (?:up )?with\b))"
    r"(?![^?]*\b(?:more|fewer|less|than|first|before|began|start\w*|begin\w*|ago|last)\b)"
)
_ALL = re.compile(r"(?i)\b(?:total|altogether|all together|in all|together|combined)\b")
_CUT = re.compile(r"(?i)[,;:]|\b(?:and|but|while|if|when|then|so|after|before)\b")
_STATES = frozenset("be have own start begin weigh hold contain".split())
_GIVES = frozenset("give send lend hand mail share return pay bequeath".split())
_PRONOUNS = frozenset("he she they it i you we".split())
_BY_FIRST = frozenset("buy make bake pick collect find get receive grow gather raise".split())
_COMING = frozenset(("join", "come", "arrive", "enter", "land", "add"))
_SAME_FORM = frozenset("cut put shed starts weighs owns holds contains".split())
_HELP = AUXILIARY | {"also", "then", "only", "just", "already"}
_PLAIN = frozenset("away out all another about over exactly the $".split())
_DULL = frozenset("the a an his her their its my our of there than to in on at for and or".split())
_TO = re.compile(r"[^.,;?!]*?\bto\s+(?:(?i:my|his|her|their|the)\s+)?(\w+)")
_UP = frozenset("on up in into onto".split())
_OFF = frozenset("off out away".split())
_MOVES = frozenset("get fly climb hop jump walk run swim go".split())
_MONEY = frozenset("dollar cent".split())
_BOTH_KINDS = frozenset(
    """
    person people animal bird pet insect fish flower fruit vegetable coin vehicle toy child student
    pupil
    """.split()
)
"""Words for things of several kinds."""
_NEEDED = re.compile(
    r"(?i)^how (?:many|much)\b[^?,]*?\b(?:needs?|has|have|must)(?: to)? \w+(?: \w+){0,4}?"
    r" (?:to|so that \w+ (?:will|would|can)|so \w+ (?:will|would|can)|before \w+)"
    r" (?:have|has|reach|get|own|be)\b"
)
_BIGGER = re.compile(
    r"(?i)^how much (?:heavier|older|taller|longer|wider|deeper|younger|shorter|lighter|higher"
    r"|farther|further|more expensive)\b(?P<one>[^?]*?)\bthan (?P<two>[^?]*)"
)
_COMPARED = re.compile(r"(?i)\b(?:old|tall|long|wid|deep|young|short|light|heavi|high|farth)er\b")
_CHANGE_ASKED = re.compile(r"(?i)^how much (?:\w+ )?change\b")


class _Entry(NamedTuple):
    """A number with its verb, and the part that it plays."""

    told: Told
    verb: str
    """The base of its verb."""
    role: str
    """`first`, `end`, `gain`, `loss`, or nothing where it is none of these."""


class _Clause(NamedTuple):
    """The words around a number: those of its clause before it, and those behind it."""

    lead: Sequence[Piece]
    tail: Sequence[Piece]
    earlier: Sequence[Piece]
    """What stands before the clause in its sentence."""
    later: Sequence[Piece]
    """What stands behind it."""


def accounted(
    text: str, at: int, noun: Sequence[str], told: Sequence[Told], tables: Tables
) -> Iterator[str]:
    """The operation of two numbers by their parts; the question's "how" stands at a place."""
    asked, before = text[at:], text[:at]
    if _HIDDEN.search(text) or not tables.changes:
        return
    if any(t.rate or value(t.quantity) <= 0 for t in told):
        return
    if _BIGGER.match(asked) or _CHANGE_ASKED.match(asked):
        yield from _measured(text, asked, told)
    elif _THAN.search(text):
        return
    elif is_other_part(text, at, noun, told):
        yield "difference"
    elif _is_mixed(text, at, noun, told, tables):
        yield "sum"
    elif _alike(noun, asked, told):
        yield from _needed(before, asked, told)
        yield from _changed(text, at, told, tables)


def _is_mixed(
    text: str, at: int, noun: Sequence[str], told: Sequence[Told], tables: Tables
) -> bool:
    """Whether things of two kinds, named in one breath, are asked for by a word for both."""
    one, two = told
    heads = {one.head, two.head}
    if not _BOTH_KINDS & set(noun[-1:]) - heads:
        return False
    untold = _UNTOLD.search(text[:at]) or len(heads - {""}) != 2 or one.of | two.of
    joined = re.fullmatch(r"(?: [a-z]+){1,3} and ", text[one.quantity.end : two.quantity.start])
    states = _entry(text, at, one, tables).role == "first" and not _loose(text[:at], tables)
    return bool(joined and states and not untold and _ALL.search(text[at:]))


def _alike(noun: Sequence[str], asked: str, told: Sequence[Told]) -> bool:
    """Whether both numbers are of what is asked for, as far as they have a noun."""
    kinds = [t.noun for t in told if t.noun]
    heads = {kind[-1] for kind in kinds}
    marks = {kind[:-1] for kind in kinds if kind[:-1]} | ({tuple(noun[:-1])} - {()})
    if len(heads) != 1 or len(marks) > 1:
        return False
    money = heads <= _MONEY and noun[-1:] == ("money",)
    return (
        not noun or money or heads == {noun[-1]} or bool(re.match(r"(?i)how \w+ (?:of|is)", asked))
    )


def _measured(text: str, asked: str, told: Sequence[Told]) -> Iterator[str]:
    """How much heavier one is than another, or what is given back of what was paid."""
    one, two = told
    if not one.head or one.noun != two.noun:
        return
    if _COMPARED.search(text[: text.rindex(asked)]):
        return
    if _CHANGE_ASKED.match(asked) and one.head in _MONEY:
        yield "difference"
    sides = _BIGGER.match(asked)
    if sides and _are_sides(text, told, sides["one"], sides["two"]):
        yield "difference"


def _are_sides(text: str, told: Sequence[Told], left: str, right: str) -> bool:
    """Whether each number stands with a word that only one side of a comparison has."""
    shared = {stem(t.head) for t in told} if told[0].head == told[1].head else set[str]()
    one, two = _words(left) - shared, _words(right) - shared
    near = [_words(_own(text, t)) for t in told]
    return any(a & (one - two) and b & (two - one) for a, b in (near, near[::-1]))


def _own(text: str, told: Told) -> str:
    """The clause that a number stands in."""
    clause = _clause(text, told)
    some = [*clause.lead, *clause.tail]
    return text[some[0].start : some[-1].end] if some else ""


def _words(text: str) -> set[str]:
    """The words of a text that may name somebody or something, in the singular."""
    found = {p.low.removesuffix("'s") for p in pieces(text) if p.kind == "word"}
    return {stem(word) for word in found - AUXILIARY - _DULL}


def _needed(before: str, asked: str, told: Sequence[Told]) -> Iterator[str]:
    """What is needed to reach a number, from one that there is."""
    has, goal = told
    inside = goal.quantity.start >= len(before)
    if _NEEDED.match(asked) and inside and has.quantity.start < len(before) and has.state:
        yield "difference"


def _changed(text: str, at: int, told: Sequence[Told], tables: Tables) -> Iterator[str]:
    """What there was before a change, what there is after it, or how large it was."""
    asked, before = text[at:], text[:at]
    roles = {entry.role: entry for entry in (_entry(text, at, one, tables) for one in told)}
    unbound, untold = _loose(before, tables), list(_UNTOLD.finditer(before))
    if len(roles) < 2 or len(untold) > 1:
        return
    wanted = {stem(p.low) for p in pieces(asked) if p.low != "left" and _effect(p.low, "", tables)}
    if _BEFORE_ASKED.search(asked) or (untold and _is_untold_asked(before, asked, untold[0], told)):
        if not unbound:
            yield from _at_first(roles)
    elif set(roles) == {"first", "end"} or _is_won(roles, told):
        if len(wanted) == 1 and unbound == wanted:
            yield from _amount(
                roles, next(p.low for p in pieces(asked) if stem(p.low) in wanted), tables
            )
    elif not untold and not unbound and not wanted and _AFTER_ASKED.match(asked):
        yield from _afterwards(text, asked, roles)


def _is_won(roles: dict[str, _Entry], told: Sequence[Told]) -> bool:
    """Whether somebody has got so many first, and has so many in the end."""
    gain = roles.get("gain")
    return set(roles) == {"gain", "end"} and bool(gain) and roles["gain"].told is told[0]


def _is_untold_asked(before: str, asked: str, untold: re.Match[str], told: Sequence[Told]) -> bool:
    """Whether the question is how many "some" were that a story begins with."""
    sentence = sentence_at(before, untold.start()).of(before)
    verbs = {stem(p.low) for p in pieces(sentence) if verbal(p)} - {"hav", "have", "be"}
    first = all(untold.start() < t.quantity.start for t in told)
    return first and bool(verbs & {stem(p.low) for p in pieces(asked)})


def _at_first(roles: dict[str, _Entry]) -> Iterator[str]:
    """What there was before a change."""
    if set(roles) == {"end", "loss"}:
        yield "sum"
    if set(roles) == {"end", "gain"} and _size(roles["end"]) > _size(roles["gain"]):
        yield "difference"


def _amount(roles: dict[str, _Entry], verb: str, tables: Tables) -> Iterator[str]:
    """How large a change was, if it went the way of the verb that is asked with."""
    falls = _size(roles.get("first") or roles["gain"]) > _size(roles["end"])
    if falls == (_effect(verb, "", tables) == "loss"):
        yield "difference"


def _afterwards(text: str, asked: str, roles: dict[str, _Entry]) -> Iterator[str]:
    """What there is after a change."""
    left = _LEFT_ASKED.search(asked)
    first, loss, gain = roles.get("first"), roles.get("loss"), roles.get("gain")
    made = first or (gain if gain and left and gain.verb in _BY_FIRST else None)
    if made and loss and _size(loss) < _size(made) and not _ALL.search(asked):
        if _is_owned(text, asked, made.told, loss.told):
            yield "difference"
    elif first and gain and not left and _is_owned(text, asked, first.told, gain.told):
        yield "sum"


def _size(entry: _Entry) -> float:
    return value(entry.told.quantity)


def _loose(before: str, tables: Tables) -> set[str]:
    """Stems of the verbs of change that go with no number."""
    bound = {verb.start for t in describe(before) if (verb := _governor(before, t)[0])}
    return {
        stem(p.low)
        for p in pieces(before)
        if p.start not in bound and (_is_verb(p) or p.low.endswith("ing")) and p.low != "left"
        if _effect(p.low, "", tables)
    }


def _effect(word: str, particle: str, tables: Tables) -> str:
    """Whether a verb makes a number larger or smaller: `gain`, `loss` or nothing."""
    known = [f"{b} {particle}".strip() for b in bases(word)] + list(bases(word))
    entry = next((tables.changes[b] for b in known if b in tables.changes), None)
    return {"larger": "gain", "smaller": "loss"}[entry.effect] if entry else ""


def _is_verb(piece: Piece) -> bool:
    return verbal(piece) or piece.low in _SAME_FORM


def _clause(text: str, told: Told) -> _Clause:
    """The words of a number's clause, between the breaks and numbers around it."""
    span, here = sentence_at(text, told.quantity.start), told.quantity
    others = [q for q in quantities(text) if q.start != here.start]
    start = max([span.start, *(q.end for q in others if q.end <= here.start)])
    end = min([span.end, *(q.start for q in others if q.start >= here.end)])
    cuts = [m.end() for m in _CUT.finditer(text, start, here.start)]
    stop = next((m.start() for m in _CUT.finditer(text, here.end, end)), end)
    every, lead = pieces(text), max([start, *cuts])
    return _Clause(
        [p for p in every if lead <= p.start < here.start],
        [p for p in every if here.end <= p.start < stop],
        [p for p in every if span.start <= p.start < lead],
        [p for p in every if stop <= p.start < span.end],
    )


def _governor(text: str, told: Told) -> tuple[Piece | None, bool, Sequence[Piece]]:
    """The verb of a number, whether the number is its subject, and the words behind the verb."""
    clause = _clause(text, told)
    present = _present(clause.lead)
    if found := [p for p in clause.lead if _is_verb(p) or p in present]:
        return found[-1], False, clause.tail
    found = [n for n, p in enumerate(clause.tail) if _is_verb(p) or p.low in _COMING]
    if found and not {p.low for p in clause.tail[: found[0]]} & {"that", "who", "which"}:
        at = found[1] if len(found) > 1 and _joins(clause.tail[found[0] : found[1]]) else found[0]
        return clause.tail[at], True, clause.tail[at + 1 :]
    present = _present(clause.earlier)
    if found := [p for p in clause.earlier if _is_verb(p) or p in present]:
        return found[-1], False, clause.tail
    later = [n for n, p in enumerate(clause.later) if _is_verb(p)]
    behind = clause.later[later[0] :] if later else []
    return (behind[0] if behind else None), True, behind[1:]


def _joins(some: Sequence[Piece]) -> bool:
    """Whether a verb leads on to the next one: "were eaten", "decided to join"."""
    return len(some) < 3 and (some[0].low in AUXILIARY or some[-1].low == "to")


def _present(some: Sequence[Piece]) -> list[Piece]:
    """The verbs in -s behind a name or a pronoun."""
    pairs = pairwise(some)
    return [
        p
        for who, p in pairs
        if p.low.endswith("s") and p.text == p.low and p.kind == "word" and len(p.low) > 3
        if who.low in _PRONOUNS or who.low in KIN or who.text[:1].isupper()
    ]


def _entry(text: str, at: int, told: Told, tables: Tables) -> _Entry:
    """A number with the part that it plays; none where it stands in the question."""
    verb, subject, behind = _governor(text, told)
    if verb is None or told.quantity.start >= at:
        return _Entry(told, "", "")
    span = sentence_at(text, told.quantity.start)
    alone = sum(span.start <= q.start < span.end for q in quantities(text)) == 1
    said = text[span.start : min(span.end, at)] if alone else _own(text, told)
    base = next((b for b in bases(verb.low) if b in _STATES or b in tables.changes), verb.low)
    role = "first" if base in _STATES else _way(text, at, told, verb, subject, behind, tables)
    if role == "first" and _END.search(said):
        role = "end"
    if role == "gain" and _FIRST.search(said):
        role = "first"
    return _Entry(told, base, role)


def _way(
    text: str,
    at: int,
    told: Told,
    verb: Piece,
    subject: bool,
    behind: Sequence[Piece],
    tables: Tables,
) -> str:
    """Whether a number came or went, for whoever the story is about."""
    near = [p.low for p in behind[:4]]
    if subject:
        return _own_way(verb, near, tables)
    forms = set(bases(verb.low))
    if told.head in _MONEY and forms & {"buy", "order", "pay"}:
        return "loss" if _doer(text, told, verb) else ""
    if _is_other_way(text, text[at:], told, verb):
        return ""
    if "leave" in forms or (forms & {"sell", "trade"} and told.head in _MONEY | {""}):
        return ""
    if forms & _GIVES:
        return _gift(text, told, verb)
    particle = next((word for word in near if word in {"away", "out", "up"}), "")
    effect = _effect(verb.low, particle, tables)
    if effect == "gain" and is_part(text, told.quantity):
        return ""
    if forms & _MOVES and "get" not in forms:
        return ""
    return effect if _doer(text, told, verb) else ""


def _is_other_way(text: str, asked: str, told: Told, verb: Piece) -> bool:
    """Whether so much is made of what there was, put elsewhere, or goes to who is asked about."""
    number = told.quantity
    if not STORED.isdisjoint(bases(verb.low)) and not adds_on_top(text, number):
        return True
    if not is_object(text, verb, number) or is_received(text, verb):
        return True
    return is_elsewhere(text, verb, number, asked) or is_taker(text, number, asked)


def _own_way(verb: Piece, near: Sequence[str], tables: Tables) -> str:
    """The way of what comes or goes of itself, or has something done to it."""
    forms = set(bases(verb.low))
    if forms & _MOVES:
        return "gain" if set(near[:1]) & _UP else "loss" if set(near[:1]) & _OFF else ""
    if forms & _COMING:
        return "gain"
    if forms & _GIVES:
        return "loss" if "away" in near[:1] else ""
    if forms & (TWO_SIDED | STORED | {"grow"}):
        return ""
    if "leave" in forms and near and near[0] not in {".", "the", "from", "and"}:
        return ""
    return _effect(verb.low, "", tables)


def _doer(text: str, told: Told, verb: Piece) -> bool:
    """Whether a verb's subject is a pronoun, or somebody named at the start of the story."""
    who = _subject(text, told, verb)
    return bool(who) and (who[-1].low in _PRONOUNS or who[-1].text in _owners(text))


def _subject(text: str, told: Told, verb: Piece) -> list[Piece]:
    """The words between the last break and a verb, without those that help it."""
    span = sentence_at(text, told.quantity.start)
    cuts = [m.end() for m in _CUT.finditer(text, span.start, verb.start)]
    start = max([span.start, *cuts])
    every = [p for p in pieces(text) if p.kind == "word" and span.start <= p.start < verb.start]
    near = [p for p in every if p.start >= start and p.low not in _HELP]
    return near or [p for p in every if p.low in _PRONOUNS or p.text in _owners(text)][:1]


def _owners(text: str) -> set[str]:
    """The names in the first sentence that has a number."""
    first = quantities(text)[:1]
    span = sentence_at(text, first[0].start) if first else None
    said = text[: span.end] if span and not _UNTOLD.search(text, 0, span.start) else ""
    said = said or (text[: span.start] if span else "")
    return {p.text for p in pieces(said) if p.text[:1].isupper() and p.low not in _PRONOUNS}


def _gift(text: str, told: Told, verb: Piece) -> str:
    """Whether a gift comes to, or goes from, whoever the story is about."""
    who = _subject(text, told, verb)
    if not who:
        return ""
    between = text[verb.end : told.quantity.start].split()
    to = _TO.match(text, told.quantity.end)
    owners = _owners(text)
    taker = between[0] if between and between[0] not in _PLAIN else to[1] if to else ""
    own = taker in {"him", "her", "them", "it"} or taker in owners
    other = who[-1].low not in _PRONOUNS and who[-1].text not in owners
    if other:
        return "gain" if own else ""
    return "" if own else "loss"


def _is_owned(text: str, asked: str, told: Told, changed: Told) -> bool:
    """Whether a question is about whoever, and wherever, the story began with."""
    things = {stem(word) for word in told.noun}
    names = {p.text for p in pieces(asked) if p.text[:1].isupper() and stem(p.low) not in things}
    return names - {"How"} <= _owners(text) and not asks_elsewhere(text, asked, told, changed)
