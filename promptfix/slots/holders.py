"""What a number may be the size or the price of: "8 pens in each box", "a box costs 8 dollars"."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from promptfix.slots.described import Told
from promptfix.slots.lemmas import stem
from promptfix.slots.words import noun_key, sentences

MONEY = frozenset("dollar cent".split())
_UNIT = "hour|minute|second|day|week|month|year"
_VERB = (
    r"(?:(?:can|could|will|would|must) )?(?:costs?|(?:is |was |are )?sold for|sells for|has|had"
    r"|holds?|held|takes?|took|weighs?|weighed|gets?|got|needs?|seats?|contains?|contained|fits?"
    r"|carry|carries|carried|requires?|calls for|is|was|are|were|gives?|earns?|pays?|uses?|have)"
)
_BOXES = (
    "packages|packs|packets|boxes|bags|cases|groups|rows|bunches|piles|stacks|sets|teams|cartons"
    "|crates|bundles|trays|baskets|jars|shelves|tables|buses|vans|cars|tents|containers|sacks"
    "|cans|bottles|batches|classes"
)
_HAVING = "having|with|holding|has|had|holds|containing|contains|costing|weighing|costs"
_OF = r"(?: of [\w-]+(?: [\w-]+)?)?"
_ABOUT = r"(?: (?:about|exactly|up to|the|room for))?\s*\$?\s?$"
_LEADS = tuple(
    re.compile(rf"(?i)\b{pattern}{_ABOUT}")
    for pattern in (
        rf"(?:one|each|every) (?P<one>(?:[\w'-]+ ){{0,3}}?[\w'-]+){_OF} {_VERB}",
        rf"(?P<one>{_BOXES}) (?:of|with)",
        rf"(?P<one>[\w-]+s) (?:that|which) (?:each )?{_VERB}",
        rf"(?P<one>[\w-]+s)(?: of [\w-]+)?,? (?:and )?each(?: one)? (?:{_HAVING})",
        r"(?:one|an?) (?P<one>[\w-]+) (?:every|in)",
        rf"each of (?:the |his |her |their |these )?[\w-]+ (?P<one>[\w-]+(?: [\w-]+)?) {_VERB}",
    )
)
"""What stands before a number that is the size or the price of one."""
_TAILS = tuple(
    re.compile(rf"(?i)(?:\s+[\w-]+){pattern}")
    for pattern in (
        r"{1,5}?\s+(?:each|every|per)\s+(?P<one>[\w-]+(?: [\w-]+)?)",
        rf"{{1,3}}?\s+an?\s+(?P<one>{_UNIT})\b",
        r"{1,4}?\s+to [a-z]+ (?:an?|one|each)\s+(?P<one>[\w-]+)",
    )
)
"""What stands behind one."""
_LOOSE_LEAD = re.compile(rf"(?i)\ban? (?P<one>(?:[\w'-]+ ){{0,3}}?[\w'-]+){_OF} {_VERB}{_ABOUT}")
_LOOSE_TAIL = re.compile(
    r"(?i)(?:\s+[\w-]+){1,2}?\s+(?:in|on) (?:an?|one)\s+(?P<one>[\w-]+(?: [\w-]+)?)"
)
"""What may make one the size of any such thing, or may tell of a single one."""
_EACH_OF = re.compile(r"(?i)\beach of (?:(?:the|his|her|their|these) )?$")
_NEXT = re.compile(r"\d|[,;:]| and ")
_PRICED = re.compile(
    r"(?i)\s*(?:dollars?|cents?)?\s+(?:an?|for an?|for each|for one)\s+(?P<one>[\w-]+)"
)


class Size(NamedTuple):
    """A number of things that may be so many in one of something."""

    told: Told
    holders: frozenset[str]
    """Stems of the words for that; none if the number is of no such thing."""
    certain: bool
    """Whether it cannot be the number of all that there are."""


def size_of(text: str, told: Told) -> Size:
    """A number with that of which one has so many, costs or takes so much."""
    start, end = told.quantity.start, told.quantity.end
    where = next(s for s in sentences(text) if s.start <= start < s.end)
    before = text[where.start : start][-80:]
    behind = _NEXT.split(text[end : where.end])[0]
    found = [m["one"] for pattern in _LEADS if (m := pattern.search(before))]
    found += [m["one"] for pattern in _TAILS if (m := pattern.match(behind))]
    if told.head in MONEY and (priced := _PRICED.match(behind)):
        found.append(priced["one"])
    loose = (_LOOSE_LEAD.search(before), _LOOSE_TAIL.match(behind))
    holders = _stems(found) | (frozenset() if _EACH_OF.search(before) else told.rate)
    return Size(told, holders | _stems(m["one"] for m in loose if m), bool(holders))


def _stems(phrases: Iterable[str]) -> frozenset[str]:
    return frozenset(stem(word) for phrase in phrases for word in noun_key(phrase))
