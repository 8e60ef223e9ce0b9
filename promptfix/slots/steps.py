"""How many steps a word problem takes, as far as its numbers tell."""

import re

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.words import quantities, question

_HIDDEN = re.compile(
    r"(?i)\b(?:half|halves|twice|thrice|double[ds]?|triple[ds]?|quadruple|times|third|quarter|"
    r"fourth|fifth|percent|dozens?|another|both|average|every|per|consecutive)\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, or a second step."""


def two_numbers(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The numbers of a problem that gives just two, in plain sight: `first`, `second`."""
    del span, tables
    given = quantities(text)
    if question(text) is None or len(given) != 2 or _HIDDEN.search(text):
        return None
    return {"first": given[0].number, "second": given[1].number}
