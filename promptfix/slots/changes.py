"""Verbs that make a number larger or smaller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.described import TIMES, content_of, describe, lows_of
from promptfix.slots.lemmas import bases, stem
from promptfix.slots.words import (
    VALUES,
    Piece,
    Quantity,
    asks,
    meets,
    pieces,
    quantities,
    question,
    sentence_at,
)

_PLACE, _ARTICLE = r"[^.,;?!]*?\b", r"(?:(?:a|an|the|my|his|her|their|its)\s+)?"
GIVES = frozenset("give send lend hand mail".split())
"""These make one side's number smaller and the other's larger."""
TWO_SIDED = frozenset(
    """
    pick catch plant write print draw borrow buy order return withdraw deposit put save find
    """.split()
)
"""What these do to a number depends on whose it is, and on where it is counted."""
STORED = frozenset(
    "put bring make bake draw write print build plant score pick fly walk order".split()
)
"""What is a change of a number only where "more" or "away" says so."""
_ON_TOP = re.compile(r"(?i)\s*(?:\w+ )?(?:more|new|additional|extra)\b|\s*\w* ?away\b")
_GOT = frozenset("buy order borrow".split())
"""What is got stays even where the question is what is left."""
_LAID = frozenset("put deposit add plant save knit".split())
_DRAWN = frozenset(("withdraw",))
"""These move things out of the place behind "from"; those above into that behind "in"."""
_INTO = re.compile(rf"{_PLACE}(?:in|into|on|onto|to)\s+{_ARTICLE}([a-z]+)")
_OUT_OF = re.compile(rf"{_PLACE}from\s+{_ARTICLE}([a-z]+)")
_SCALED = frozenset("grow rise increase decrease fall drop shrink".split())
"""These go "by" so many."""
_NO_OBJECT = frozenset("to from into at for through upon".split())
"""A number behind one of these is none that its verb adds or takes."""
OF_THOSE = re.compile(
    r"(?i)\s*(?:of (?:the|his|her|their)|(?:[a-z]+ )?of (?:them|those|these|which|whom))\b"
)
"""What is part of what there was comes to nothing on top."""
_FOUND_TO_BE = re.compile(r"(?i)\s+were\b")
_STAYS = re.compile(r"(?i)\b(?:left|still|remain\w*)\b")
_SUBJECTS = frozenset("he she they it i you we who there".split())
_CUT = re.compile(r"(?i)[,;:]|\b(?:and|but|while|if|when|then|so|after|before|that)\b")
_BEING = frozenset("is are was were be been being".split())
_NOMINATIVE = {"him": "he", "her": "she", "them": "they", "me": "i", "us": "we"}
_TAKER = re.compile(r"\s+(?:(?i:him|her|it|them|me|us|you|his|their)|[A-Z]\w+)\b")
_TO = re.compile(r"[^.,;?!]*?\bto\s+(?P<whose>(?i:my|his|her|their|the)\s+)?(?P<who>\w+)")
_NOUN_FOLLOWS = frozenset("a an the his her its their my our your this that these those".split())
_PAID = ("buy", "bought", "order")
"""What these gain is not the money behind them."""

MORE = {"larger": "more", "smaller": "fewer"}
"""Effect of a change -> what there is then."""


@dataclass(frozen=True)
class Changed:
    """A verb of change, as the text writes it, and the number it goes with."""

    verb: str
    effect: str
    """`larger` or `smaller`."""
    quantity: Quantity
    span: Span
    """Where the verb stands, without a particle that belongs to it."""


def change(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The last change before the question: `verb`, `number`, `more` (more or fewer).

    None where nothing is asked: a story is no problem.
    """
    last = _last(text, tables)
    if last is None or not meets(last.span, span):
        return None
    return {"verb": last.verb, "number": last.quantity.number, "more": MORE[last.effect]}


def about(text: str, tables: Tables) -> Span | None:
    """Where the verb of the last change stands."""
    last = _last(text, tables)
    return last.span if last else None


def stirs(text: str, tables: Tables) -> bool:
    """Whether a change is told before the question, be it open which way it goes."""
    told, asked = _cut(text)
    last = _nearest(told, tables)
    return bool(last) and not _received(told, last, asked)


def _last(text: str, tables: Tables) -> Changed | None:
    told, asked = _cut(text)
    return last_change(told, tables, asked)


def _cut(text: str) -> tuple[str, str]:
    """What a text tells, and what it asks; both all of it where no sentence asks for a number."""
    asking = question(text)
    if asking is None:
        return (text, text) if asks(text) else ("", "")
    return text[: asking.start], asking.of(text)


def last_change(text: str, tables: Tables, asked: str) -> Changed | None:
    """The last verb of the table that has a number behind it in its clause.

    None where it may go the other way for whoever the question, `asked`, is about.
    """
    last = _nearest(text, tables)
    return None if last is None or _is_other_way(text, last, asked) else last


def _nearest(text: str, tables: Tables) -> Changed | None:
    every, numbers = pieces(text), quantities(text)
    for at in range(len(every) - 1, -1, -1):
        for verb in _phrases(every, at):
            entry = next((tables.changes[b] for b in _bases(verb) if b in tables.changes), None)
            quantity = _object(text, every[at], numbers) if entry else None
            if entry and quantity and not (verb.startswith(_PAID) and quantity.noun == "dollars"):
                piece = Span(start=every[at].start, end=every[at].end)
                return Changed(verb, entry.effect, quantity, piece)
    return None


def _phrases(every: Sequence[Piece], at: int) -> list[str]:
    """A word with its particle, which may stand behind its object, and the word alone."""
    piece = every[at]
    if piece.kind != "word" or piece.low == "left":  # "had 5 left" is no change
        return []
    before = every[at - 1] if at else piece
    if before.kind == "number" or before.low in _NOUN_FOLLOWS or before.low in VALUES:
        return []  # "5 flies", "a score of" are things
    behind = [p.text for p in every[at + 1 : at + 7] if p.low in {"away", "up", "down", "out"}]
    return [f"{piece.low} {particle.lower()}" for particle in behind[:1]] + [piece.low]


def _bases(verb: str) -> list[str]:
    head, _, particle = verb.partition(" ")
    return [f"{form} {particle}".strip() for form in bases(head)]


def _object(text: str, verb: Piece, numbers: Sequence[Quantity]) -> Quantity | None:
    sentence = sentence_at(text, verb.start)
    behind = [q for q in numbers if verb.end <= q.start < sentence.end]
    clean = [q for q in behind if not re.search(r"[,;]", text[verb.end : q.start])]
    return clean[0] if clean else None


def adds_on_top(text: str, quantity: Quantity) -> bool:
    """Whether the words behind a number say that it comes on top, or goes."""
    return bool(_ON_TOP.match(text, quantity.end))


def is_object(text: str, verb: Piece, quantity: Quantity) -> bool:
    """Whether a number is what its verb adds or takes: "fell by 3", not "fell to 3"."""
    lead = text[verb.end : quantity.start].lower().split()[-1:]
    aside = _NO_OBJECT | (set() if set(bases(verb.low)) & _SCALED else {"by"})
    return aside.isdisjoint(lead)


def _is_other_way(text: str, last: Changed, asked: str) -> bool:
    """Whether a number is no change, or may go the other way for whoever is asked about."""
    quantity, verb = last.quantity, next(p for p in pieces(text) if p.start == last.span.start)
    grows = last.effect == "larger"
    forms = frozenset(bases(verb.low))
    used = forms & TWO_SIDED - _GOT if grows and _STAYS.search(asked) else frozenset[str]()
    strange = forms & TWO_SIDED - _LAID - _DRAWN and is_strange(text, verb, asked)
    if (used or strange) and not adds_on_top(text, quantity):
        return True
    if not is_object(text, verb, quantity):
        return True
    if is_received(text, verb) or is_elsewhere(text, verb, quantity, asked):
        return True
    return is_part(text, quantity) if grows else _received(text, last, asked)


def is_part(text: str, quantity: Quantity) -> bool:
    """Whether a number is of those told of before: "found 3 of them", "found 3 were new"."""
    return any(pattern.match(text, quantity.end) for pattern in (OF_THOSE, _FOUND_TO_BE))


def is_received(text: str, verb: Piece) -> bool:
    """Whether a gift is told in the passive: "was given 3"."""
    before = text[: verb.start].lower().split()[-1:]
    return not GIVES.isdisjoint(bases(verb.low)) and not _BEING.isdisjoint(before)


def is_strange(text: str, verb: Piece, asked: str) -> bool:
    """Whether something is done by somebody new to what was there: neither of it nor asked for."""
    first = next(iter(describe(text)), None)
    span = sentence_at(text, verb.start)
    if first is None or not first.state or first.quantity.start >= span.start:
        return False
    cuts = [found.end() for found in _CUT.finditer(text, span.start, verb.start)]
    who = text[max([span.start, *cuts]) : verb.start]
    named = content_of(who)
    known = content_of(text[: span.start]) | content_of(asked)
    return bool(named) and not lows_of(who) & _SUBJECTS and not named & known


def is_elsewhere(text: str, verb: Piece, quantity: Quantity, asked: str) -> bool:
    """Whether so much is put where it does not count, or comes from where it did not."""
    forms = set(bases(verb.low))
    way = _INTO if forms & _LAID else _OUT_OF if forms & _DRAWN else None
    place = way.match(text, quantity.end) if way else None
    first = sentence_at(text, quantities(text)[0].start).of(text)
    counts = content_of(first) | content_of(asked)
    return bool(place) and place[1] not in TIMES and stem(place[1]) not in counts


def _received(text: str, last: Changed, asked: str) -> bool:
    """Whether what one loses another gets who is asked about: "gave him 7", "sold 7 to Tom"."""
    gives = not GIVES.isdisjoint(bases(last.span.of(text)))
    taken = gives and bool(_TAKER.match(text[last.span.end : last.quantity.start]))
    return taken or (last.effect == "smaller" and is_taker(text, last.quantity, asked))


def is_taker(text: str, quantity: Quantity, asked: str) -> bool:
    """Whether so much goes to whoever is asked about."""
    to = _TO.match(text, quantity.end)
    if to is None or (to["who"].islower() and to["who"] not in _NOMINATIVE and not to["whose"]):
        return False  # "to play" is no taker
    return _NOMINATIVE.get(to["who"].lower(), to["who"].lower()) in lows_of(asked)
