"""So many in each of so many: whether a problem asks for all, for the number of them, or a share.

Two of a product's three numbers are told, and the words say which: how much one holds, costs or
takes (a `Size`), how many there are of those, and how much there is in all.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import dropwhile, takewhile
from typing import NamedTuple

from promptfix.slots.described import Told, describe
from promptfix.slots.holders import MONEY, Size, size_of
from promptfix.slots.lemmas import stem
from promptfix.slots.words import after, counted, noun_key, pieces, same_things, sentences, value

_HIDDEN = re.compile(
    r"(?i)\b(?:left|remain\w*|more|fewer|less|another|others?|rest|both|half|halves|twice|thrice"
    r"|double[ds]?|triple[ds]?|thirds?|quarters?|fourth|fifth|tenth|percent\w*|dozens?|average"
    r"|except|extra|already|also|pairs?|couple|discount|change|tax|tip|round trip|back|twins"
    r"|himself|herself|themselves|itself|yourself|myself|includ\w+|square root|perimeter|fence"
    r"|than|as many|as much|leap|consecutive|weekdays?|weekends?|dozen|(?:has|had|and|bought) one"
    r"|only|missing|broken|empty|absent|gave away|lost|spare|at least|at most"
    r"|(?:years?|months?|weeks?) old|ages?|aged|return\w*|ways?|home and|and home)\b"
    r"|\b\d+ [a-z]+(?: [a-z]+)? and an? "
    r"|%|\d/\d|\d-[a-z]|\b0\.\d+ of\b|\b(?:and|with) (?:his|her|their|my|your) \d"
)
"""Words that bring in another number, or another step."""
COMPANY = re.compile(
    r"\b[A-Z][a-z]+ and (?:(?:his|her|their|my|your) )?(?:\d+|two|three|four|five|six)"
    r" (?!more\b)[a-z]+(?: [a-z]+)?? (?:share|have|had|each|equal|[a-z]+ed|ate|got|made)"
)
"""One more than the number says: "Max and 4 friends share"."""
_SINGLE = re.compile(
    r"(?i)(?:(?<=does )|(?<=do )|(?<=would )|(?<=of )|(?<=in )|(?<=for ))1(?= [a-z])"
    r"|\b1(?= [a-z]+ (?:every|in|takes?|costs?|weighs?)\b)"
)
"""A number that only says that a question or a size is about one."""
_TIMES = re.compile(r"(?i)\b(?P<count>\d+|[a-z]+) times\b")
_ASKING = re.compile(
    r"(?i)\b(?:how\s+(?P<how>many|much|far|long|heavy|fast|wide)"
    r"|what(?: is| was| will be| would be|'s) the (?:total )?(?P<what>cost|price|weight|area"
    r"|length|width))\b"
)
_CONDITION = re.compile(r"(?i)\b(?:if|when|given|assuming|provided)\b")
_IN_FRONT = re.compile(r"(?i)\s+(?:total|whole|different|full|complete|of the)\b")
_BARE = re.compile(r"(?i)\s*(?:the|a|an|each|every|he|she|they|it|you|we|i|one|\d+|go|must)\b")
"""What follows "how many" where no noun does."""
_ONE = re.compile(
    r"(?i)\b(?:each|every|per|apiece|(?:in|for|of|on|does|do|is|did|will|would) (?:one|1|a single)"
    r"|(?:does|is|did|would|price of|cost of) an?)\b"
)
_A_BOX = re.compile(r"(?i)\b(?:an?|one|1)\s+(?:[a-z-]+\s+)?(?P<one>[a-z-]+)")
_EVENLY = re.compile(
    r"(?i)\b(?:equal(?:ly)?|evenly|shar\w+|divid\w+|split\w*|same (?:number|amount))\b"
)
_ALL = re.compile(r"(?i)\b(?:total|altogether|in all)\b|equal")
_PAID = re.compile(
    r"(?i)\b(?:pay|paid|spend|spent|costs?|price|earn\w*|mak\w+|made|owe|charged?|worth|raised?"
    r"|collect(?:ed)?)\b"
)
_SPENT = re.compile(
    r"(?i)\b(?:pay|pays|paid|spend|spends|spent|costs?|earn\w*|made|makes?|sold|sells?"
    r"|bought (?:with|for))\b|\bfor \$?\d"
)
"""What makes money the price of all things named, or what they brought in."""
_VAGUE = re.compile(r"(?i)\b(?:some|several|few|and (?:an?|the|his|her))\b")
_BUYING = re.compile(r"(?i)\b(?:can|could)\b.*\b(?:buy|afford|purchase)\b")
_WEIGHING = re.compile(r"(?i)\b(?:weigh\w*|heavy)\b")
_LASTING = re.compile(r"(?i)\bhow\s+(?:long|much time)\b(?! (?:is|are|was|were)\b)")
_LENGTHS = frozenset("mile kilometer meter foot yard km block".split())
DURATIONS = frozenset("second minute hour day week month year".split())
_WEIGHTS = frozenset("gram kilogram pound ounce kg ton".split())
_PEOPLE = frozenset(
    "people person student child kid pupil passenger guest camper worker friend adult visitor"
    " fan player member tourist".split()
)
_SEATS = frozenset("seat people person passenger student child".split())
_LONGER = frozenset("week month year".split())
_AREA = re.compile(r"(?i)\b(?:square|area|cover)\b")
_SQUARE = re.compile(r"(?i)\s*(?:square|sq)\b")
_SIDE = re.compile(r"(?i)\s*(?:[a-z]+\s+)?(?:long|wide|in (?:length|width)|by)\b")
_SIDE_LEAD = re.compile(r"(?i)\b(?:length|width|long|wide)(?: of| is| was)*\s*$|\bby\s*$")
_GRID = frozenset({"row", "column"})


class _Asked(NamedTuple):
    """A question without its condition: its words, the noun asked for, and one share's holder."""

    text: str
    noun: tuple[str, ...]
    one: frozenset[str] | None
    """Stems of what a share is asked for; None where the question is about all."""


def joined(text: str) -> str | None:
    """The operation that finds the third number of so many in each of so many, if two are told."""
    text = _SINGLE.sub("one", text)
    asked, told = _asked(text), describe(text)
    if asked is None or _HIDDEN.search(text) or COMPANY.search(text):
        return None
    if _TIMES.search(text):
        return "product" if _each_time(text, asked, told) else None
    return next(_found(text, asked, told), None) if len(told) == 2 else None


def _found(text: str, asked: _Asked, told: Sequence[Told]) -> Iterator[str]:
    every = [size_of(text, t) for t in told]
    sizes = [size for size in every if size.holders]
    plain = [size.told for size in every if not size.certain]
    yield from _of_area(text, asked, told)
    if _in_chain(asked, sizes) or any(_is_all(asked, size, plain) for size in sizes):
        yield "product"
    if any(map(_comes_out, _counts(asked, sizes, plain))):
        yield "quotient"
    if any(map(_comes_out, _shares(text, asked, every))):
        yield "quotient"


def _asked(text: str) -> _Asked | None:
    """The last question of a text."""
    asking = next((s for s in reversed(sentences(text)) if _ASKING.search(s.of(text))), None)
    found = _ASKING.search(text, asking.start) if asking else None
    if asking is None or found is None:
        return None
    said = _CONDITION.split(text[found.start() : asking.end])[0]
    one = _ONE.search(said)
    return _Asked(said, _noun(text, found), _behind(said[one.end() :]) if one else None)


def _behind(each: str) -> frozenset[str]:
    """Stems of the first words that carry meaning, up to the next that carries none."""
    words = [*dropwhile(lambda piece: piece.stops, pieces(each)[:6])]
    return frozenset(stem(piece.low) for piece in takewhile(lambda p: not p.stops, words[:3]))


def _noun(text: str, found: re.Match[str]) -> tuple[str, ...]:
    """What stands behind "how many" and is counted, in the singular; may be empty."""
    if found["how"] not in {"many", "much"} or _BARE.match(text, found.end()):
        return ()
    front = _IN_FRONT.match(text, found.end())
    return noun_key(counted(after(pieces(text), front.end() if front else found.end())))


def _answers(asked: _Asked, told: Told) -> bool:
    """Whether a number is of what the question asks for."""
    if asked.noun:
        head = asked.noun[-1]
        much = re.match(r"(?i)how\s+much", asked.text)
        money = head in {"money", *MONEY} and told.head in MONEY
        return same_things(asked.noun, told.noun) or money or bool(much and stem(head) in told.of)
    return told.head in _measured(asked.text)


def _measured(asked: str) -> frozenset[str]:
    """The units that a question without a noun asks for."""
    if re.match(r"(?i)how\s+far", asked):
        return _LENGTHS
    if _WEIGHING.search(asked):
        return _WEIGHTS
    if _LASTING.match(asked):
        return DURATIONS
    many = re.match(r"(?i)how\s+many", asked)
    return MONEY if _PAID.search(asked) and not many else frozenset[str]()


def _is_all(asked: _Asked, size: Size, plain: Sequence[Told]) -> bool:
    """Whether a size and a count are told, and all that there is is asked for."""
    if asked.one is not None or not _answers(asked, size.told) or _of_one(asked, size):
        return False
    behind = size.holders == frozenset(("each",))
    groups = [t for t in plain if t.head and (stem(t.head) in size.holders or behind)]
    apart = len(groups) == 1 and groups[0].head != size.told.head
    return apart and not _in_longer(asked, groups[0])


def _of_one(asked: _Asked, size: Size) -> bool:
    """Whether a question is about one holder: "how many pens are in a box"."""
    return any(stem(m["one"].lower()) in size.holders for m in _A_BOX.finditer(asked.text))


def _in_longer(asked: _Asked, groups: Told) -> bool:
    """Whether a question is about a longer time than that which is counted."""
    words = {piece.low for piece in pieces(asked.text)}
    return bool(words & (_LONGER - {groups.head}))


def _counts(
    asked: _Asked, sizes: Sequence[Size], plain: Sequence[Told]
) -> Iterator[tuple[Told, Told]]:
    """All that there is with the size of one, where it is asked how many hold it."""
    if asked.one is not None:
        return
    for size in sizes:
        totals = [t for t in plain if t is not size.told and _fits(t, size.told)]
        if len(totals) == 1 and _asks_holders(asked, size):
            yield totals[0], size.told


def _asks_holders(asked: _Asked, size: Size) -> bool:
    """Whether it is asked how many hold so much, or how long it takes at such a rate."""
    if size.told.head in MONEY and asked.noun and _BUYING.search(asked.text):
        return asked.noun[-1] not in MONEY
    if asked.noun:
        return stem(asked.noun[-1]) in size.holders and asked.noun[-1] != size.told.head
    return bool(_LASTING.match(asked.text)) and bool(size.holders & set(map(stem, DURATIONS)))


def _fits(total: Told, size: Told) -> bool:
    """Whether a number may be all of what one holds so many of."""
    seats = size.head in _SEATS and total.head in _PEOPLE
    return seats or (bool(size.head) and total.head == size.head)


def _shares(text: str, asked: _Asked, every: Sequence[Size]) -> Iterator[tuple[Told, Told]]:
    """All that there is with the number of those who share it, where one's share is asked for."""
    if asked.one is None:
        return
    free = [size for size in every if not size.holders & asked.one]
    groups = [size for size in free if stem(size.told.head) in asked.one]
    if not groups and _EVENLY.search(text):
        groups = [size for size in free if not size.certain and size.told.head in _PEOPLE]
    bare = not asked.noun and not _measured(asked.text)
    totals = [s for s in free if s not in groups and (bare or _answers(asked, s.told))]
    if len(groups) != 1 or len(totals) != 1 or not _of_the_same(totals[0], groups[0]):
        return
    pair = totals[0].told, groups[0].told
    if _is_spread(text.replace(asked.text, ""), *pair):
        yield pair


def _is_spread(text: str, total: Told, groups: Told) -> bool:
    """Whether all of some money or time is that of so many, the same for each of them."""
    if total.head in MONEY:
        return bool(_SPENT.search(text)) and not _VAGUE.search(text)
    # Two workers are faster than one: their time is no sum of theirs.
    return total.head not in DURATIONS - {groups.head} or bool(_ALL.search(text))


def _of_the_same(total: Size, groups: Size) -> bool:
    """Whether two numbers are both of all, or both of one of the same."""
    if not total.certain and not groups.certain:
        return True
    return bool((total.holders - {"each"}) & groups.holders)


def _comes_out(pair: tuple[Told, Told]) -> bool:
    """Whether a total can be shared out evenly."""
    total, size = (value(one.quantity) for one in pair)
    return 2 <= size <= total and total % size == 0


def _in_chain(asked: _Asked, sizes: Sequence[Size]) -> bool:
    """Whether so many are in each of so many of one thing, and one's are asked for."""
    if asked.one is None or len(sizes) != 2:
        return False
    return any(
        _answers(asked, small.told)
        and stem(large.told.head) in small.holders
        and asked.one & large.holders
        and not asked.one & {stem(small.told.head), stem(large.told.head)}
        for small, large in (sizes, sizes[::-1])
    )


def _each_time(text: str, asked: _Asked, told: Sequence[Told]) -> bool:
    """Whether something is done so many times, each time with so many, and all are asked for."""
    counts = _TIMES.findall(text)
    if len(counts) != 1 or len(told) != 1 or asked.one is not None:
        return False
    number = re.fullmatch(r"\d+|two|three|four|five|six|seven|eight|nine|ten", counts[0].lower())
    return (
        bool(number) and stem("time") in size_of(text, told[0]).holders and _answers(asked, told[0])
    )


def _of_area(text: str, asked: _Asked, told: Sequence[Told]) -> Iterator[str]:
    """What joins length and width, rows and columns, or an area and one of its sides."""
    if frozenset(t.head for t in told) == _GRID and asked.noun and asked.one is None:
        yield "product"
    squares = [t for t in told if _SQUARE.match(text, t.quantity.end)]
    sides = [t for t in told if _is_side(text, t) and t not in squares]
    if len(sides) == 2 and _AREA.search(asked.text):
        yield "product"
    wanted = re.search(r"(?i)\b(?:length|width|long|wide)\b", asked.text)
    if wanted and len(squares) == len(sides) == 1 and _comes_out((squares[0], sides[0])):
        yield "quotient"


def _is_side(text: str, told: Told) -> bool:
    """Whether a number says how long or how wide something is."""
    start, end = told.quantity.start, told.quantity.end
    return bool(_SIDE.match(text, end) or _SIDE_LEAD.search(text[:start][-30:]))
