"""Numbers that are not written in digits: in words, and as the Romans wrote them."""

import re

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.words import asks, longest_word, meets, quantities, sentences, spelled_runs

_ROMAN = re.compile(r"(?<![\w.])X{0,3}(?:IX|IV|V?I{0,3})(?![\w'\u2019])")
"""From I to XXXIX: larger ones are rare, and look like sizes (XL) and short forms (CD)."""
_DRIP = re.compile(
    r"\b[Aa]n? IV\b|\bIV(?=[ -](?:drip|bag|line|fluid|pole|tube)s?\b)"
    r"|\b[Ss]izes? X{2,3}\b|\bXX(?=[ -]chromosome)"
)
"""Where IV is no 4 but stands for intravenous, and XX is no 20."""
_DIGITS = {"X": 10, "V": 5, "I": 1}
_MOST = 3
"""Sentences that one note repeats."""


def number_word(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """Numbers in words at the span, or all of them: `numbers` ("forty-two is 42") and `sentence`.

    The latter is what the text says with them, in digits.
    """
    del tables
    runs = _in_words(text)
    chosen = [(run, value) for run, value in runs if meets(run, span)]
    if not chosen:
        return None
    said = dict.fromkeys(f"{run.of(text).lower()} is {value}" for run, value in chosen)
    around = [s for s in sentences(text) if any(meets(run, s) for run, _ in chosen)]
    told = " ".join(_in_digits(text, sentence, runs) for sentence in around[:_MOST])
    return {"numbers": "; ".join(list(said)[:4]), "sentence": " ".join(told.split())}


def about_number_word(text: str, tables: Tables) -> Span | None:
    """Where the largest number in words stands: the least common one."""
    del tables
    runs = _in_words(text)
    largest = max(runs, key=lambda found: found[1], default=None)
    return longest_word(text, largest[0]) if largest else None


def roman(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """A Roman numeral at the span, or the first one of the text: `numeral`, `value`."""
    del tables
    found = next((run for run in _romans(text) if meets(run, span)), None)
    return {"numeral": found.of(text), "value": str(_value(found.of(text)))} if found else None


def about_roman(text: str, tables: Tables) -> Span | None:
    """Where the first Roman numeral stands."""
    del tables
    return next(iter(_romans(text)), None)


def _in_words(text: str) -> list[tuple[Span, int]]:
    """Numbers in words, if the text asks anything; "one" is as often none."""
    return [found for found in spelled_runs(text) if found[1] != 1] if asks(text) else []


def _romans(text: str) -> list[Span]:
    """Numerals of two letters or more: one alone is a word, an initial or a unit.

    None in a text that asks nothing, or has no other number to reckon with.
    """
    if not asks(text) or not quantities(text):
        return []
    found = (Span(start=m.start(), end=m.end()) for m in _ROMAN.finditer(text) if len(m[0]) > 1)
    drips = {m.end() for m in _DRIP.finditer(text)}
    return [numeral for numeral in found if numeral.end not in drips]


def _value(numeral: str) -> int:
    digits = [_DIGITS[letter] for letter in numeral]
    pairs = zip(digits, [*digits[1:], 0], strict=True)
    return sum(-one if one < following else one for one, following in pairs)


def _in_digits(text: str, sentence: Span, runs: list[tuple[Span, int]]) -> str:
    told, at = "", sentence.start
    for run, value in runs:
        if meets(run, sentence):
            told, at = f"{told}{text[at : run.start]}{value}", run.end
    return told + text[at : sentence.end]
