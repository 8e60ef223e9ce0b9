"""Which operation joins the two numbers of a problem: a sum, a difference, a product, a quotient.

Only where the text leaves no doubt, as far as rules can tell: two numbers, one relation between
them, and a question about what is missing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.accounts import accounted
from promptfix.slots.described import Told, content_of, describe
from promptfix.slots.lemmas import stem
from promptfix.slots.relations import sides
from promptfix.slots.shares import COMPANY, joined
from promptfix.slots.sums import is_start_unknown, told_sums, whole
from promptfix.slots.words import (
    EACH,
    after,
    counted,
    noun_key,
    pieces,
    quantities,
    sentences,
    value,
)

_HOW = re.compile(r"(?i)\bhow\s+(?:many|much|big|old|tall|long|heavy|far|fast)\b")
_GAP = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_FURTHER = re.compile(
    r"(?i)\b(?:left|remain\w*|more|fewer|less|another|rest|both|half|twice|double[ds]?|times|third"
    r"|quarter|percent|dozens?|average|altogether|equally|except|tenth)\b|%|\d/\d|\d\.\d"
)
"""Words that bring in another number, or another step, where groups are told of."""
_HOLDERS = re.compile(
    r"(?i)\b(?P<holder>packages|packs|boxes|bags|cases|groups|rows|bunches|piles|stacks|sets|teams"
    r"|cartons|crates|bundles) (?:of|with)\s*$"
)
"""What stands before the size of a group."""
_HOLDS = re.compile(
    r"(?i)\b(?:an?|one|each|every) (?:\w+ )?(?P<holder>\w+)"
    r" (?:costs?|is sold for|sells for|has|holds|takes|weighs|gets|needs|seats)\s*\$?$"
)
"""What stands before the price or the size of one."""
_NUMBER_OF = re.compile(
    r"(?i)\bthan the number of [a-z]+ (?:that )?(?P<whom>[a-z]+)"
    r" (?:\w+ed|brought|had|has|made|got)\b"
)
"""A side of a comparison in other words."""
_SORTED = re.compile(r"(?i)\binto\s*$")
_BIG = re.compile(r"(?i)\bhow big is each (?P<group>\w+)")
_OF_THEM = re.compile(r"(?i)\s+of (?:them|these|those)\b")
_PAID = re.compile(r"(?i)\b(?:pay|paid|spend|spent|cost|earn|earned|make|made)\b")
_ONE = re.compile(r"(?i)\b(?:in an?|one)\b")
"""What makes a question one about one of several."""
_SPEED = re.compile(r"(?i)\bhow (?P<asked>fast|long)\b")
_WAY = re.compile(r"(?i)\bhow (?:far|many miles|many kilometers)\b")
_PER_HOUR = re.compile(r"(?i)\s*\w+ (?:per|an|a|each) (?:hour|minute|second)\b")
_LENGTHS = frozenset("mile kilometer meter foot feet yard km lap page".split())
_DURATIONS = frozenset("hour minute second day".split())
_TIMES = frozenset({*_DURATIONS, "year"})
"""What several take is not what each of them takes, as a rule."""
_UNTOLD = re.compile(
    r"(?i)\b(?:some|others|the rest|several|a number of|a few"
    r"|and \w+ (?:brought|had|made|found|got))\b"
)
"""What speaks of a part whose number is not told."""
_WHOLE = re.compile(r"(?i)\b(?:total|altogether|all together|in all|now|together)\b")
_CHANGED = re.compile(
    r"(?i)\b(?:than|as many|times|twice|half|double[ds]?|each|every|per|third|quarter|percent"
    r"|dozens?|lost|gave|ate|sold|left|remain\w*|away|took|used|broke)\b|%|\d/\d"
)
_STEPS = re.compile(r"(?i)\b(?:left|each|every|per|times|twice|half|dozen|sum)\b|%")
_TOGETHER = re.compile(r"(?i)\b(?:together|total|altogether|all|both|combined|whole|they)\b")


@dataclass(frozen=True)
class _Asked:
    """A question: its text from "how" on, what stands before it, and the noun asked for."""

    text: str
    before: str
    noun: tuple[str, ...]


def operation(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The `operation` that the question asks for: sum, difference, product or quotient.

    Nothing where more than two numbers are given: there it is not the operation that is misread,
    but which numbers count.
    """
    del span
    if len(quantities(text)) > 2:
        return None
    text = _NUMBER_OF.sub(r"than \g<whom>", text)
    asked, told = _asked(text), describe(text)
    name = None
    if asked and len(told) == 2 and not _GAP.search(asked.text):
        name = next(_found(text, asked, told, tables), None)
    name = name or joined(text)
    return {"operation": name} if name else None


def _found(text: str, asked: _Asked, told: Sequence[Told], tables: Tables) -> Iterator[str]:
    if not _FURTHER.search(text):
        if any(
            _comes_out(pair)
            for pair in (_moving(text, told), _grouped(text, asked, told), _sorted_into(text, told))
        ):
            yield "quotient"
        if _is_way(text, told) or (_is_all_of(asked, told) and not COMPANY.search(text)):
            yield "product"
    yield from told_sums(text, len(asked.before), asked.noun, told, tables)
    taken = is_start_unknown(text, len(asked.before), tables)
    if not taken and _is_part(text, asked, told):
        yield "difference"
    yield from _compared(asked, text)
    if whole(text, len(asked.before), asked.noun, told, tables):
        yield "sum"
    yield from accounted(text, len(asked.before), asked.noun, told, tables)


def _asked(text: str) -> _Asked | None:
    """The last question of a text."""
    asking = next((s for s in reversed(sentences(text)) if _HOW.search(s.of(text))), None)
    found = _HOW.search(text, asking.start) if asking else None
    if asking is None or found is None:
        return None
    noun = noun_key(counted(after(pieces(text), found.end())))
    return _Asked(text[found.start() : asking.end], text[: found.start()], noun)


def _comes_out(pair: tuple[Told, Told] | None) -> bool:
    """Whether a total can be shared out evenly."""
    if pair is None:
        return False
    total, size = (value(one.quantity) for one in pair)
    return 2 <= size < total and total % size == 0


def _grouped(text: str, asked: _Asked, told: Sequence[Told]) -> tuple[Told, Told] | None:
    """A total with the size of a group, whose count is asked for, or with their count."""
    if not asked.noun:
        return None
    head = asked.noun[-1]
    sizes = [t for t in told if _is_size(text, t, head)]
    if len(sizes) == 1:
        total = next(t for t in told if t is not sizes[0])
        plain = not (total.rate or total.head == head or _HOLDERS.search(_before(text, total)))
        return (total, sizes[0]) if plain and _alike(total, sizes[0]) else None
    if sizes or not EACH.search(asked.text):
        return None
    behind = content_of(asked.text)
    groups = [t for t in told if not t.rate and t.head != head and stem(t.head) in behind]
    totals = [t for t in told if not t.rate and t.head == head and head not in _TIMES]
    return (totals[0], groups[0]) if len(groups) == len(totals) == 1 else None


def _sorted_into(text: str, told: Sequence[Told]) -> tuple[Told, Told] | None:
    """A total that is sorted into so many groups, if the question is how big each is."""
    asked = _BIG.search(text)
    if not asked:
        return None
    head = noun_key(asked["group"])[-1]
    groups = [t for t in told if t.head == head and _SORTED.search(text[: t.quantity.start])]
    totals = [t for t in told if t.head and t.head != head]
    return (totals[0], groups[0]) if len(groups) == len(totals) == 1 else None


def _is_size(text: str, told: Told, noun: str) -> bool:
    """Whether a number says how many there are in each of what is asked for."""
    before = _before(text, told)
    holders = [
        found["holder"] for found in (_HOLDERS.search(before), _HOLDS.search(before)) if found
    ]
    named = any(noun_key(holder)[0] == noun for holder in holders)
    return named or (stem(noun) in told.rate and told.head != noun)


def _before(text: str, told: Told) -> str:
    """The last words before a number."""
    return text[: told.quantity.start][-40:]


def _alike(one: Told, other: Told) -> bool:
    """Whether two numbers may count the same things."""
    heads = {stem(one.head), stem(other.head)}
    return len(heads) == 1 or "" in (one.head, other.head) or bool(heads & (one.of | other.of))


def _moving(text: str, told: Sequence[Told]) -> tuple[Told, Told] | None:
    """A way and a time where the speed is asked, a way and a speed where the time is."""
    asked = _SPEED.search(text)
    if not asked:
        return None
    rates = [t for t in told if _PER_HOUR.match(text, t.quantity.end)]
    ways = [t for t in told if t not in rates and t.head in _LENGTHS]
    times = [t for t in told if t not in rates and t.head in _DURATIONS]
    other = times if asked["asked"].lower() == "fast" else rates
    return (ways[0], other[0]) if len(ways) == len(other) == 1 else None


def _is_way(text: str, told: Sequence[Told]) -> bool:
    """Whether a speed and a time are told, and the way is asked for."""
    rates = [t for t in told if _PER_HOUR.match(text, t.quantity.end)]
    times = [t for t in told if t not in rates and t.head in _DURATIONS]
    return bool(_WAY.search(text)) and len(rates) == len(times) == 1


def _is_all_of(asked: _Asked, told: Sequence[Told]) -> bool:
    """Whether so many in each of so many are told, and all of them are asked for."""
    if not asked.noun or EACH.search(asked.text) or _ONE.search(asked.text):
        return False
    head = asked.noun[-1]
    money = head in {"dollar", "money"} or _PAID.search(asked.text)
    heads = {head, "dollar"} if money else {head}
    return any(
        size.rate
        and not groups.rate
        and size.head in heads
        and groups.head not in {"", size.head}
        and (stem(groups.head) in size.rate or size.rate == frozenset(("each",)))
        for size, groups in (told, told[::-1])
    )


def _is_part(text: str, asked: _Asked, told: Sequence[Told]) -> bool:
    """Whether a whole and one of its two parts are told, and the other part is asked for."""
    if _CHANGED.search(text) or _WHOLE.search(asked.text):
        return False
    part, whole = sorted(told, key=lambda t: value(t.quantity))
    if value(part.quantity) == value(whole.quantity) or part.quantity.start > len(asked.before):
        return False
    if part.key & content_of(asked.text) - whole.key:
        return False
    if whole.quantity.start < part.quantity.start and _OF_THEM.match(text, part.quantity.end):
        return not part.words & content_of(asked.text) - whole.words
    if not _UNTOLD.search(asked.before):
        return False
    where = next(s for s in sentences(text) if s.start <= whole.quantity.start < s.end)
    said = text[where.start : min(where.end, len(asked.before))]
    added = re.match(r"(?i)\s+more\b", text[part.quantity.end :])
    return bool(_WHOLE.search(said)) and (_alike(whole, part) or bool(added))


def _compared(asked: _Asked, text: str) -> Iterator[str]:
    """What makes one side of a comparison of the other, which is told."""
    if _STEPS.search(text) or _TOGETHER.search(asked.text):
        return
    given = quantities(text)
    for compared in sides(asked.before):
        known = [q for q in given if not compared.start <= q.start < compared.end]
        rest = f"{asked.before[: compared.start]} {asked.before[compared.end :]}"
        told = compared.named(rest) if len(known) == 1 else None
        wanted = compared.named(asked.text)
        strange = known and known[0].key and not compared.counts(known[0].key[-1])
        if wanted is not None and told is (not wanted) and not strange:
            yield "sum" if wanted is compared.first_is_larger else "difference"
