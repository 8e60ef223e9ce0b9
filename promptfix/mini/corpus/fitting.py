"""Does a word's basic sense fit where the word stands? Sentences of the reading texts, any word.

The lexicon's sentences are short and of few forms, and other people's sentences are not: a model
that saw only the former takes the latter for figures of speech. Here a sentence from the texts asks
for one of its words. Its own sense fits nearly always (weak supervision: nobody looked). A note
that gives the word the sense of another one does not: told "pay: strike with a stick", "she paid
the baker" is no stick at work. So the note decides, and neither label has sentences of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from random import Random

from promptfix.mini.corpus.disguise import inflect
from promptfix.mini.corpus.metaphor import FORMS, Case, Entry, lexicon, sense_note, solution
from promptfix.mini.corpus.notes import made_up_word, place
from promptfix.slots.lemmas import base

SENTENCE = re.compile(r"[A-Z][^\n?]{20,150}[.!]")
_WORD = re.compile(r"[A-Za-z]{3,}")
_TRIES = 30
FALSE = 0.2
"""How often the note gives the sense of another word."""
NOTED = 0.5
"""How often a word with its own sense is noted."""
STRANGER = 0.35
"""How often another word stands for it, made up or real: then always noted."""


@cache
def entries() -> dict[str, Entry]:
    """The lexicon by word."""
    return {entry.word: entry for entry in lexicon()}


def known_words(sentence: str) -> list[tuple[str, Entry]]:
    """The sentence's words that the lexicon has, with their entries, each once."""
    known = entries()
    words = dict.fromkeys(_WORD.findall(sentence))
    found = [(word, base(word, known)) for word in words if sentence.count(word) == 1]
    return [(word, known[form]) for word, form in found if form]


def fitting(sentences: Sequence[str], rng: Random) -> Case:
    """Draw a sentence, one of its words, and a sense that fits or does not."""
    for _ in range(_TRIES):
        sentence = rng.choice(sentences)
        if words := known_words(sentence):
            return asked(sentence, *rng.choice(words), rng)
    raise ValueError("the sentences hold no word of the lexicon")


def asked(sentence: str, word: str, entry: Entry, rng: Random) -> Case:
    """Ask for `word` in a sentence, with its own sense or another one's."""
    false = rng.random() < FALSE
    shown = _other(entry, rng) if false else entry
    stranger = rng.random() < STRANGER
    name, form = entry.word, word
    if stranger:
        name = made_up_word(rng) if rng.random() < 0.5 else _other(entry, rng).word
        form = inflect(name, word, entry)
        form = form.capitalize() if word[:1].isupper() else form
    marked = re.sub(rf"\b{word}\b", f"*{form}*", sentence)
    prompt = rng.choice(FORMS).format(w=form, s=marked.replace("*", ""), m=marked)
    if false or stranger or rng.random() < NOTED:
        told = Entry(name, entry.pos, shown.sense, (), ())
        prompt = place(prompt, sense_note(told, form, rng), rng)
    return Case(prompt, solution(name, shown.sense, int(false)), int(false), name)


def _other(entry: Entry, rng: Random) -> Entry:
    """Another word of the lexicon, of the same part of speech."""
    while True:
        other = rng.choice(lexicon())
        if other.pos == entry.pos and other.word != entry.word:
            return other
