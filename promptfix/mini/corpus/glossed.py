"""Metaphor cases from a dictionary's examples: thousands of words, sentences of other people.

WordNet says which example shows which meaning, and of what kind a meaning is. A word that has a
bodily meaning (contact, motion, food, artifact) and is used in a mental or social one is taken to
be a metaphor; a word whose meanings are all of the latter kinds is meant as it says ("vote",
"promise"). Nobody looked at the labels, and some are wrong. A note that tells the very meaning of
an example makes its word literal there, so that the note decides and not the sentence.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from promptfix.mini.corpus.fitting import entries
from promptfix.mini.corpus.metaphor import FORMS, Case, Entry, sense_note, solution
from promptfix.mini.corpus.notes import place
from promptfix.slots.lemmas import base

BODILY = frozenset(
    """
    verb.contact verb.motion verb.body verb.consumption verb.weather verb.perception noun.artifact
    noun.body noun.animal noun.plant noun.food noun.object noun.substance
    """.split()
)
"""WordNet's kinds of meaning that a basic sense has."""
MENTAL = frozenset(
    """
    verb.cognition verb.communication verb.social verb.emotion verb.possession verb.stative
    verb.competition noun.cognition noun.communication noun.state noun.attribute noun.feeling
    noun.relation noun.event
    """.split()
)
"""Kinds of meaning that a bodily word is carried over to."""
LONGEST = 10
"""Words of a meaning."""
MANY = 3
"""A word with more bodily meanings than this has no plain basic one."""
METAPHORICAL = 0.25
NOTED = 0.5
OWN = 0.5
"""How often the note on a metaphorical example tells the meaning that it has there."""
FOREIGN = 0.15
"""How often the note on a literal example tells another word's meaning."""
_WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Example:
    """A sentence of the dictionary in which one word stands once."""

    word: str
    pos: str
    form: str
    """The word as it stands in the sentence."""
    sentence: str
    own: str
    """The meaning that the sentence shows."""
    basic: str
    """The word's basic sense."""
    label: int
    """1 if the two are of different kinds."""


def read(data: Path) -> Mapping[int, Sequence[Example]]:
    """The examples by label, without the sentences that are for mining (`moh-rest`)."""
    rows = list(_rows(data / "text" / "wordnet-glosses.jsonl"))
    mined = data / "metaphor" / "moh-rest.jsonl"
    kept_apart = {_plain(row["sentence"]) for row in _rows(mined)} if mined.exists() else set()
    meanings = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
    for row in rows:
        for word in row["words"]:
            if re.fullmatch("[a-z]{3,}", word):
                meanings[word, row["pos"]].append(row)
    found = defaultdict[int, list[Example]](list)
    for (word, pos), senses in meanings.items():
        if pos in ("verb", "noun"):
            for example in _examples(word, pos, senses):
                if _plain(example.sentence) not in kept_apart:
                    found[example.label].append(example)
    return found


def glossed(examples: Mapping[int, Sequence[Example]], rng: Random) -> Case:
    """Draw an example, and ask for its word, half of the time with a note on a meaning."""
    label = int(rng.random() < METAPHORICAL)
    one = rng.choice(examples[label])
    told, noted = one.basic, rng.random() < NOTED
    if noted and label and rng.random() < OWN:
        told, label = one.own, 0
    elif noted and not label and rng.random() < FOREIGN:
        told, label = rng.choice(examples[rng.randint(0, 1)]).basic, 1
    marked = re.sub(rf"\b{one.form}\b", f"*{one.form}*", one.sentence)
    prompt = rng.choice(FORMS).format(w=one.form, s=one.sentence, m=marked)
    if noted:
        entry = Entry(one.word, one.pos, told, (), ())
        prompt = place(prompt, sense_note(entry, one.form, rng), rng)
    return Case(prompt, solution(one.word, told, label), label, one.word)


def _examples(word: str, pos: str, senses: Sequence[dict[str, Any]]) -> Iterator[Example]:
    bodily = [sense for sense in senses if sense["lex"] in BODILY]
    known = entries().get(word)
    if not known and len(bodily) > MANY:
        return
    for sense in senses:
        label = int(bool(bodily) and sense["lex"] in MENTAL)
        if bodily and not label and sense["lex"] not in BODILY:
            continue
        own = _meaning(sense["definition"])
        basic = known.sense if known and known.pos == pos and bodily else own
        if label and not known:
            basic = _meaning(bodily[0]["definition"])
        if own and basic:
            for text in sense["examples"]:
                forms = [form for form in _WORD.findall(text) if base(form.lower(), {word})]
                if len(forms) == 1 and len(text.split()) > 3:
                    yield Example(word, pos, forms[0], _told(text), own, basic, label)


def _meaning(definition: str) -> str:
    """The first part of a definition, if it is short; else ""."""
    first = re.sub(r"\([^)]*\)", "", definition).split(";")[0]
    words = first.strip(" ,.:").split()
    return " ".join(words) if 2 <= len(words) <= LONGEST else ""


def _told(text: str) -> str:
    """An example as a sentence."""
    text = text.strip().replace("*", "")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_text("utf-8").splitlines())


def _plain(text: str) -> str:
    """A sentence by its letters alone."""
    return re.sub(r"[^a-z]", "", text.lower())
