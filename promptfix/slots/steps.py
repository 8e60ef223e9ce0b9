"""Problems that give just two numbers: one step, and no number to look for beside them."""

import re

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.words import listed, quantities, question

_HIDDEN = re.compile(
    r"(?i)\b(?:half|halves|twice|thrice|double[ds]?|triple[ds]?|quadruple|times|third|quarter|"
    r"fourth|fifth|percent|dozens?|another|both|average|every|per|consecutive)\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, or a second step."""


def two_numbers(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The numbers of a problem that gives just two, in plain sight: `pair`, the larger first."""
    del span, tables
    given = quantities(text)
    if question(text) is None or len(given) != 2 or _HIDDEN.search(text):
        return None
    return {"pair": listed(given)}
