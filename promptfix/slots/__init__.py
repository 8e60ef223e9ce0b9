"""The small parsers that fill the slots of annotations, by name.

A parser sees the user's text, the words that a finding is about (None: the text as a whole) and
the library's tables, and nothing else. It gives back the slots' values, or None if the text does
not hold them. The same input always gives the same values.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots import (
    changes,
    numerals,
    questions,
    relations,
    senses,
    shown,
    steps,
    units,
)
from promptfix.slots.words import quantities

Slots: TypeAlias = dict[str, str]
"""Name of a slot -> what goes in."""
Fill: TypeAlias = Callable[[str, Span | None, Tables], Slots | None]


class Filler(NamedTuple):
    """A parser and the slots it fills."""

    fill: Fill
    slots: frozenset[str]
    about: Callable[[str, Tables], Span | None] | None = None
    """Finds the word of a text that a note would be about; None: it is about the whole text."""


def _filler(
    fill: Fill, slots: str, about: Callable[[str, Tables], Span | None] | None = None
) -> Filler:
    return Filler(fill, frozenset(slots.split()), about)


MOST = 24
"""Numbers. A text with more is no word problem, and to weigh each against each takes too long."""


def _weighed(
    fill: Fill, slots: str, about: Callable[[str, Tables], Span | None] | None = None
) -> Filler:
    """A parser that weighs the numbers of a problem against each other."""

    def few(text: str, span: Span | None, tables: Tables) -> Slots | None:
        return fill(text, span, tables) if len(quantities(text)) <= MOST else None

    return _filler(few, slots, about)


def _stated(words: units.Stated) -> Filler:
    return _filler(words.fill, "word value statement", words.about)


FILLERS: Mapping[str, Filler] = {
    "unit-word": _stated(units.UNITS),
    "part": _stated(units.PARTS),
    "multiple": _stated(units.MULTIPLES),
    "fraction": _stated(units.FRACTIONS),
    "number-word": _filler(numerals.number_word, "numbers sentence", numerals.about_number_word),
    "roman": _filler(numerals.roman, "numeral value", numerals.about_roman),
    "asked": _weighed(questions.asked, "noun numbers pair"),
    "unasked": _weighed(questions.unasked, "others noun"),
    "difference": _weighed(questions.difference, "first second"),
    "start-unknown": _weighed(questions.start_unknown, "end change effect"),
    "change": _weighed(changes.change, "verb number more", changes.about),
    "comparison": _filler(relations.comparison, "restated larger"),
    "each": _weighed(relations.each, "groups group size item"),
    "steps": _weighed(steps.steps, "steps operations numbers every"),
    "two-numbers": _filler(steps.two_numbers, "pair"),
    "sense": _filler(senses.sense, "word lemma sense", senses.about),
    "rare-sense": _filler(senses.rare_sense, "word lemma sense", senses.about),
    "company": _filler(senses.company, "noun sense", senses.about_company),
}

SHOWN: Mapping[str, shown.Shown] = {
    "unit-word": shown.with_value,
    "part": shown.with_value,
    "multiple": shown.with_value,
    "fraction": shown.with_value,
    "roman": shown.with_value,
    "asked": shown.one_of_pair,
    "two-numbers": shown.one_of_pair,
    "difference": shown.one_difference,
    "steps": shown.these_operations,
    "change": shown.with_change,
}
"""Of those notes that say what to do: whether an answer does it, by the parser that fills them."""
