"""Words that stand for numbers, by the library's tables: each fills slots with what a word says.

Four tables have one form: unit words ("a gross is 144 things"), parts that everybody is taken to
know of ("a spider has 8 legs"), multiples ("thrice means 3 times"), fractions ("for a tenth,
divide by 10").
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from promptfix.formats import Tables, Unit
from promptfix.records import Span
from promptfix.slots.lemmas import singular
from promptfix.slots.words import SCALES, VALUES, asks, longest_word, meets, quantities

_FIGURE = rf"(?:\d|(?!(?:zero|one)\b)(?:{'|'.join(VALUES)})\b|(?:a|one)\s+(?:{'|'.join(SCALES)})\b)"
_EXPLAINED = re.compile(
    r"\s*(?:(?:is|are|was|were|means?|equals?|has|have|had|with|holds?|contains?|of)\b|=|\()"
    rf"\s*(?:exactly\s+)?{_FIGURE}",
    re.IGNORECASE,
)
"""What stands behind a unit word whose size the text gives itself: `a gross is 144`, `a choir of
thirty`. Whatever a note said of it would be known, or at odds with the text."""

_NUMBER = rf"(?:\d|\b(?:{'|'.join([*VALUES, *SCALES])})\b)"
_OTHERWISE = re.compile(
    rf"""
    \b(?:first|second)\s+(half)
    | {_NUMBER}\s+and\s+(?:a\s+)?(half)
    | {_NUMBER}\s+(doubles|triples)\b(?!\s+(?:every|each)\b)
    | \b(double|triple|treble|quadruple)
      (?:-|\s+(?:scoop|decker|bed|room|bass|espresso|jump|crown|play|header)s?\b)
    | \b(doubled)\s+(?:back|as|over)\b | \b(doubles)\s+(?:tennis|match|partner|team)
    | \b(gross)\s+(?:pay|weight|income|profits?|sales|margin)\b | \b(pecks?)\s+(?:at|on)\b
    | \bthe\s+((?-i:Twins))\b | \b(stone)\s+weigh(?:s|ed)\b
    | {_NUMBER}\s+score\b(?!\s+{_NUMBER})  # "two score?" is 40
    | \b(?:I|you|he|she|it|we|they|who|do|does|did|can|could|will|would|may|might|must|should|to)
      \s+(scores?)\b
    | \bdid\b[^.?!,]{{0,80}}?\s(?!{_NUMBER})[\w'-]+\s+(score)\b(?!\s+of\b)
    | \b(scores?)(?:\s+{_NUMBER}|\s*\?)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Where a word of a table, the group, is part of something else: `the first half`, `one and a half
dozen` (a dozen, but no half dozen), `5 doubles`, `a double-decker`, `did they score?`."""


class _Same:
    """A table as a key: one is equal to itself only. It is asked for dozens of times per prompt."""

    def __init__(self, table: Mapping[str, Unit]) -> None:
        self.table = table

    def __hash__(self) -> int:
        return id(self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.table is self.table


@lru_cache(64)
def _spellings(of: _Same, pointed_at: bool) -> tuple[Mapping[str, str], re.Pattern[str]]:
    """Spelling -> name, and what finds one in a text."""
    eligible = {n: u for n, u in of.table.items() if pointed_at or not u.only_pointed_at}
    spelled = {form.lower(): name for name, unit in eligible.items() for form in unit.forms}
    spelled |= {name.lower(): name for name in eligible}
    either = "|".join(re.escape(form) for form in sorted(spelled, key=len, reverse=True))
    # An empty table finds nothing.
    return spelled, re.compile(rf"(?<!\w)(?:{either})(?!\w)" if either else r"(?!)", re.IGNORECASE)


def tells_smaller(unit: Unit, spoken: Container[str]) -> bool:
    """Whether what a unit stands for matters in a text, of which these words are spoken.

    Everyday units ("$5", "3 miles") are to be told in smaller ones only if these are spoken of.
    """
    smaller = _last(unit)
    return smaller == "thing" or not unit.only_pointed_at or smaller in spoken


def _part_is_spoken_of(unit: Unit, spoken: Container[str]) -> bool:
    return _last(unit) in spoken


def _always(_unit: Unit, _spoken: Container[str]) -> bool:
    return True


def _last(unit: Unit) -> str:
    return singular(unit.text.split()[-1])


@dataclass(frozen=True)
class Stated:
    """A parser for the words of one table."""

    table: Callable[[Tables], Mapping[str, Unit]]
    matters: Callable[[Unit, Container[str]], bool] = _always
    """Whether there is anything to say of a word in a text of which these words are spoken."""
    explained: bool = False
    """Whether a number behind the word may be what the text itself says that it stands for."""
    of_number: bool = False
    """Whether the word says nothing but of another number of the text."""
    uncounted: bool = False
    """Whether there is nothing to say once the text has a number of the smaller things: of how
    many there are, it then knows better."""

    def fill(self, text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
        """A word at the span, or the first one of the text: `word`, `value`, `statement`."""
        found = self._first(text, span, tables, pointed_at=span is not None)
        if found is None:
            return None
        name, unit, _ = found
        return {"word": name, "value": f"{unit.value}", "statement": unit.text}

    def about(self, text: str, tables: Tables) -> Span | None:
        """Where the first word of the table stands in the text; of several words, the longest."""
        found = self._first(text, None, tables, pointed_at=True)
        return longest_word(text, found[2]) if found else None

    def _first(
        self, text: str, span: Span | None, tables: Tables, *, pointed_at: bool
    ) -> tuple[str, Unit, Span] | None:
        """The first word in the text that meets the span and that there is something to say of.

        Nothing is, if the text explains the word, or has no use for what it stands for.
        """
        if not asks(text) or (self.of_number and not quantities(text)):
            return None
        every = list(self._found(text, self.table(tables), pointed_at=pointed_at))
        if not every:
            return None
        known = {name for name, _, at in every if self._is_explained(text, at)}
        spoken = {singular(word) for word in re.findall(r"[a-z]+", text.lower())}
        if self.uncounted:
            spoken -= {quantity.key[-1] for quantity in quantities(text) if quantity.key}
        told = (hit for hit in every if hit[0] not in known and self.matters(hit[1], spoken))
        return next((hit for hit in told if meets(hit[2], span)), None)

    def _found(
        self, text: str, units: Mapping[str, Unit], *, pointed_at: bool
    ) -> Iterator[tuple[str, Unit, Span]]:
        """The table's words in the text, in order; longer spellings are tried first."""
        spelled, pattern = _spellings(_Same(units), pointed_at)
        hit = pattern.search(text)
        # Looked for where there is a word at all: it takes longer than finding that there is none.
        others = _OTHERWISE.finditer(text) if hit else ()
        no_word = {other.start(other.lastindex) for other in others if other.lastindex}
        while hit:
            # Whoever ignores case takes letters that lower() leaves: a dotless i for an i.
            name = spelled.get(hit.group().lower())
            if name is None or hit.start() in no_word:
                # Behind a half that is none, a dozen may be one.
                hit = pattern.search(text, hit.start() + 1)
                continue
            yield name, units[name], Span(start=hit.start(), end=hit.end())
            hit = pattern.search(text, hit.end())

    def _is_explained(self, text: str, at: Span) -> bool:
        return self.explained and bool(_EXPLAINED.match(text, at.end))


UNITS = Stated(lambda tables: tables.units, tells_smaller, explained=True)
PARTS = Stated(lambda tables: tables.parts, _part_is_spoken_of, explained=True, uncounted=True)
MULTIPLES = Stated(lambda tables: tables.multiples, of_number=True)
FRACTIONS = Stated(lambda tables: tables.fractions, of_number=True)
