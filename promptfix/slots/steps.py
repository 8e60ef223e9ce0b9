"""How many steps a problem takes, and which: of one or two operations, of just two numbers."""

import re
from collections.abc import Sequence

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.changes import stirs
from promptfix.slots.counting import only_one_is_asked
from promptfix.slots.lemmas import singular
from promptfix.slots.numerals import about_roman
from promptfix.slots.operations import operation
from promptfix.slots.shares import COMPANY, DURATIONS
from promptfix.slots.twofold import two_steps
from promptfix.slots.units import PARTS, UNITS, tells_smaller
from promptfix.slots.words import (
    EACH,
    NEGATIVE,
    SMALL,
    TENS,
    Quantity,
    listed,
    noun_key,
    quantities,
    question,
    value,
)

_HIDDEN = re.compile(
    r"(?i)\b(?:half|halves|twice|thrice|double[ds]?|triple[ds]?|treble[ds]?|quadruple[ds]?|"
    r"\w+fold|times|third|quarter|fourth|fifth|(?:six|seven|eigh|nin|ten|twelf)th (?:of|as)|"
    r"percent|dozens?|another|both|average|every|per|consecutive)\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, or a second step."""
_RATE = re.compile(rf"\ban? ({'|'.join(sorted(DURATIONS))})\b")
_SIZED = re.compile(rf"(?i)\b(?:{'|'.join(SMALL + TENS)})-[a-z]")
"""A third number, in the word for a thing: "five-dollar bills"."""
_AGAIN = re.compile(
    r"(?i)\b(?:perimeter|(?:around|round) (?:it|a)|there and back|twins|triplets|whole year)\b"
)
"""What takes a side, a way or a share several times over."""
_ASKED = re.compile(r"(?i)\bhow\s+(?:many|much)((?:\s+\w+){0,3})")
_RELATED = re.compile(
    r"(?i)\b(?:more|fewer|less|\w+er)\b[^.?!]*\bthan\b|\d(?:\s+\w+)?\s+(?:fewer|less)\b"
)
"""A number that only says how far two others are apart: a second step."""


_DEEDS = {
    "sum": "Put the two together",
    "difference": "{most} less the other",
    "product": "So many times so much",
    "quotient": "{most}, divided by the other",
}
"""What a single operation does to the two numbers of a problem, of which `most` is the larger."""
_IN_TURN = {
    "sum": "put two together",
    "difference": "take one from the other",
    "product": "so many times so much",
    "quotient": "share it out evenly",
}
"""What one of two operations does."""


def steps(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The operation that a problem takes, or the two in order: `steps`, `operations`.

    Of the numbers, the largest first: `numbers`, and `every` as a note says them.
    """
    given = sorted(quantities(text), key=value, reverse=True)
    if not given or NEGATIVE.search(text):
        return None
    if told := operation(text, span, tables):
        names = [told["operation"]]
        said = _DEEDS[names[0]].format(most=_in_digits(given[0]))
    elif pair := two_steps(text, span, tables):
        names = [pair["first"], pair["second"]]
        said = "First {}, then {}".format(*(_IN_TURN[name] for name in names))
    else:
        return None
    numbers = [*map(_in_digits, given)]
    return {
        "steps": said,
        "operations": ", ".join(names),
        "numbers": ", ".join(numbers),
        "every": " and ".join(numbers),
    }


def _in_digits(quantity: Quantity) -> str:
    """A number without its coin, and never in words."""
    digits = quantity.number.strip("$ ")
    return digits if digits[-1].isdigit() else f"{value(quantity):.0f}"


def two_numbers(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The numbers of a problem that gives just two, in plain sight: `pair`, the larger first.

    Nothing where one is spelled out or Roman, counts in a unit word, or is a relation of two, or
    where a word, a part or a unit brings in a third. Nor where it is not the numbers that may be
    misread, but what is done with them: see `_stays`.
    """
    del span
    if about_roman(text, tables) or NEGATIVE.search(text) or COMPANY.search(text):
        return None
    asking, given = question(text), quantities(text)
    if asking is None or len(given) != 2:
        return None
    if any(pattern.search(text) for pattern in (_HIDDEN, _SIZED, _AGAIN)):
        return None
    if not _stays(text, tables):
        return None
    if only_one_is_asked(text, asking.of(text), given) or _is_other_unit(text, given):
        return None
    if _RELATED.search(text[: asking.start]) or not all(map(_plain, given)):
        return None
    if PARTS.fill(text, None, tables):
        return None
    counted = {quantity.key[0] for quantity in given if quantity.key}
    asked = {word for found in _ASKED.findall(asking.of(text)) for word in noun_key(found)}
    spoken = {singular(word) for word in re.findall(r"\w+", asking.of(text))} | counted
    told = UNITS.fill(text, None, tables)
    if told and told["word"] not in asked:
        return None
    units = [tables.units[word] for word in counted - asked if word in tables.units]
    if any(tells_smaller(unit, spoken) for unit in units):
        return None
    return {"pair": listed(given)}


def _is_other_unit(text: str, given: Sequence[Quantity]) -> bool:
    """Whether so much goes on "a minute" for a number of hours."""
    times = {quantity.key[-1] for quantity in given if quantity.key} & DURATIONS
    return any(times - {found[1]} for found in _RATE.finditer(text))


def _stays(text: str, tables: Tables) -> bool:
    """Whether a model that is told of two numbers keeps to what is to be done with them.

    Where so much is in each of so many, mini takes one from the other, unless these are shared out;
    and beside a verb of change that it may not know it guesses, unless rules can tell.
    """
    told = operation(text, None, tables)
    if EACH.search(text) and (told is None or told["operation"] != "quotient"):
        return False
    return told is not None or not stirs(text, tables)


def _plain(quantity: Quantity) -> bool:
    return quantity.number[-1].isdigit() and value(quantity) > 1
