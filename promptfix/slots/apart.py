"""Numbers told apart by what is said of them: by what they are of, what people did, or when.

Each rule gives the two numbers that the question needs, or none where it cannot tell of every
other number why it plays no part.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from promptfix.slots.described import TIMES, Told, content_of, lows_of
from promptfix.slots.lemmas import stem
from promptfix.slots.words import Quantity, pieces

_COMPARING = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_THAN = re.compile(r"\b(?:than|compared (?:to|with))\b")
_CHANGING = re.compile(
    r"(?i)\b(?:left|still|now|remain\w*|need\w*|initially|originally|before)\b"
    r"|\bat (?:first|the start)\b"
)
_HAVING = re.compile(r"(?i)\b(?:have|has|had|are|is|were|was|own|be)\b")
_STANDING = re.compile(
    r"(?i)\b(?:has|have|are|is)\b(?!\s+\w+(?:ed|en)\b)|\bwere (?:there )?(?:then|left|after)\b"
)
_SEVERAL = re.compile(r"(?i)\b(?:and|or|together)\b")
_STILL = re.compile(r"(?i)\b(?:does|do|is|are|left|now|remain\w*|still)\b")

_SLOTS: dict[str, Callable[[Told], frozenset[str]]] = {
    "kind": lambda told: told.key - {stem(told.head)} | told.of,
    "doing": lambda told: told.doing,
    "time": lambda told: told.times,
}
"""What numbers of one thing are told apart by."""


def by_mark(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """Two numbers of a thing that say the question's word where all others say another.

    "She played tag with 3 girls and 4 boys and cards with 5. How many did she play tag with?"
    """
    if not noun or _COMPARING.match(asked):
        return []
    found = [_marked(slot, asked, noun, told) for slot in _SLOTS]
    pairs = [pair for pair in found if pair]
    return pairs[0] if pairs and all(pair == pairs[0] for pair in pairs) else []


def _marked(slot: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two numbers that a question's word in one slot picks out."""
    if _CHANGING.search(asked):
        return []
    named = content_of(asked) | lows_of(asked)
    words = _SLOTS[slot]
    best = max(len(words(t) & named) for t in told)
    mine = [t for t in told if len(words(t) & named) == best and t.head == noun[-1]]
    others = [t for t in told if t not in mine]
    if len(mine) != 2 or not others:
        return []
    shared = words(mine[0]) & words(mine[1]) & named
    rivals = [t for t in others if t.head == noun[-1] and _apart(t, words(t), shared, named)]
    strange = all(t in rivals or _strange(t, named, mine) for t in others)
    return mine if shared and rivals and strange else []


def _apart(told: Told, some: frozenset[str], shared: frozenset[str], named: frozenset[str]) -> bool:
    """Whether what is said of a number is another thing than the question says."""
    lacking = shared - some
    return bool(some - named) and bool(lacking) and not lacking & told.words


def _strange(other: Told, named: frozenset[str], pair: Sequence[Told]) -> bool:
    """Whether a number counts things that the question does not name."""
    return bool(other.key) and not other.key & named and other.head not in {t.head for t in pair}


def in_rows(asked: str, told: Sequence[Told]) -> list[Told]:
    """Of four numbers that stand in two rows the two of that row which the question names.

    "8 red tins hold 5 nuts, 6 blue tins hold 9. How many nuts are in the red tins?"
    """
    if len(told) != 4 or _COMPARING.match(asked) or not all(t.head for t in told):
        return []
    named = content_of(asked)
    every = frozenset[str]().union(*(t.words for t in told))
    rows = {_row(word, told) for word in every & named}
    rivals = {_row(word, told) for word in every - named}
    found = {
        row.members
        for row in rows
        for rest in rivals
        if len(row.members) == len(rest.members) == 2 and not row.members & rest.members
        if row.things == rest.things and any(row.things)
    }
    return [told[n] for n in sorted(found.pop())] if len(found) == 1 else []


class _Row(NamedTuple):
    """Numbers with a word in common, and what they count without that word."""

    members: frozenset[int]
    things: tuple[str, ...]


def _row(word: str, told: Sequence[Told]) -> _Row:
    """The row of the numbers that stand with a word."""
    members = [n for n, t in enumerate(told) if word in t.words]
    things = sorted(stem(told[n].head).replace(word, "") for n in members)
    return _Row(frozenset(members), tuple(things))


def by_side(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """For each side of a comparison the only number with a word that the other side lacks."""
    cut = _THAN.search(asked)
    if cut is None or not _COMPARING.match(asked) or _SEVERAL.search(asked):
        return []
    mine, theirs = _marks(asked[: cut.start()])[::-1], _marks(asked[cut.end() :])
    named = frozenset(mine) | frozenset(theirs)
    money = not noun or noun[-1] in {"money", "dollar"}
    some = [t for t in told if t.head == "dollar" or not money]
    bare = not _HAVING.search(asked)
    some = [t for t in some if money or t.key & named or (bare and not t.head)]
    some = _latest(some) if _STILL.search(asked) else some
    one = _only([w for w in mine if w not in theirs], named, some)
    other = _only([w for w in theirs if w not in mine], named, some)
    if one is None or other is None or one == other or _grows(asked, one, other, told):
        return []
    # What is left says of neither side how much it was.
    if not _STILL.search(asked) and any("left" in t.words for t in (one, other)):
        return []
    return [one, other]


def doing_row(asked: str, told: Sequence[Told]) -> list[Told]:
    """Of two rows of the same two things the one with the verb of a comparison of these."""
    first, second = told[:2], told[2:]
    heads = [t.head for t in first]
    if (
        len(told) != 4
        or not _COMPARING.match(asked)
        or " than " not in asked
        or "and" in asked.split()
    ):
        return []
    if sorted(heads) != sorted(t.head for t in second) or len(set(heads)) != 2:
        return []
    named = content_of(asked)
    apart = first[0].sentence == first[1].sentence < second[0].sentence == second[1].sentence
    said = [_said_of(row) & named for row in (first, second)]
    fits = apart and bool(said[0]) != bool(said[1]) and all(stem(head) in named for head in heads)
    return list(first if said[0] else second) if fits else []


def _said_of(row: Sequence[Told]) -> frozenset[str]:
    """Stems of what is said of some numbers besides what they count."""
    return frozenset[str]().union(*(t.words - t.key for t in row))


def two_times(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two numbers of a kind, told of different times, that a question compares by time."""
    when = lows_of(asked) & TIMES
    if not _COMPARING.match(asked) or not _THAN.search(asked) or len(when) != 2:
        return []
    mine = [t for t in told if t.noun == tuple(noun)]
    others = [t for t in told if t not in mine]
    if len(mine) != 2 or len(noun) < 2 or mine[0].times & mine[1].times:
        return []
    known = any(t.times and t.times <= when for t in mine) and all(t.times for t in mine)
    kinds = all(t.head and not t.key - {stem(t.head)} <= mine[0].key for t in others)
    return mine if known and kinds and others else []


def _grows(asked: str, one: Told, other: Told, told: Sequence[Told]) -> bool:
    """Whether a third number may change what one of two compared things comes to."""
    if not _HAVING.search(asked):
        return False
    if not any(t.words & {"more", "new"} for t in told):
        return False
    rest = [t for t in told if t not in (one, other)]
    like = [t for t in rest if t.head in {one.head, other.head, ""}]
    return any(not _kinds_differ(t, one, other) for t in like)


def unsettled(asked: str, chosen: Sequence[Quantity], told: Sequence[Told]) -> bool:
    """Whether a question on how things stand is about things that something happens to.

    "Ann has 12 figs and Tom has 5. Ann gives Bo 4 figs. How many more does Ann have than Tom?"
    """
    mine = [t for t in told if t.quantity in chosen]
    # With how far two were apart it is known what a change of one comes to.
    if any(t.state and t.words & {"more", "fewer", "less"} for t in mine):
        return False
    last = max(t.sentence for t in mine)
    heads = {t.head for t in mine} | {""}
    later = [t for t in told if t.sentence >= last and t.head in heads]
    return bool(_STANDING.search(asked)) and not all(t.state for t in [*mine, *later])


def _kinds_differ(third: Told, one: Told, other: Told) -> bool:
    """Whether a third number is of a kind of its own: "9 pages of history"."""
    kind = _SLOTS["kind"]
    return bool(kind(third) - kind(one) - kind(other))


def _latest(told: Sequence[Told]) -> Sequence[Told]:
    """The numbers of the sentences that say what is left or how it is now, else all."""
    late = {t.sentence for t in told if t.words & {"left", "now"}}
    return [t for t in told if t.sentence in late] or told


def _only(words: Sequence[str], named: frozenset[str], told: Sequence[Told]) -> Told | None:
    """The only number with one of a side's words, the words nearest to "than" first.

    Of several that one whose verb, kind and time are all the question's.
    """
    for word in words:
        some = _about(word, told)
        if len(some) in {0, len(told)}:
            continue
        if len(some) > 1 and not any("more" in t.words for t in some):
            some = [t for t in some if _fits(t, named)]
        return some[0] if len(some) == 1 else None
    return None


def _fits(told: Told, named: frozenset[str]) -> bool:
    """Whether nothing that is said of a number goes against the question's words."""
    return all(not slot(told) or slot(told) & named for slot in _SLOTS.values())


def _about(word: str, told: Sequence[Told]) -> list[Told]:
    """The numbers of a thing, else those that a word stands with, else those of a time."""
    things = [t for t in told if word in t.key]
    return things or [t for t in told if word in t.words] or [t for t in told if word in t.times]


def _marks(side: str) -> list[str]:
    """Stems of a side's words; those for a time as they are."""
    return [p.low if p.low in TIMES else stem(p.low) for p in pieces(side) if not p.stops]
