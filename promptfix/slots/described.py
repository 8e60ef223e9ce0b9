"""The numbers of a problem with the words that they stand with.

A number's words are those around it up to the next break or number. Where it has no verb of its
own it takes those before the number before it: "she played tag with 3 boys and 4 girls".
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from promptfix.slots.lemmas import IRREGULAR, singular, stem
from promptfix.slots.words import AUXILIARY, Piece, Quantity, pieces, quantities, sentences

_BREAKS = frozenset(", ; : and but while who which than if when because so how".split())
TIMES = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday yesterday today tomorrow morning
    afternoon evening night noon weekend spring summer autumn winter first second third last next
    """.split()
)
KIN = frozenset("mother mom father dad friend brother sister teacher uncle aunt".split())
_RATES = frozenset("each every per".split())
_SUBJECTS = frozenset("he she they we it you".split())
_PLACES = frozenset("in on at for from with to into by during off of".split())
_EMPTY_VERBS = AUXILIARY | {"go", "went"}
_STATES = frozenset("have has had own owns owned is are was were cost costs hold holds".split())
_KEPT = frozenset("more fewer less left now".split())
"""Words that say something of a number, though they are of no use elsewhere."""


class Told(NamedTuple):
    """A number and what is said of it."""

    quantity: Quantity
    noun: tuple[str, ...]
    """The words for what is counted, in the singular; for "3 more" those before it."""
    words: frozenset[str]
    """Stems of all words that it stands with: those before it, its noun, those behind it."""
    times: frozenset[str]
    """When it was: its own words for that, else the nearest in its sentence."""
    doing: frozenset[str]
    """Stems of its verb and of what is said with it up to a preposition: "played tag"."""
    of: frozenset[str]
    """Stems of the words behind "of" that say what it is of: "3 bags of cans"."""
    rate: frozenset[str]
    """Stems of the words behind "each", "every" or "per" if it stands with one, else none."""
    sentence: int
    """The number of its sentence."""
    state: bool
    """Whether its sentence has a verb of having or being, and so tells of no change."""

    @property
    def head(self) -> str:
        """The last word of what is counted, in the singular; may be empty."""
        return self.noun[-1] if self.noun else ""

    @property
    def key(self) -> frozenset[str]:
        """Stems of the words for what is counted."""
        return frozenset(stem(word) for word in self.noun)


class _Part(NamedTuple):
    """The pieces around a number: what leads to it and what follows it."""

    lead: Sequence[Piece]
    tail: Sequence[Piece]


def describe(text: str) -> list[Told]:
    """Tell of every number of a text which words it stands with."""
    found: list[Told] = []
    every, numbers = list(pieces(text)), list(quantities(text))
    at = counting = 0
    for place, span in enumerate(sentences(text)):
        first, until = at, counting
        while at < len(every) and every[at].start < span.end:
            at += 1
        while counting < len(numbers) and numbers[counting].start < span.end:
            counting += 1
        found += _in_sentence(
            every[first:at], numbers[until:counting], place, found[-1] if found else None
        )
    return found


def content(some: Iterable[Piece]) -> frozenset[str]:
    """Stems of the words that carry meaning."""
    return frozenset(stem(p.low) for p in some if not p.stops and p.low not in TIMES)


def content_of(text: str) -> frozenset[str]:
    """Stems of a text's words that carry meaning."""
    return content(pieces(text))


def lows_of(text: str) -> frozenset[str]:
    """A text's words in lower case."""
    return frozenset(piece.low for piece in pieces(text) if piece.kind == "word")


def _in_sentence(
    every: Sequence[Piece], numbers: Sequence[Quantity], place: int, before: Told | None
) -> list[Told]:
    """Tell of the numbers of a sentence; `before` is the number before them."""
    parts = _parts(every, numbers)
    state = any(piece.low in _STATES for piece in every)
    when = [_times([*part.lead, *part.tail]) for part in parts]
    found: list[Told] = []
    lead: Sequence[Piece] = ()
    for at, (quantity, part) in enumerate(zip(numbers, parts, strict=True)):
        own = any(verbal(piece) for piece in [*part.lead, *part.tail])
        lead = part.lead if own or not at else [*lead, *part.lead]
        near = next((some for some in [*when[at:], *when[:at][::-1]] if some), frozenset[str]())
        noun, of = quantity.key, _behind_of(quantity, part.tail)
        if not noun and before and part.tail and part.tail[0].low == "more":
            noun, of = before.noun, before.of
        here = [*lead, *part.tail]
        words = content(here) | {stem(word) for word in noun} | of
        words |= {piece.low for piece in here} & _KEPT
        doing = _doing(lead) or _doing(part.tail)
        rate = _rate(part.tail) or _rate(lead)
        before = Told(quantity, noun, words, near, doing, of, rate, place, state)
        found.append(before)
    return found


def _parts(every: Sequence[Piece], numbers: Sequence[Quantity]) -> list[_Part]:
    """Share out a sentence's pieces among its numbers, the first break between two parts them."""
    gaps: list[list[Piece]] = [[] for _ in range(len(numbers) + 1)]
    at = 0
    for piece in every:
        while at < len(numbers) and piece.start >= numbers[at].end:
            at += 1
        if at == len(numbers) or piece.end <= numbers[at].start:
            gaps[at].append(piece)
    parts: list[_Part] = []
    lead = _clause(gaps[0])
    for gap in gaps[1:]:
        cut = next((n for n, piece in enumerate(gap) if piece.low in _BREAKS), len(gap))
        parts.append(_Part(lead, gap[:cut]))
        lead = gap[cut:]
    return parts


def _clause(some: Sequence[Piece]) -> Sequence[Piece]:
    """The clause that a number stands in: from the last break or pronoun before it."""
    cuts = [n for n, piece in enumerate(some) if piece.low in _BREAKS | _SUBJECTS]
    return some[cuts[-1] :] if cuts else some


def _doing(some: Sequence[Piece]) -> frozenset[str]:
    """Stems of a verb and its object, without verbs that say little of themselves."""
    start = next((n for n, piece in enumerate(some) if verbal(piece)), len(some))
    rest = some[start:]
    ends = _PLACES | _BREAKS
    end = next((n for n, piece in enumerate(rest) if piece.low in ends), len(rest))
    said = content(piece for piece in rest[:end] if piece.low not in _EMPTY_VERBS)
    return said or frozenset(stem(piece.low) for piece in rest[:1])


def _behind_of(quantity: Quantity, tail: Sequence[Piece]) -> frozenset[str]:
    head = quantity.noun.split()[-1:]
    at = next((n for n, piece in enumerate(tail, 1) if [piece.text] == head), len(tail))
    behind = tail[at:]
    if not behind or behind[0].low != "of":
        return frozenset()
    end = next((n for n, p in enumerate(behind) if n and p.low in _PLACES), len(behind))
    return content(behind[1:end])


def _times(some: Iterable[Piece]) -> frozenset[str]:
    """The words that say when, in lower case."""
    return frozenset(piece.low for piece in some if piece.low in TIMES)


def _rate(some: Sequence[Piece]) -> frozenset[str]:
    """Stems of the words right behind "each", "every" or "per"; "each" if there are none."""
    cut = next((n for n, piece in enumerate(some) if piece.low in _RATES), len(some))
    found: list[str] = []
    for piece in some[cut + 1 : cut + 4]:
        if (piece.stops and piece.low not in {"of", "the"}) or verbal(piece):
            break
        found += [] if piece.stops else [stem(piece.low)]
    return frozenset(found or (["each"] if cut < len(some) else []))


def verbal(piece: Piece) -> bool:
    """Whether a word is a form of a verb, as far as its looks tell."""
    low = piece.low
    known = low in IRREGULAR and singular(low) == low
    return piece.kind == "word" and (known or low in AUXILIARY or low.endswith("ed"))
