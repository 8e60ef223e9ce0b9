"""The training mixture of `mini`: an endless, seeded stream of documents.

A document is a chat turn (prompt and reply) or plain text (no prompt). Generated documents need
nothing; the reading texts and the worked GSM8K and OpenStax problems come from the folder
`PROMPTFIX_DATA` and are left out when it is not there. Only the sets that
their licences and DESIGN's table allow are named here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from promptfix.mini.corpus import (
    deciding,
    disguise,
    fitting,
    glossed,
    metaphor,
    notes,
    planted,
    surface,
    worked,
)
from promptfix.mini.corpus.draws import number, worked_out

TEXTS = {
    "books-children": 3,
    "books-simple-fiction": 1,
    "stories-african-storybook": 2,
    "stories-pratham": 3,
    "common-voice-sentences": 3,
    "blimp-good-sentences": 0.5,
    "openstax-prealgebra-algebra": 1,
}
"""Reading text -> how often it is drawn, against the others."""
WEIGHTS = TEXTS | {"wordnet-glosses": 3}
MAX_CHARACTERS = 420
PROSE = tuple(name for name in TEXTS if name.startswith(("books", "stories")))
"""The texts that numbers are planted in, in shorter pieces."""
MAX_PROSE = 240
OPENINGS = "common-voice-sentences"
REVERSED = 0.03
"""How often the answer to a difference was begun the wrong way round."""
SIGNED = 0.1
"""How often the difference on a page of sums may come out below nought."""
_DIFFERENCE = re.compile(r"(\d+) - (\d+) = (\d+)")
_OPENING = re.compile(r"[A-Z][^\d?\n]{15,90}\.")


@dataclass(frozen=True)
class Document:
    """One training document; `prompt` is None for plain text."""

    prompt: str | None
    reply: str
    begun: str = ""
    """What the reply begins with and should not: it is read, and what follows puts it right."""


class Mixture:
    """Draws documents. `data` is the folder with `math/` and `text/`, or None."""

    def __init__(self, data: Path | None) -> None:
        self._texts = _read_texts(data) if data else {}
        self._worked = worked.read(data) if data else []
        self._shortness = [1 / len(one.sums) for one in self._worked]
        self._countable = _read_countable(data) if data else []
        self._sentences = [
            sentence
            for name in (*PROSE, OPENINGS)
            for text in self._texts.get(name, [])
            for sentence in re.split(r"(?<=[.!?]) +", text)
            if fitting.SENTENCE.fullmatch(sentence)
        ]
        self._examples = glossed.read(data) if data else {}
        self._openings = [s for s in self._texts.get(OPENINGS, []) if _OPENING.fullmatch(s)]
        weights: dict[Callable[[Random], Document], float] = {
            _problem: 0.42,
            _noted: 0.10,
            _decided: 0.22,
            _metaphor: 0.06,
            _disguised: 0.05,
            _sums: 0.05,
        }
        if self._texts:
            weights |= {self._text: 0.09, self._opened: 0.03, self._planted: 0.06}
            weights |= {self._fitting: 0.09, self._dressed: 0.03, self._glossed: 0.10}
        if self._worked:
            weights[self._real] = 0.06
        self._makers, self._weights = list(weights), list(weights.values())

    def stream(self, seed: int) -> Iterator[Document]:
        """Documents for ever; equal seeds give equal streams."""
        rng = Random(seed)
        while True:
            yield rng.choices(self._makers, self._weights)[0](rng)

    def _text(self, rng: Random) -> Document:
        name = rng.choices(list(self._texts), [WEIGHTS[n] for n in self._texts])[0]
        return Document(None, rng.choice(self._texts[name]))

    def _real(self, rng: Random) -> Document:
        """A real problem told again; a short one is drawn as often as all its sums are few."""
        told = worked.retold(rng.choices(self._worked, self._shortness)[0], rng)
        note = deciding.hint(told.sums, rng) if rng.random() < 0.35 else None
        asked = notes.place(told.question, note, rng) if note else told.question
        return Document(asked, told.reply)

    def _planted(self, rng: Random) -> Document:
        item = planted.planted(rng.choice(self._countable), rng)
        return Document(item.prompt, item.solution)

    def _opened(self, rng: Random) -> Document:
        """A generated problem after a sentence from the reading texts, which plays no part."""
        item = surface.problem(rng)
        opening = rng.choice(self._openings)
        return Document(f"{opening} {item.text}", item.solution)

    def _fitting(self, rng: Random) -> Document:
        item = fitting.fitting(self._sentences, rng)
        return Document(item.prompt, item.solution)

    def _glossed(self, rng: Random) -> Document:
        item = glossed.glossed(self._examples, rng)
        return Document(item.prompt, item.solution)

    def _dressed(self, rng: Random) -> Document:
        """A sentence of the lexicon beside one from the reading texts."""
        item = metaphor.case(rng, beside=rng.choice(self._sentences))
        return Document(item.prompt, item.solution)


def _problem(rng: Random) -> Document:
    item = surface.problem(rng)
    difference = _DIFFERENCE.fullmatch("; ".join(item.steps))
    if difference and rng.random() < REVERSED:
        more, less, left = difference.groups()
        reply = f" -{left}\n{item.steps[0]}\nAnswer: {item.answer}"
        return Document(item.text, reply, f"{item.phrase}: {less} - {more} =")
    return Document(item.text, item.solution)


def _noted(rng: Random) -> Document:
    text, item = notes.annotated(rng)
    return Document(text, item.solution)


def _decided(rng: Random) -> Document:
    text, item = deciding.decided(rng)
    return Document(text, item.solution)


def _sums(rng: Random) -> Document:
    """A page of sums: computing is learnt apart from reading."""
    return Document(None, "\n".join(_sum(rng) for _ in range(rng.randint(4, 9))))


def _sum(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.2:
        return _pointed_sum(rng)
    if roll < 0.3:
        a, b = rng.randint(13, 999), rng.randint(13, 99)
        return "\n".join(worked_out(f"{a} * {b}", a * b))
    kind = rng.choice("+++---**/")
    a, b = number(rng), number(rng)
    if kind == "-":
        if a > b or rng.random() > SIGNED:
            a, b = max(a, b), min(a, b)
    elif kind in "*/":
        small = rng.random() < 0.6
        a = rng.randint(2, 12 if small else 9)
        b = rng.randint(2, 12) if small else rng.randint(10, 99)
        a, b = (a * b, rng.choice((a, b))) if kind == "/" else rng.sample((a, b), 2)
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[kind]
    return f"{a} {kind} {b} = {result}"


def _pointed_sum(rng: Random) -> str:
    """A sum of amounts with one or two decimals, at times of one with a whole number."""
    a, b = (_amount(rng) for _ in "ab")
    kind = rng.choice("+++---*/x%:")
    if kind == "x":
        n = rng.randint(13, 99)
        return "\n".join(worked_out(f"{a} * {n}", a * n))
    if kind == "%":
        return f"{a * 100} / 100 = {a}"
    if kind == ":":
        n = rng.randint(2, 60)
        return f"{n * a} / {a} = {n}"
    if kind == "*":
        n = rng.randint(2, 12)
        return f"{n} * {a} = {n * a}" if rng.random() < 0.5 else f"{a} * {n} = {a * n}"
    if kind == "/":
        n = rng.randint(2, 12)
        return f"{n * a} / {n} = {a}"
    if kind == "-":
        a, b = max(a, b), min(a, b)
    return f"{a} {kind} {b} = {a + b if kind == '+' else a - b}"


def _amount(rng: Random) -> Decimal:
    """An amount under a thousand, mostly with two decimals."""
    places = rng.choice((2, 2, 2, 2, 2, 1, 1, 0))
    return Decimal(rng.choice((rng.randint(25, 9999), rng.randint(1, 99_999)))).scaleb(-places)


def _metaphor(rng: Random) -> Document:
    item = metaphor.case(rng)
    return Document(item.prompt, item.solution)


def _disguised(rng: Random) -> Document:
    item = disguise.disguised(rng)
    return Document(item.prompt, item.solution)


def _read_texts(data: Path) -> dict[str, list[str]]:
    texts = {name: _paragraphs(data / "text" / f"{name}.txt") for name in TEXTS}
    texts["wordnet-glosses"] = list(_glosses(data / "text" / "wordnet-glosses.jsonl"))
    return texts


def _read_countable(data: Path) -> list[str]:
    texts = (_paragraphs(data / "text" / f"{name}.txt", MAX_PROSE) for name in PROSE)
    return [text for pieces in texts for text in pieces if len(planted.nouns(text)) > 1]


def _paragraphs(path: Path, longest: int = MAX_CHARACTERS) -> list[str]:
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return [piece for line in lines if line for piece in _pieces(line, longest)]


def _pieces(line: str, longest: int) -> Iterator[str]:
    """Whole sentences, `longest` characters a piece at most."""
    piece = ""
    for sentence in re.split(r"(?<=[.!?]) +", line):
        if piece and len(piece) + len(sentence) > longest:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()[:longest]
    if piece:
        yield piece


def _glosses(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        examples = " ".join(f'"{e}"' for e in row.get("examples") or [])
        entry = f"{', '.join(row['words'])} ({row['pos']}): {row['definition']}. {examples}"
        yield entry.strip()[:MAX_CHARACTERS]
