"""The training mixture of `mini`: an endless, seeded stream of documents.

A document is a chat turn (prompt and reply) or plain text (no prompt). Generated documents need
nothing; the reading texts and the worked GSM8K and OpenStax problems come from the folder
`PROMPTFIX_DATA` and are left out, with a word in the log, when it is not there. Only the sets that
their licences and DESIGN's table allow are named here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from promptfix.mini.corpus import disguise, metaphor, notes, surface
from promptfix.mini.corpus.draws import number

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
_ASKED = re.compile(
    r"[Hh]ow (?:many|much) (.{2,40}?) (?:does|did|do|are|is|was|were|will|would|can|could|should"
    r"|has|have|had|in|on|at|for|to|per|must)\b"
)
_SIMPLE_STEP = re.compile(r"\d+[-+*/]\d+([-+*/]\d+)?=\d+")


@dataclass(frozen=True)
class Document:
    """One training document; `prompt` is None for plain text."""

    prompt: str | None
    reply: str


class Mixture:
    """Draws documents. `data` is the folder with `math/` and `text/`, or None."""

    def __init__(self, data: Path | None) -> None:
        self._texts = _read_texts(data) if data else {}
        self._worked = _read_worked(data) if data else []
        weights: dict[Callable[[Random], Document], float] = {
            _problem: 0.47,
            _noted: 0.15,
            _metaphor: 0.11,
            _disguised: 0.07,
            _sums: 0.09,
        }
        if self._texts:
            weights[self._text] = 0.07
        if self._worked:
            weights[self._real] = 0.04
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
        return rng.choice(self._worked)


def _problem(rng: Random) -> Document:
    item = surface.problem(rng)
    return Document(item.text, item.solution)


def _noted(rng: Random) -> Document:
    text, item = notes.annotated(rng)
    return Document(text, item.solution)


def _sums(rng: Random) -> Document:
    """A page of sums: computing is learnt apart from reading."""
    return Document(None, "\n".join(_sum(rng) for _ in range(rng.randint(4, 9))))


def _sum(rng: Random) -> str:
    kind = rng.choice("+++---**/")
    a, b = number(rng), number(rng)
    if kind == "-":
        a, b = max(a, b), min(a, b)
    elif kind in "*/":
        small = rng.random() < 0.6
        a = rng.randint(2, 12 if small else 9)
        b = rng.randint(2, 12) if small else rng.randint(10, 99)
        a, b = (a * b, rng.choice((a, b))) if kind == "/" else rng.sample((a, b), 2)
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[kind]
    return f"{a} {kind} {b} = {result}"


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


def _paragraphs(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return [piece for line in lines if line for piece in _pieces(line)]


def _pieces(line: str) -> Iterator[str]:
    """Whole sentences up to `MAX_CHARACTERS` a piece."""
    piece = ""
    for sentence in re.split(r"(?<=[.!?]) +", line):
        if piece and len(piece) + len(sentence) > MAX_CHARACTERS:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()[:MAX_CHARACTERS]
    if piece:
        yield piece


def _glosses(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        examples = " ".join(f'"{e}"' for e in row.get("examples") or [])
        entry = f"{', '.join(row['words'])} ({row['pos']}): {row['definition']}. {examples}"
        yield entry.strip()[:MAX_CHARACTERS]


def for_training(item_id: str) -> bool:
    """Whether a GSM8K training item belongs to mini's half; the other half is for mining."""
    return hashlib.sha256(item_id.encode()).digest()[0] % 2 == 0


def _read_worked(data: Path) -> list[Document]:
    file = data / "math" / "gsm8k-train.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    mine = [row for row in rows if for_training(row["id"])]
    found = (_worked(row["question"], row["solution"], row["answer"]) for row in mine)
    return [document for document in found if document is not None]


def _worked(question: str, solution: str, answer: str) -> Document | None:
    """A GSM8K item in mini's form; None unless it takes one to four whole-number sums."""
    sums = re.findall(r"<<([^>]*)>>", solution)
    simple = 1 <= len(sums) <= 4 and all(_SIMPLE_STEP.fullmatch(s) for s in sums)
    if not simple or not sums[-1].endswith("=" + answer):
        return None
    spaced = "\n".join(re.sub(r"([-+*/=])", r" \1 ", s) for s in sums)
    phrase = asked_phrase(question)
    lead = f"{phrase}: " if phrase else ""
    return Document(question, f"{lead}{spaced}\nAnswer: {answer}")


def asked_phrase(question: str) -> str:
    """The words that name what is asked ("red marbles"); "" unless it is how many or how much."""
    found = _ASKED.search(question)
    return found[1] if found else ""
