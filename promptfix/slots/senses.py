"""The marked word of a sentence: its basic sense, and the noun that it keeps company with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from promptfix.formats import Sense, Tables
from promptfix.records import Span
from promptfix.slots.lemmas import base
from promptfix.slots.words import STOP, Piece, meets, pieces

_QUOTE = r"[\"'\u201c\u201d\u2018\u2019`*_]{1,2}"
_NAMED = (
    re.compile(rf"(?i)\b(?:word|verb|noun|adjective|term)\s+{_QUOTE}(?P<word>[\w-]+){_QUOTE}"),
    re.compile(rf"(?i)\bis\s+{_QUOTE}(?P<word>[\w-]+){_QUOTE}"),
    re.compile(r"(?<!\w)(?P<mark>\*{1,2}|_{1,2})(?P<word>[\w-]+)(?P=mark)(?!\w)"),
    re.compile(r"[\"\u201c](?P<word>[\w-]+)[\"\u201d]"),
)
_ASKS = frozenset("literal literally metaphor metaphorical metaphorically figurative".split())
REACH = 5
"""How many words off a noun may stand and still be company of the marked word."""


@dataclass(frozen=True)
class Marked:
    """The word in question and where it stands in its sentence."""

    word: str
    use: Span


def sense(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The marked word's entry: `word` as marked, `lemma`, `sense`."""
    return _entry(text, span, tables.senses)


def rare_sense(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The entry of a marked word that few texts have, as `sense` gives it."""
    return _entry(text, span, tables.rare)


def _entry(text: str, span: Span | None, known: Mapping[str, Sense]) -> dict[str, str] | None:
    marked = find_marked(text, span)
    lemma = base(marked.word, known) if marked else None
    if marked is None or lemma is None or _explained(text, lemma):
        return None
    return {"word": marked.word, "lemma": lemma, "sense": known[lemma].sense}


def company(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The noun that stands beside the marked word: `noun`, `sense`."""
    found = _beside(text, tables)
    if found is None or not meets(found[0], span):
        return None
    at, entry = found
    return {"noun": at.of(text).lower(), "sense": entry.sense}


def about_company(text: str, tables: Tables) -> Span | None:
    """Where the noun beside the marked word stands."""
    found = _beside(text, tables)
    return found[0] if found else None


def about(text: str, tables: Tables) -> Span | None:
    """Where the marked word is used."""
    del tables
    marked = find_marked(text)
    return marked.use if marked else None


def find_marked(text: str, span: Span | None = None) -> Marked | None:
    """The word that the prompt marks, and its use in the sentence (not where it is marked).

    None if a span is given and is another word.
    """
    marked = _marked(text)
    if marked and not meets(marked.use, span):
        return None
    return marked


def _marked(text: str) -> Marked | None:
    for pattern in _NAMED:
        for found in pattern.finditer(text):
            word = found["word"]
            if word.lower() in _ASKS:
                continue
            mark = Span(start=found.start("word"), end=found.end("word"))
            return Marked(word, _use(text, word, mark))
    return None


def _use(text: str, word: str, mark: Span) -> Span:
    """Another occurrence of the word, the last one; else the marked one."""
    found = re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
    others = [Span(start=m.start(), end=m.end()) for m in found if m.start() != mark.start]
    return others[-1] if others else mark


def _sentence(text: str, use: Span) -> list[Piece]:
    """The pieces between the closest ends of a sentence, or quotation marks, around a use."""
    before = re.finditer(r"[.!?:\n](?=\W|$)|[\"\u201c]", text[: use.start])
    starts = [found.end() for found in before]
    ends = re.search(r"[.!?\"\u201d\n]", text[use.end :])
    start = starts[-1] if starts else 0
    end = use.end + ends.start() if ends else len(text)
    return [p for p in pieces(text) if start <= p.start and p.end <= end]


def _explained(text: str, lemma: str) -> bool:
    """Whether the text says itself what a word means: "to furl is to roll up"."""
    word = re.escape(lemma)
    return bool(re.search(rf"(?i)\b(?:to {word} is to|an? {word} is an?|{word} means)\b", text))


def _beside(text: str, tables: Tables) -> tuple[Span, Sense] | None:
    """The noun of the tables that stands nearest to the marked word, behind it if there is one.

    A rare one goes first: it is what a reader may not know.
    """
    marked = find_marked(text)
    if marked is None:
        return None
    words = [piece for piece in _sentence(text, marked.use) if piece.kind == "word"]
    behind = [word for word in words if word.start >= marked.use.end][:REACH]
    before = [word for word in words if word.end <= marked.use.start][::-1][:REACH]
    for table in (tables.rare, tables.senses):
        for word in behind + before:
            lemma = base(word.low, table)
            if lemma and table[lemma].pos == "noun" and word.low not in STOP:
                return Span(start=word.start, end=word.end), table[lemma]
    return None
