"""Problems that give just two numbers: one step, and no number to look for beside them."""

import re

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.lemmas import singular
from promptfix.slots.numerals import about_roman
from promptfix.slots.units import tells_smaller
from promptfix.slots.words import Quantity, listed, quantities, question, value

_HIDDEN = re.compile(
    r"(?i)\b(?:half|halves|twice|thrice|double[ds]?|triple[ds]?|treble[ds]?|quadruple[ds]?|"
    r"\w+fold|times|third|quarter|fourth|fifth|(?:six|seven|eigh|nin|ten|twelf)th (?:of|as)|"
    r"percent|dozens?|another|both|average|every|per|consecutive)\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, or a second step."""
_RELATED = re.compile(
    r"(?i)\b(?:more|fewer|less|\w+er)\b[^.?!]*\bthan\b|\d(?:\s+\w+)?\s+(?:fewer|less)\b"
)
"""A number that only says how far two others are apart: a second step."""


def two_numbers(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The numbers of a problem that gives just two, in plain sight: `pair`, the larger first.

    Nothing where one is spelled out or Roman, counts in a unit word, or is a relation of two.
    """
    del span
    if about_roman(text, tables):
        return None
    asking, given = question(text), quantities(text)
    if asking is None or len(given) != 2 or _HIDDEN.search(text):
        return None
    if _RELATED.search(text[: asking.start]) or not all(map(_plain, given)):
        return None
    counted = [quantity.key[0] for quantity in given if quantity.key]
    asked = {singular(word) for word in re.findall(r"\w+", asking.of(text))}
    spoken = asked.union(counted)
    units = [tables.units[word] for word in set(counted) - asked if word in tables.units]
    if any(tells_smaller(unit, spoken) for unit in units):
        return None
    return {"pair": listed(given)}


def _plain(quantity: Quantity) -> bool:
    return quantity.number[-1].isdigit() and value(quantity) > 1
