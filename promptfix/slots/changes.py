"""Verbs that make a number larger or smaller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.lemmas import bases
from promptfix.slots.words import (
    Piece,
    Quantity,
    asks,
    pieces,
    quantities,
    question,
    sentence_at,
)

_PAID = ("buy", "bought", "order")
"""What these gain is not the money behind them."""


@dataclass(frozen=True)
class Changed:
    """A verb of change, as the text writes it, and the number it goes with."""

    verb: str
    effect: str
    """`larger` or `smaller`."""
    quantity: Quantity


def change(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The last change before the question: `verb`, `number`, `effect` (larger or smaller).

    None where nothing is asked: a story is no problem.
    """
    del span
    asking = question(text)
    if asking is None and not asks(text):
        return None
    told = text[: asking.start] if asking else text
    last = last_change(told, tables)
    if last is None:
        return None
    return {"verb": last.verb, "number": last.quantity.number, "effect": last.effect}


def last_change(text: str, tables: Tables) -> Changed | None:
    """The last verb of the table that has a number behind it in its clause."""
    every, numbers = pieces(text), quantities(text)
    for at in range(len(every) - 1, -1, -1):
        for verb in _phrases(every, at):
            entry = next((tables.changes[b] for b in _bases(verb) if b in tables.changes), None)
            quantity = _object(text, every[at], numbers)
            if entry and quantity and not (verb.startswith(_PAID) and quantity.noun == "dollars"):
                return Changed(verb, entry.effect, quantity)
    return None


def _phrases(every: Sequence[Piece], at: int) -> list[str]:
    """A word with its particle, which may stand behind its object, and the word alone."""
    piece = every[at]
    if piece.kind != "word" or piece.low == "left":  # "had 5 left" is no change
        return []
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
