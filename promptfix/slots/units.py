"""Words that stand for numbers: unit words of the table, and numbers in words."""

import re
from collections.abc import Container

from promptfix.formats import Tables, Unit
from promptfix.records import Span
from promptfix.slots.lemmas import singular
from promptfix.slots.words import spelled_runs

_MULTIPLES = {
    "twice": "2 times",
    "thrice": "3 times",
    "double": "2 times",
    "doubled": "2 times",
    "triple": "3 times",
    "tripled": "3 times",
    "quadruple": "4 times",
    "half": "1/2",
    "a third": "1/3",
    "one third": "1/3",
    "two thirds": "2/3",
    "a quarter of": "1/4 of",
    "one quarter": "1/4",
    "three quarters": "3/4",
    "a fifth": "1/5",
    "a tenth": "1/10",
}

_EXPLAINED = re.compile(
    r"\s*(?:is|are|means?|equals?|has|have|holds?|contains?|of|=|\()\s*\d", re.IGNORECASE
)
"""What stands behind a unit word whose size the text gives itself: `a gross is 144`, `a choir of
30`. Whatever a note said of it would be known, or at odds with the text."""

_ASKS = re.compile(
    r"(?i:\b(?:how|what|when|which)\b[^.?!]*\?)|\bHow\b"
    r"|(?i:\b(?:find the|calculate|compute|convert|determine)\b)"
)
"""Something that can be answered. Where nothing is asked, no number depends on a unit word."""


def unit_word(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """A unit word at the span, or the first one of the text: `word`, `value`, `statement`."""
    forms = _forms(tables, pointed_at=span is not None)
    found = _first(text, span, forms, tables)
    if found is None:
        return None
    word = forms[found.group().lower()]
    unit = tables.units[word]
    return {"word": word, "value": f"{unit.value:,}".replace(",", ""), "statement": unit.text}


def about(text: str, tables: Tables) -> Span | None:
    """Where the first unit word of the text stands."""
    found = _first(text, None, _forms(tables, pointed_at=True), tables)
    return Span(start=found.start(), end=found.end()) if found else None


def tells_smaller(unit: Unit, spoken: Container[str]) -> bool:
    """Whether what a unit stands for matters in a text, of which these words are spoken.

    Everyday units ("$5", "3 miles") are to be told in smaller ones only if these are spoken of.
    """
    smaller = singular(unit.text.split()[-1])
    return smaller == "thing" or not unit.only_pointed_at or smaller in spoken


def number_word(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """A number in words at the span, or all of them: `numbers`, as "forty-two is 42"."""
    del tables
    found = {run.start: (run, str(value)) for run, value in spelled_runs(text) if value != 1}
    for words, value in _MULTIPLES.items():
        for hit in re.finditer(rf"(?i)\b{words}\b", text):
            found.setdefault(hit.start(), (Span(start=hit.start(), end=hit.end()), value))
    chosen = [entry for _, entry in sorted(found.items()) if _meets(entry[0], span)]
    if not chosen:
        return None
    said = dict.fromkeys(f"{run.of(text).lower()} is {value}" for run, value in chosen)
    return {"numbers": "; ".join(list(said)[:4])}


def _forms(tables: Tables, *, pointed_at: bool) -> dict[str, str]:
    """Spelling -> unit word; also of those that need to be pointed at, if one is."""
    eligible = {n: u for n, u in tables.units.items() if pointed_at or not u.only_pointed_at}
    forms = {form.lower(): name for name, unit in eligible.items() for form in unit.forms}
    return forms | {name.lower(): name for name in eligible}


def _first(
    text: str, span: Span | None, forms: dict[str, str], tables: Tables
) -> re.Match[str] | None:
    """The first form in the text that meets the span and that there is something to say of.

    Nothing is, if the text explains the word, or has no use for what it stands for. Longer forms
    are tried first.
    """
    if not forms or not _ASKS.search(text):
        return None
    longest = sorted(forms, key=len, reverse=True)
    pattern = "|".join(re.escape(form) for form in longest)
    every = re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)
    named = [(forms[hit.group().lower()], hit) for hit in every]
    known = {name for name, hit in named if _EXPLAINED.match(text, hit.end())}
    spoken = {singular(word) for word in re.findall(r"[a-z]+", text.lower())} if named else set()
    hits = (
        hit
        for name, hit in named
        if name not in known and tells_smaller(tables.units[name], spoken)
    )
    return next((hit for hit in hits if _meets(Span(start=hit.start(), end=hit.end()), span)), None)


def _meets(found: Span, span: Span | None) -> bool:
    return span is None or (found.start < span.end and span.start < found.end)
