"""The third try of counting.py: rules that read what is said of every number of a problem."""

import re

from promptfix.slots import apart, chains, products, witnesses
from promptfix.slots.described import describe
from promptfix.slots.words import Quantity, after, counted, noun_key, pieces, quantities

MOST = 8
"""Numbers. A problem with more is not looked into: rules weigh each number against each."""


def pair(text: str, found: re.Match[str]) -> list[Quantity]:
    """The two numbers that a question needs, `found` being its "how many"; none if unclear."""
    if not 3 <= len(quantities(text)) <= MOST:
        return []
    asked, told = text[found.start() :], describe(text)
    noun = noun_key(counted(after(pieces(text), found.end())))
    two = (
        chains.by_chain(text, asked, noun, told)
        or apart.in_rows(asked, told)
        or products.shared_out(text, asked, noun, told)
        or products.in_groups(text, asked, told)
        or products.in_each(asked, noun, told)
        or apart.by_mark(asked, noun, told)
        or apart.by_side(asked, noun, told)
        or witnesses.by_witnesses(text, asked, noun, told)
    )
    chosen = [one.quantity for one in two]
    within = [one.quantity for one in told if one.quantity.start > found.start()]
    # A number in the question itself is there to be used.
    return chosen if all(quantity in chosen for quantity in within) else []
