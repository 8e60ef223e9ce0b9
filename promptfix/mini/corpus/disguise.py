"""Metaphor cases in which another word stands for the marked one: only a note settles them.

It is made up, or a real word which the note gives another sense.

Without these a model can learn every word of the lexicon by heart and need not hold a sense against
a sentence.
"""

from __future__ import annotations

from random import Random

from promptfix.mini.corpus.metaphor import (
    FORMS,
    Case,
    Entry,
    fill,
    lexicon,
    sense_note,
    solution,
    target_of,
)
from promptfix.mini.corpus.notes import made_up_word, place


def disguised(rng: Random) -> Case:
    """Draw a case, put another word in the place of the marked one, and note its basic sense."""
    entry = rng.choice(lexicon())
    label = rng.randint(0, 1)
    marked = fill(rng.choice(entry.figurative if label else entry.literal), rng)
    target = target_of(marked)
    stranger = made_up_word(rng) if rng.random() < 0.5 else rng.choice(lexicon()).word
    form = inflect(stranger, target, entry)
    if target[:1].isupper():
        form = form.capitalize()
    marked = marked.replace(f"*{target}*", f"*{form}*")
    made = Entry(stranger, entry.pos, entry.sense, (), ())
    prompt = rng.choice(FORMS).format(w=form, s=marked.replace("*", ""), m=marked)
    noted = place(prompt, sense_note(made, form, rng), rng)
    return Case(noted, solution(stranger, entry.sense, label), label, stranger)


def inflect(stranger: str, target: str, entry: Entry) -> str:
    """The made-up word in the form that the marked word has."""
    low = target.lower()
    if low == entry.word:
        return stranger
    for ending in ("ing", "est", "er", "s"):
        if low.endswith(ending) and not entry.word.endswith(ending):
            return stranger + ending
    return stranger + ("ed" if entry.pos == "verb" else "s" if entry.pos == "noun" else "er")
