"""The marked word of a sentence: its basic sense, and the words it keeps company with."""

import re
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.lemmas import base
from promptfix.slots.words import AUXILIARY, STOP, Piece, meets, pieces

_QUOTE = r"[\"'\u201c\u201d\u2018\u2019`*_]{1,2}"
_NAMED = (
    re.compile(rf"(?i)\b(?:word|verb|noun|adjective|term)\s+{_QUOTE}(?P<word>[\w-]+){_QUOTE}"),
    re.compile(rf"(?i)\bis\s+{_QUOTE}(?P<word>[\w-]+){_QUOTE}"),
    re.compile(r"(?<!\w)(?P<mark>\*{1,2}|_{1,2})(?P<word>[\w-]+)(?P=mark)(?!\w)"),
    re.compile(r"[\"\u201c](?P<word>[\w-]+)[\"\u201d]"),
)
_PRONOUNS = frozenset("i you he she it we they me him her us them this that".split())
_DETERMINERS = frozenset("a an the my your his her its our their this that these those".split())
_ASKS = frozenset("literal literally metaphor metaphorical metaphorically figurative".split())


@dataclass(frozen=True)
class Marked:
    """The word in question and where it stands in its sentence."""

    word: str
    use: Span


def sense(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The marked word's entry: `word` as marked, `lemma`, `sense`."""
    marked = find_marked(text, span)
    lemma = base(marked.word, tables.senses) if marked else None
    if marked is None or lemma is None:
        return None
    return {"word": marked.word, "lemma": lemma, "sense": tables.senses[lemma].sense}


def company(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The words around the marked word: `word`, `company` as '"She" ... "the novel"'."""
    del tables
    marked = find_marked(text, span)
    if marked is None:
        return None
    sentence = _sentence(text, marked.use)
    left = [p for p in sentence if p.end <= marked.use.start]
    right = [p for p in sentence if p.start >= marked.use.end]
    chunks = [_chunk(text, left, from_left=False), _chunk(text, right, from_left=True)]
    said = [f'"{chunk}"' for chunk in chunks if chunk]
    return {"word": marked.word, "company": " ... ".join(said)} if said else None


def sense_company(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """Both: `word`, `lemma`, `sense`, `company`."""
    meaning, around = sense(text, span, tables), company(text, span, tables)
    return {**meaning, **around} if meaning and around else None


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


def _chunk(text: str, side: list[Piece], *, from_left: bool) -> str:
    """The nearest content word or pronoun on one side, with its determiner and what is between."""
    words = [piece for piece in side if piece.kind == "word"]
    order = range(len(words)) if from_left else range(len(words) - 1, -1, -1)
    for at in order:
        low = words[at].low
        if low in AUXILIARY or (low in STOP and low not in _PRONOUNS):
            continue
        if low in _DETERMINERS and at + 1 < len(words) and words[at + 1].low not in STOP:
            continue
        first = at
        while first and not _is_break(words[first - 1]) and at - first < 2:
            first -= 1
            if words[first].low in _DETERMINERS:
                return text[words[first].start : words[at].end]
        return words[at].text
    return ""


def _is_break(word: Piece) -> bool:
    return word.low in STOP and word.low not in _DETERMINERS
