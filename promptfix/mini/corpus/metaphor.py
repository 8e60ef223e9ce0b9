"""The metaphor task: sentences with one marked word, from the lexicon written for this project.

`lexicon/*.jsonl` holds words with their basic sense and sentences of both kinds (`usage_*`: longer
ones, as newspapers, novels, reports and talk have them); `classes.json` fills the slots.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from promptfix.mini.corpus.notes import place

_SLOT = re.compile(r"\{(\w+)\}")
FORMS = ['Is the word "{w}" used literally or metaphorically in this sentence? {s}'] * 4 + [
    'In the sentence "{s}", is the word "{w}" literal or metaphorical?',
    "{m} Is the marked word literal or metaphorical?",
    "Sentence: {s}\nWord: {w}\nLiteral or metaphorical?",
    'Literal or metaphorical: "{w}" in "{s}"',
    '{s}\nIs "{w}" meant literally here, or metaphorically?',
]
_SENSES = [
    "to begin with, {w} is: {s}.",
    "{w} = {s}",
    "the plain sense of {w} is {s}.",
    "at bottom {t} is about: {s}.",
    "{w}: {s}.",
    "a dictionary says of {w}: {s}.",
    "{t} comes from {w}, which is to say {s}.",
]


@dataclass(frozen=True)
class Entry:
    """One word of the lexicon."""

    word: str
    pos: str
    sense: str
    literal: tuple[str, ...]
    figurative: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One sentence with a marked word, its question and its answer."""

    prompt: str
    solution: str
    label: int
    word: str


@cache
def lexicon() -> tuple[Entry, ...]:
    """Every word of the lexicon, in the order of the files; a word's sentences stand together."""
    merged: dict[tuple[str, str], Entry] = {}
    for entry in _entries():
        before = merged.get((entry.word, entry.pos), replace(entry, literal=(), figurative=()))
        merged[entry.word, entry.pos] = replace(
            before,
            literal=before.literal + entry.literal,
            figurative=before.figurative + entry.figurative,
        )
    return tuple(merged.values())


def _entries() -> Iterator[Entry]:
    folder = resources.files("promptfix.mini").joinpath("lexicon")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".jsonl"):
            for line in file.read_text("utf-8").splitlines():
                yield _entry(json.loads(line))


def _entry(row: dict[str, Any]) -> Entry:
    frames = tuple(row["literal"]), tuple(row["figurative"])
    return Entry(row["word"], row["pos"], row["sense"].rstrip("."), *frames)


@cache
def classes() -> dict[str, list[str]]:
    """Slot name -> noun phrases that fill it."""
    file = resources.files("promptfix.mini").joinpath("lexicon/classes.json")
    return json.loads(file.read_text("utf-8"))


def fill(frame: str, rng: Random) -> str:
    """A sentence from a frame: slots filled, first letter capital, asterisks kept."""
    text = _SLOT.sub(lambda m: rng.choice(classes()[m[1]]), frame)
    return text[:1].upper() + text[1:] if text[0] != "*" else "*" + text[1:2].upper() + text[2:]


def case(rng: Random, noted: float = 0.3, beside: str = "") -> Case:
    """Draw a word, a label and a sentence.

    With probability `noted` the prompt carries the word's basic sense. A sentence `beside` stands
    before or behind.
    """
    entry = rng.choice(lexicon())
    label = rng.randint(0, 1)
    marked = fill(rng.choice(entry.figurative if label else entry.literal), rng)
    if rng.random() < 0.1:
        marked = marked.rstrip(".")
    target = target_of(marked)
    if beside:
        beside = beside.replace("*", "")
        marked = f"{beside} {marked}" if rng.random() < 0.5 else f"{marked} {beside}"
    prompt = rng.choice(FORMS).format(w=target, s=marked.replace("*", ""), m=marked)
    if rng.random() < noted:
        prompt = place(prompt, sense_note(entry, target, rng), rng)
    return Case(prompt, solution(entry.word, entry.sense, label), label, entry.word)


def target_of(marked: str) -> str:
    """The word between asterisks."""
    found = re.search(r"\*([^*]+)\*", marked)
    if found is None:
        raise ValueError(f"no word is marked in {marked!r}")
    return found[1]


def solution(word: str, sense: str, label: int) -> str:
    """The answer as the model should write it: the basic sense, then the verdict."""
    return f"{word} = {sense}\nAnswer: {'metaphorical' if label else 'literal'}"


def sense_note(entry: Entry, target: str, rng: Random) -> str:
    """A training note on a word's basic sense."""
    return rng.choice(_SENSES).format(w=entry.word, t=target, s=entry.sense)
