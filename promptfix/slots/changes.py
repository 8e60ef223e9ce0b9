"""Verbs that make a number larger or smaller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.lemmas import bases
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

_GIVES = frozenset("give send lend hand mail".split())
"""These make one side's number smaller and the other's larger."""
_TAKER = re.compile(r"\s+(?:(?i:him|her|it|them|me|us|you|his|their)|[A-Z]\w+)\b")
_TO = re.compile(r"[^.,;?!]*?\bto\s+(?:(?i:my|his|her|their|the)\s+)?(\w+)")
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


def _last(text: str, tables: Tables) -> Changed | None:
    asking = question(text)
    if asking is None and not asks(text):
        return None
    told = text[: asking.start] if asking else text
    return last_change(told, tables, asking.of(text) if asking else text)


def last_change(text: str, tables: Tables, asked: str) -> Changed | None:
    """The last verb of the table that has a number behind it in its clause.

    None if it gives to somebody who may be the one that the question, `asked`, is about.
    """
    every, numbers = pieces(text), quantities(text)
    for at in range(len(every) - 1, -1, -1):
        for verb in _phrases(every, at):
            entry = next((tables.changes[b] for b in _bases(verb) if b in tables.changes), None)
            quantity = _object(text, every[at], numbers) if entry else None
            if entry and quantity and _received(text, every[at], quantity, asked):
                return None
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


def _received(text: str, verb: Piece, quantity: Quantity, asked: str) -> bool:
    """Whether a gift may make the number larger: "gave him 7 dimes", "gave 7 dimes to Tom"."""
    if _GIVES.isdisjoint(bases(verb.low)):
        return False
    to = _TO.match(text, quantity.end)
    named = to and to[1].lower() in {piece.low for piece in pieces(asked)}
    return bool(_TAKER.match(text[verb.end : quantity.start]) or named)
