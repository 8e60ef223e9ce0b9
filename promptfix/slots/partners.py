"""The fourth try of counting.py: two numbers that belong together by a word of the question.

One that says so much of one thing goes with how many of these there are, what is done with what
there was, and a part with its whole. Each rule says of all other numbers why they are idle.
"""

import re
from collections.abc import Sequence

from promptfix.slots import apart, witnesses
from promptfix.slots.described import Told, content_of, describe
from promptfix.slots.lemmas import stem
from promptfix.slots.products import in_each
from promptfix.slots.words import (
    Quantity,
    after,
    counted,
    noun_key,
    pieces,
    quantities,
    value,
)

_MORE = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_TOTAL = re.compile(r"(?i)\s+total\b(?! of\b)")
_WHOLE = re.compile(r"(?i)\b(?:total of|sum of|in all|altogether)\s*$")
_MONEY = re.compile(r"(?i)\b(?:money|make|made|costs?|pay|paid|spend|spent|earn\w*|raised?)\b")
_EACH_OF = re.compile(r"(?i)\b(?:each|every|per)(?: of (?:the|his|her|their|its|my|our))? (\w+)")
_YET = re.compile(r"(?i)\b(?:still|ha(?:ve|s) to|needs? to|must)\b")
_AT_ONCE = re.compile(r"(?i)\b(?:left|remain\w*|still|now|more|than|rest)\b")
_BEING = frozenset(stem(verb) for verb in "be have hold".split())
_OCCASION = re.compile(r"(?i)\b(?:in|on|at|during)\b(?! (?:all|total)\b)")
_RATED = re.compile(r"(?i)\b(?:every|each|per|in|takes?|costs?|holds?|has|needs?|is|equals?|for)\b")
_BROKEN = re.compile(r"(?i)[,.;?!]|\band\b")


def pair(text: str, found: re.Match[str]) -> list[Quantity]:
    """The two numbers that a question needs, `found` being its "how many"; none if unclear."""
    if not 3 <= len(quantities(text)) <= 5:
        return []
    total = _TOTAL.match(text, found.end())
    asked, told = text[found.start() :], describe(text)
    noun = noun_key(counted(after(pieces(text), (total or found).end())))
    noun = noun or (("dollar",) if _MONEY.search(asked) else ())
    inside = [t for t in told if t.quantity.start > found.start()]
    two = (
        _in_same_row(asked, told, inside)
        or _to_do(asked, noun, told)
        or apart.doing_row(asked, told)
        or apart.two_times(asked, noun, told)
        or _plain(text, asked, noun, told, inside)
    )
    chosen = [t.quantity for t in two]
    return chosen if all(_given(t, two) for t in inside) else []


def _given(inside: Told, two: Sequence[Told]) -> bool:
    """Whether a number in the question is one of two, is told again, or is a mere 1."""
    same = any(_same(inside, t) for t in two)
    return not two or same or value(inside.quantity) == 1


def _same(one: Told, other: Told) -> bool:
    return one.head == other.head and value(one.quantity) == value(other.quantity)


def _plain(
    text: str, asked: str, noun: Sequence[str], told: Sequence[Told], inside: Sequence[Told]
) -> list[Told]:
    """The two numbers for a question that compares nothing."""
    if not noun or _MORE.match(asked):
        return []
    if _EACH_OF.search(asked):
        return _shared(asked, noun, told) or _of_one(asked, noun, told) or _unit(text, asked, told)
    return (
        _rate_of_kind(asked, noun, told, inside)
        or _rate_of_event(text, asked, noun, told)
        or witnesses.other_part(text, asked, noun, told)
        or witnesses.either(asked, noun, told)
        or witnesses.all_money(asked, noun, told)
        or _unit(text, asked, told)
        or (in_each(asked, noun, told) if _TOTAL.match(asked, 8) else [])
    )


def _in_same_row(asked: str, told: Sequence[Told], inside: Sequence[Told]) -> list[Told]:
    """A number that the question says again, and the one that was told of right with it.

    "They sold 90 caps in the first 6 days and 8 in the last 2. How many a day in the first 6?"
    """
    early = [t for t in told if t not in inside]
    again = [n for n, t in enumerate(early) if n and inside and _same(t, inside[0])]
    if len(inside) != 1 or len(early) != 4 or again not in ([1], [3]) or _MORE.match(asked):
        return []
    one, two = early[again[0] - 1], early[again[0]]
    rows = [t.head for t in early[:2]] == [t.head for t in early[2:]]
    return [one, two] if rows and one.head != two.head and one.sentence == two.sentence else []


def _to_do(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """All of a kind and those done, where the question asks how many more there are to do."""
    if not noun or not _MORE.match(asked) or "than" in asked or not _YET.search(asked):
        return []
    mine = [t for t in told if t.head == noun[-1]]
    if len(mine) != 2 or not _others_strange(told, mine, content_of(asked)):
        return []
    done = (mine[1].words - mine[1].key) & content_of(asked)
    return mine if mine[0].state and mine[0].sentence < mine[1].sentence and done else []


def _shared(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """What is shared out evenly, and how many there are of what the question calls "each"."""
    found = _EACH_OF.search(asked)
    holder = stem(found[1].lower()) if found else ""
    things = [t for t in told if t.head == noun[-1] and not t.rate]
    among = [t for t in told if t.head and stem(t.head) == holder and not t.rate]
    two = [*things, *among]
    if len(things) != 1 or len(among) != 1 or things == among or _AT_ONCE.search(asked):
        return []
    # Others named beside them may have a share as well.
    beside = any(t.sentence == among[0].sentence for t in told if t not in two)
    return two if not beside and _others_strange(told, two, content_of(asked)) else []


def _of_one(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two kinds of things that each of several has, where one's things are asked for."""
    found = _EACH_OF.search(asked)
    holder = stem(found[1].lower()) if found else ""
    mine = [t for t in told if holder in t.rate and t.head == noun[-1]]
    others = [t for t in told if t not in mine]
    kinds = [t.key - {stem(t.head)} for t in mine]
    named = content_of(asked)
    apart = (
        len(mine) == 2 and all(kinds) and kinds[0] != kinds[1] and not (kinds[0] | kinds[1]) & named
    )
    return mine if apart and [stem(t.head) for t in others] == [holder] else []


def _rate_of_kind(
    asked: str, noun: Sequence[str], told: Sequence[Told], inside: Sequence[Told]
) -> list[Told]:
    """Of rates for several kinds that of the kind asked for, and the number in the question."""
    rates = [t for t in told if t not in inside]
    if len(inside) != 1 or len(rates) < 2 or len({t.sentence for t in rates}) > 1:
        return []
    span = frozenset({stem(inside[0].head)} if inside[0].head else ())
    if rates[-1].rate != span or any(t.head != noun[-1] for t in rates):
        return []
    kinds = [(t.key | t.of) - span - {stem(t.head)} for t in rates]
    shared = frozenset.intersection(*kinds)
    mine = [t for t, k in zip(rates, kinds, strict=True) if k - shared and k <= content_of(asked)]
    apart = all(k - shared for k in kinds) and len(mine) == 1
    return [*mine, *inside] if apart else []


def _rate_of_event(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """What each brings in and how many there were, on the occasion asked for or in total."""
    rates = [
        t for t in told if t.rate and t.head in {noun[-1], "dollar" if _MONEY.search(asked) else ""}
    ]
    counts = [t for t in told if rates and stem(t.head) in rates[0].rate and not t.rate]
    if len(told) != 3 or len(rates) != 1 or len(counts) != 2 or _AT_ONCE.search(asked):
        return []
    named, both = content_of(asked), counts[0].words & counts[1].words
    meant = [t for t in counts if frozenset() < t.words - both <= named]
    whole = [t for t in counts if _WHOLE.search(text[: t.quantity.start])]
    mine = whole if not meant and not _OCCASION.search(asked) else meant
    rest = [t for t in counts if t not in mine]
    # What is done to some of them alone takes these away: "4 of the seats are broken".
    plain = all(t.doing <= both | _BEING for t in rest)
    return [*rates, *mine] if len(mine) == 1 and plain else []


def _unit(text: str, asked: str, told: Sequence[Told]) -> list[Told]:
    """The numbers beside a mere 1 that says of what one so much is told: "1 mile in 9 minutes"."""
    ones = [t for t in told if value(t.quantity) == 1 and t.head]
    others = [t for t in told if t not in ones]
    if len(ones) != 1 or len(others) != 2 or _AT_ONCE.search(asked):
        return []
    like = [t for t in others if t.head == ones[0].head]
    unlike = [t for t in others if t.head and t not in like]
    if len(like) != 1 or len(unlike) != 1:
        return []
    first, last = sorted((t.quantity for t in (ones[0], unlike[0])), key=lambda q: q.start)
    between = text[first.end : last.start]
    rated = _RATED.search(between) and not _BROKEN.search(between)
    return others if rated or ones[0].quantity.start > len(text) - len(asked) else []


def _others_strange(told: Sequence[Told], two: Sequence[Told], named: frozenset[str]) -> bool:
    """Whether all other numbers plainly count things that neither two nor the question name."""
    others = [t for t in told if t not in two]
    return not any(t.rate for t in others) and witnesses.other_things(others, two, named)
