"""What a word problem asks for, and which of its numbers are about that."""

import re
from collections.abc import Sequence

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.changes import last_change
from promptfix.slots.counting import is_one_kind, is_product, sort_numbers
from promptfix.slots.described import describe
from promptfix.slots.sums import is_subset
from promptfix.slots.words import (
    NEGATIVE,
    Quantity,
    after,
    counted,
    listed,
    noun_key,
    pieces,
    quantities,
    question,
    sentence_at,
    value,
)

_HOW_MANY = re.compile(r"(?i)\bhow\s+(?:many(?:\s+total\b(?!\s+of\b))?|much)\b")
_PAID = re.compile(
    r"(?i)\bhow\s+much\b(?:\s+(?:more|less))?\s+(?:did|does|do|has|have|will|would|is)\b.*"
    r"\b(?:make|made|costs?|pay|paid|spend|spent|earn(?:ed)?|raised?|owes?)\b"
)
_START = re.compile(
    r"(?i)\b(?:at first|originally|initially|to start|to begin|in the beginning|at the start"
    r"|at the beginning|start(?:ed)? with|begin with|began with|before)\b"
)
_END = re.compile(r"(?i)\b(?:left|now|remain(?:s|ed|ing)?|still|end(?:s|ed)? up|in the end)\b")
_COMPARED = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_GAP = re.compile(r"(?i)\s*(?:\w+ )?(?:fewer|less|more\b[^.,?!]*\bthan)\b")
_RELATED = re.compile(r"(?i)\b(?:than|as many|as much)\b")
_PARTED = re.compile(
    r"(?i)\b(?:together|total|some|rest|others?|each|every|per|in a|half|twice|doubled?|those)\b"
)


def asked(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """What is asked for and the two numbers that count for it: `noun`, `numbers`, `pair`.

    `pair` is the numbers again, the largest first. Nothing where more count: notes say "two".
    """
    del span, tables
    noun, found = _asked_noun(text), sort_numbers(text)
    if not noun or found is None or len(found.counting) != 2:
        return None
    numbers = ", ".join(q.number for q in found.counting)
    return {"noun": noun, "numbers": numbers, "pair": listed(found.counting)}


def unasked(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """Numbers that do not count for the question: `others`, and what is asked for, `noun`."""
    del span, tables
    noun, found = _asked_noun(text), sort_numbers(text)
    if not noun or found is None:
        return None
    listed = ", ".join(f"{q.number} {q.noun}".strip() for q in found.others[:4])
    return {"others": listed, "noun": noun}


def difference(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The two numbers that "how many more ... than ..." compares: `first`, the larger, `second`.

    Those that speak of its sides; or the only two there are, unless one may be of a whole of which
    the other is a part, or of one of several alike.
    """
    del span, tables
    asking = question(text)
    if asking is None or not _COMPARED.search(asking.of(text)):
        return None
    left, _, right = asking.of(text).partition(" than ")
    if not right:
        return None
    pair = _pair(text, left, right)
    if pair is None and not _RELATED.search(text[: asking.start]) and not _PARTED.search(text):
        pair = _only_two(text)
    if pair is None or is_product(text, pair) or _is_uneven(text, pair):
        return None
    if NEGATIVE.search(text) or is_one_kind(text, asking.of(text), pair):
        return None
    first, second = sorted(pair, key=value, reverse=True)
    return {"first": first.number, "second": second.number}


def _is_uneven(text: str, pair: Sequence[Quantity]) -> bool:
    """Whether one of two numbers is a part of the other, or says how far it is from it."""
    parts = [is_subset(text, told) for told in describe(text) if told.quantity in pair]
    return len(set(parts)) > 1 or any(_GAP.match(text, quantity.end) for quantity in pair)


def start_unknown(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The number at the end and the change before it, if the start is asked for.

    Slots: `end`, `change`, `effect` (larger or smaller).
    """
    del span
    asking = question(text)
    if asking is None or not _START.search(asking.of(text)):
        return None
    change = last_change(text[: asking.start], tables, asking.of(text))
    ends = [q for q in quantities(text) if _END.search(_clause(text, q))]
    ends = [q for q in ends if change is None or q.start != change.quantity.start]
    if change is None or not ends:
        return None
    return {"end": ends[-1].number, "change": change.quantity.number, "effect": change.effect}


def _asked_noun(text: str) -> str:
    """The words after "how many", or "money"; empty if there is no such question."""
    asking = question(text)
    found = _HOW_MANY.search(asking.of(text)) if asking else None
    if asking is None or found is None:
        return ""
    noun = counted(after(pieces(text), asking.start + found.end()))
    paid = _PAID.search(asking.of(text)) and any(q.key == ("dollar",) for q in quantities(text))
    return noun or ("money" if paid else "")


def _pair(text: str, left: str, right: str) -> tuple[Quantity, Quantity] | None:
    """The only two quantities that speak of the two sides of a comparison."""
    given = quantities(text)
    one, other = _content(left), _content(right)
    both = (one & other) | {w for w in one if all(_about(text, q, {w}) for q in given)}
    first = [q for q in given if _about(text, q, one - both)]
    second = [q for q in given if _about(text, q, other - both)]
    if len(first) != 1 or len(second) != 1 or first == second:
        return None
    pair = first[0], second[0]
    return None if any(_competes(q, pair) for q in given if q not in pair) else pair


def _only_two(text: str) -> tuple[Quantity, Quantity] | None:
    """The two numbers of a text, or those of more that count; None if one has no noun.

    That one may change another: "She had 9 figs and lost 4".
    """
    given, found = quantities(text), sort_numbers(text)
    some = found.counting if found else given
    bare = any(not q.key for q in given if q not in some)
    return None if len(some) != 2 or bare else (some[0], some[1])


def _competes(third: Quantity, pair: tuple[Quantity, Quantity]) -> bool:
    """Whether a third number may be of the things that a pair counts: it can change their sum."""
    heads = {quantity.key[-1] for quantity in pair if quantity.key}
    return not third.key or third.key[-1] in heads or not all(q.key for q in pair)


def _content(side: str) -> set[str]:
    return {noun_key(piece.text)[0] for piece in pieces(side) if not piece.stops}


def _about(text: str, quantity: Quantity, words: set[str]) -> bool:
    """Whether the quantity's own words, or those before it in its clause, name one of `words`."""
    clause = _content(_clause(text, quantity))
    return bool(words & set(quantity.key)) or bool(words & clause)


def _clause(text: str, quantity: Quantity) -> str:
    """The part of the sentence around a number, between commas and `and`."""
    sentence = sentence_at(text, quantity.start)
    before = re.split(r",|;|\band\b|\bbut\b", text[sentence.start : quantity.start])[-1]
    behind = re.split(r",|;|\band\b|\bbut\b", text[quantity.end : sentence.end])[0]
    return f"{before}{quantity.number}{behind}"
