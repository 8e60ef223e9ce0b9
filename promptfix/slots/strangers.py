"""Numbers that stand apart from a question: of things, people or days that it does not name.

The second try of counting.py, for problems in which its stricter rules say nothing. Each rule
names the two numbers that count if it can tell of every number on which side it is.
"""

import re
from collections.abc import Callable, Sequence

from promptfix.slots.lemmas import plural, singular
from promptfix.slots.words import Quantity, pieces, sentence_at, sentences

_STARTERS = frozenset(
    """
    a after all an and as at because before both but by during each every finally first for from he
    her his how i if in it its last later my next now of on one our she so some that the their then
    there they this to today together tomorrow what when while who with yesterday you your
    """.split()
)
"""Words with a capital that are no names, at the head of a sentence."""
_PRONOUN = re.compile(r"\b(?:he|she|they|his|her|their)\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:and|first|second|remaining|last)\b")
_EXTRA = re.compile(r"\b(?:extra|also|rows? of)\b")
_MONEY = re.compile(r"\b(?:money|make|made|cost|pay|paid|spend|spent|earn|earned)\b")
_EACH = re.compile(r"\beach\b")
_END = re.compile(r"\b(?:left|remain\w*|altogether|total|in all)\b")
_UNCLEAR = frozenset(
    "one other kid person friend people row second minute hour day week month year".split()
)
"""Words that may stand for the things of the question, or go with any of them."""
_LIST = re.compile(r"(\w+) and (?:on |in |the )?(\w+)")
_MORE = re.compile(r"\s*more\b(?!\s+(?:than|\w+\s+than)\b)", re.IGNORECASE)
_ANOTHER = re.compile(r"\banother\s*$", re.IGNORECASE)


def by_thing(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """Two numbers whose things the question names, or that are more of them.

    The things of all others it does not name.
    """
    if _SEVERAL.search(asked) or _EXTRA.search(text):
        return []
    if _EACH.search(text) and _END.search(asked):
        return []
    named = {singular(piece.low) for piece in pieces(asked)}
    named |= {"dollar", "cent"} if _MONEY.search(asked) else set()
    described = [q.key for q in given if len(q.key) > 1 and named >= set(q.key)]
    whole = {key[-1] for key in described}

    def ours(quantity: Quantity) -> bool | None:
        if not quantity.key:
            return True if _on_top(text, quantity) else None
        head = quantity.key[-1]
        if head in named:
            # Of the same things, but told apart by a word: it may still be one of them.
            return True if head not in whole or named >= set(quantity.key) else None
        strange = plural(quantity.noun.split()[-1]) and not named & set(quantity.key)
        return False if strange and head not in _UNCLEAR else None

    return _two(given, ours)


def by_person(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """Two numbers of the one person that the question names; the others are of other people."""
    known = names(text)
    wanted = known & {piece.text for piece in pieces(asked)}

    def ours(quantity: Quantity) -> bool | None:
        sentence = sentence_at(text, quantity.start).of(text)
        told = known & {piece.text for piece in pieces(sentence)}
        if wanted & told or _PRONOUN.match(sentence):
            return True
        return False if told else None

    return _two(given, ours) if len(wanted) == 1 else []


def by_mark(
    asked: str,
    given: Sequence[Quantity],
    context: Callable[[Quantity], set[str]],
    stem: Callable[[str], str],
) -> list[Quantity]:
    """Two numbers that a list in the question picks out: "on monday and wednesday"."""
    found = [(stem(a.lower()), stem(b.lower())) for a, b in _LIST.findall(asked)]
    around = [context(quantity) for quantity in given]
    for pair in found:
        hits = [[q for q, words in zip(given, around, strict=True) if w in words] for w in pair]
        if all(len(hit) == 1 for hit in hits) and hits[0] != hits[1]:
            return [hits[0][0], hits[1][0]]
    return []


def _two(given: Sequence[Quantity], ours: Callable[[Quantity], bool | None]) -> list[Quantity]:
    sides = [ours(quantity) for quantity in given]
    if None in sides or sides.count(True) != 2 or not sides.count(False):
        return []
    return [quantity for quantity, mine in zip(given, sides, strict=True) if mine]


def _on_top(text: str, quantity: Quantity) -> bool:
    behind, before = text[quantity.end :], text[: quantity.start]
    return bool(_MORE.match(behind) or _ANOTHER.search(before))


def names(text: str) -> set[str]:
    """Words with a capital that are no ordinary beginnings of sentences."""
    starts = {span.start for span in sentences(text)}
    found: set[str] = set()
    for piece in pieces(text):
        if piece.kind == "word" and piece.text[:1].isupper() and piece.low not in _STARTERS:
            verbal = piece.start in starts and not re.match(r"\s+[a-z]", text[piece.end :])
            found |= set() if verbal else {piece.text}
    return found
