"""Which of a problem's numbers count for its question, by the words around them.

A comparison ("how many more A than B did he eat?") needs one number for each side: of those that
speak of a side the one whose verb is the question's. Any other question needs the numbers of what
it asks for. Where the words do not tell, strangers.py and then further.py try. Where they do not
either, nothing is said.
"""

import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from promptfix.slots import apart, further, partners, strangers
from promptfix.slots.described import KIN, Told, content_of, describe, verbal
from promptfix.slots.lemmas import IRREGULAR, plural, singular, stem
from promptfix.slots.words import (
    NEGATIVE,
    Quantity,
    after,
    counted,
    noun_key,
    pieces,
    quantities,
    question,
    same_things,
    sentence_at,
)

_HOW_MANY = re.compile(r"(?i)\bhow\s+(?:many|much)\b")
_COMPARED = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_HIDDEN = re.compile(r"(?i)\b(?:twice|thrice|half|doubled?|tripled?|quadrupled?)\b")
_PRICED = re.compile(r"(?i)\b(?:costs?|prices?)\b")
_PAID = re.compile(r"(?i)\bhow\s+(?:much(?!\s+(?:more|less))|many\s+(?:dollars|cents))\b")
"""What is paid for several things is a product, whose numbers are of two kinds."""
_RELATION = re.compile(
    r"(?i)\b(?:more|fewer|less|as many|as much)\b[^.?!]*\b(?:than|as)\b|\btimes\b"
)
"""A number that only says how far two others are apart."""
_HIGHER = re.compile(r"(?i)\bhow (?:many|much) \w+ \w+er (?:is|was|are|were)\b")
_IN_ONE = re.compile(r"(?i)\b(?:in an?|each|every|per)\b")
_JOINT = re.compile(r"(?i)\b(?:if|together|total|in all|altogether|both|rest)\b")
"""What makes the number of one a matter of the other's."""
_WHERE = re.compile(r"\b(?:in|at) ([A-Z]\w+|[a-z]+ [A-Z]\b)")
"""A month, or a place with a name."""
_RATE = re.compile(r"(?i)(?: [a-z]+)?(?: an?| per| each) [a-z]+ (?:for|in|on) (?:each of )?")
_SHARED = re.compile(r"(?i)\b(?:each|every|per|apiece|costs?|price|equal|same|groups?|total)\b")
_MEASURES = frozenset("second minute hour day week month year dollar cent".split())
"""What goes with any question: time and money."""
_PLACES = frozenset("in on at for of to from with yesterday today this last during".split())
_STATE = frozenset("be have own sit remain".split())
_STILL = frozenset("left now remain remaining still".split())
_AUXILIARY = re.compile(r"(?i)\b(?:did|does|do|is|are|was|were|have|has|had)\b")
_DETERMINERS = frozenset("the a an his her their its this that these those".split())
_HELPING = frozenset("did does do more many much".split())
_NOUNS = frozenset("person child foot tooth goose mouse ox die leaf loaf knife life half".split())
_VERB_FORMS = frozenset({*IRREGULAR, *IRREGULAR.values()}) - _NOUNS
_CUT = re.compile(r"(?i)[,;]|\b(?:and|but|while|than)\b")
_APART = re.compile(r"(?i)[,.;?!]|\band\b")
"""Between two numbers that are no product; the next three make them one."""
_JOINED = re.compile(r"(?i)\b(?:each|every|per|of)\b")
_HOLDING = re.compile(r"(?i)\bwith\b")
_JOINED_BEHIND = re.compile(r"(?i)(?:\s+\w+){0,2}\s+(?:each|apiece)\b")


class Numbers(NamedTuple):
    """The numbers of a problem, by whether its question needs them."""

    counting: tuple[Quantity, ...]
    others: tuple[Quantity, ...]


def sort_numbers(text: str) -> Numbers | None:
    """Sort the numbers of a problem; None where the words do not tell."""
    asking = question(text)
    found = _HOW_MANY.search(text, asking.start) if asking else None
    if found is None:
        return None
    asked, given = text[found.start() :], quantities(text)
    if len(given) < 3 or _HIDDEN.search(text):
        return None
    chosen = _first(text, text[: found.start()], asked, given) or further.pair(text, found)
    chosen = chosen or partners.pair(text, found)
    if not chosen or (_PRICED.search(text) and _PAID.search(asked)):
        return None
    if only_one_is_asked(text, asked, chosen) or NEGATIVE.search(text):
        return None
    if _COMPARED.match(asked) and _is_no_side(text, asked, chosen):
        return None
    if _COMPARED.match(asked) and apart.unsettled(asked, chosen, describe(text)):
        return None
    counting = tuple(q for q in given if q in chosen)
    others = tuple(q for q in given if q not in chosen and q.start < found.start())
    return Numbers(counting, others) if others else None


def _first(text: str, told: str, asked: str, given: Sequence[Quantity]) -> Sequence[Quantity]:
    """The numbers that count by the words around them, if those before the question tell."""
    given = [q for q in given if q.start < len(told)]
    if len(given) < 3 or _RELATION.search(told):
        return []
    chosen = [] if _SHARED.search(text) else _strictly(text, asked, given)
    if not 2 <= len(chosen) < len(given) and not _COMPARED.match(asked):
        chosen = _apart(text, asked, given)
    torn = any(_torn(text, a, b, chosen) for a, b in pairwise(given))
    torn = torn or _rated(describe(text), chosen)
    torn = torn or any(q.start > len(told) and q not in chosen for q in quantities(text))
    return chosen if 2 <= len(chosen) < len(given) and not torn else []


def _torn(text: str, one: Quantity, two: Quantity, chosen: Sequence[Quantity]) -> bool:
    """Whether just one of two numbers of a product is chosen: "4 packs with 5 pens each".

    What follows the chosen one behind "with" is no product: "23 letters with 2 pens".
    """
    between = text[one.end : two.start]
    if (one in chosen) == (two in chosen) or _APART.search(between):
        return False
    holds = two in chosen and _HOLDING.search(between)
    return bool(holds or _JOINED.search(between) or _JOINED_BEHIND.match(text, two.end))


def _is_no_side(text: str, asked: str, pair: Sequence[Quantity]) -> bool:
    """Whether a number is not all of what a side of a comparison comes to."""
    product = is_product(text, pair) and not _IN_ONE.search(asked)
    return product or is_one_kind(text, asked, pair)


def is_product(text: str, pair: Sequence[Quantity]) -> bool:
    """Whether just one of a product's two numbers is in a pair: "$4 a week for 6 weeks"."""
    return any(
        _torn(text, one, two, pair)
        or ((one in pair) != (two in pair) and _RATE.fullmatch(text[one.end : two.start]))
        for one, two in pairwise(quantities(text))
    )


def _rated(told: Sequence[Told], chosen: Sequence[Quantity]) -> bool:
    """Whether a number with "each" is chosen without the number of what it is each of."""
    rates = frozenset[str]().union(*(t.rate for t in told if t.quantity in chosen))
    return any(stem(t.head) in rates for t in told if t.head and t.quantity not in chosen)


def _strictly(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    if not _COMPARED.match(asked):
        return _alike(asked, given)
    return _compared(text, asked, given) or _by_verbs(text, asked, given)


def _apart(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """The second try: by the things, the person or the marks that the question names."""
    found = strangers.by_thing(text, asked, given)
    if not found and not _SHARED.search(text):
        found = strangers.by_person(text, asked, given)
        found = found or strangers.by_mark(asked, given, partial(_context, text), stem)
    return found


def _by_verbs(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """For each side of a comparison the only number with that side's verb."""
    left, _, right = asked.partition(" than ")
    sides = [[q for q in given if _verb(text, q) in _verbs(side)] for side in (left, right)]
    if any(len(side) != 1 for side in sides) or sides[0] == sides[1]:
        return []
    return [sides[0][0], sides[1][0]]


def _alike(asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """The numbers of what is asked for, if all others are plainly of other kinds."""
    found = _HOW_MANY.match(asked)
    words = counted(after(pieces(asked), found.end())) if found else ""
    noun = noun_key(words)
    if not noun or re.search(rf"{re.escape(words)}\s+(?:and|or)\b", asked):
        return []
    named = {singular(piece.low) for piece in pieces(asked)} - {noun[-1]}
    about = [q for q in given if same_things(noun, q.key)]
    others = [q for q in given if q not in about]
    return about if all(_of_other_kind(q) and q.key[-1] not in named for q in others) else []


def only_one_is_asked(text: str, asked: str, pair: Sequence[Quantity]) -> bool:
    """Whether a question about two numbers of one thing plainly is about one of them alone.

    It names the owner or the time of just one, and the other has its own; or what was done with
    one, while the other only says what there was.
    """
    if len(pair) != 2 or pair[0].key[-1:] != pair[1].key[-1:]:
        return False
    found = _HOW_MANY.search(asked)
    asked = asked[found.start() :] if found else asked
    if (
        _JOINT.search(text)
        or _COMPARED.match(asked)
        or _RELATION.search(text)
        or _HIGHER.search(asked)
    ):
        return False
    told = [t for t in describe(text) if t.quantity in pair]
    done = [_verb(text, q) for q in pair]
    states = {stem(verb) for verb in _STATE}
    deeds = _verbs(asked) - states
    if len(deeds) == 1 and "did" in _lows(asked):
        return any(a in deeds and b in states for a, b in (done, done[::-1]))
    if done[0] != done[1] or _added(text, pair[1]):
        return False
    said, named = _lows(asked), set(map(str.lower, _WHERE.findall(asked)))
    marks = (
        [_owners(text, t.quantity) for t in told],
        [t.times for t in told],
        [_places(text, t.quantity) for t in told],
    )
    return any(
        mine & (said | named) and theirs and not theirs & (said | named)
        for one, other in marks
        for mine, theirs in ((one, other), (other, one))
    )


def _owners(text: str, quantity: Quantity) -> frozenset[str]:
    """The names and the kin that stand before a number in its clause."""
    span = sentence_at(text, quantity.start)
    clause = pieces(_CUT.split(text[span.start : quantity.start])[-1])
    return frozenset(
        p.low
        for p in clause
        if p.low in KIN or (p.kind == "word" and p.text != p.low and not p.stops)
    )


def _places(text: str, quantity: Quantity) -> frozenset[str]:
    """Where, or in which month, a number's sentence says that it was: what is nearest behind it."""
    found = _WHERE.search(text, quantity.end, sentence_at(text, quantity.start).end)
    return frozenset((found[1].lower(),)) if found else frozenset()


def is_one_kind(text: str, asked: str, pair: Sequence[Quantity]) -> bool:
    """Whether one of a pair is of just one kind of what a side names: "6 red hats and 5 blue"."""
    told, named = describe(text), content_of(asked)
    mine = [t for t in told if t.quantity in pair]
    return any(
        one.head == other.head and one.sentence == other.sentence and one.doing == other.doing
        for one in mine
        for other in told
        if other not in mine
        and (kind := one.key - {stem(one.head)})
        and not kind & named
        and other.key - {stem(other.head)} - kind
    )


def _of_other_kind(quantity: Quantity) -> bool:
    key = quantity.key
    head = quantity.noun.split()[-1].lower() if key else ""
    return bool(key) and plural(head) and head != "ones" and key[-1] not in _MEASURES


def _compared(text: str, asked: str, given: Sequence[Quantity]) -> list[Quantity]:
    """One number for each side of a comparison."""
    left, _, right = asked.partition(" than ")
    if not right or re.search(r"(?i)\b(?:and|or)\b", asked) or any(_added(text, q) for q in given):
        return []
    verbs, still = _verbs(asked), bool(_STILL & _lows(asked)) or _present(asked)
    one, other = _told(left)[::-1], _told(_AUXILIARY.split(right)[0]) or _told(right)
    only = [w for w in one if w not in other], [w for w in other if w not in one]
    mine, theirs = (_side(text, given, words, verbs, still=still) for words in only)
    return [mine, theirs] if mine and theirs and mine != theirs else []


def _side(
    text: str, given: Sequence[Quantity], words: Sequence[str], verbs: set[str], *, still: bool
) -> Quantity | None:
    """The only number that speaks of a side; of several, the only one with the question's verb.

    `words` are those that only this side has, the nearest to "than" first.
    """
    spoken = [[q for q in given if w in _context(text, q)] for w in words if w not in verbs]
    about = min((some for some in spoken if 0 < len(some) < len(given)), key=len, default=[])
    if len(about) == 1:
        return about[0]
    late = [q for q in about if _STILL & _lows(sentence_at(text, q.start).of(text))]
    if still and late:
        about = late
    else:
        wanted = verbs if verbs - _STATE else verbs | _STATE
        about = [q for q in about if _verb(text, q) in wanted]
    return about[0] if len(about) == 1 else None


def _told(side: str) -> list[str]:
    """Stems of a side's words in order, without names."""
    return [stem(p.low) for p in pieces(side) if not p.stops and p.text == p.low]


def _context(text: str, quantity: Quantity) -> set[str]:
    """Stems of the words that a number stands with: its noun, and what its clause says of it."""
    sentence = sentence_at(text, quantity.start)
    before = _CUT.split(text[sentence.start : quantity.start])[-1]
    earlier = quantities(before)
    before = before[earlier[-1].end :] if earlier else before
    behind = _CUT.split(text[quantity.end : sentence.end])[0]
    tail = behind.split(quantity.noun, 1)[-1] if quantity.noun else behind
    first, *more = [*tail.split()[:4], ""]
    where = " ".join([first, *more]) if first.lower() in _PLACES else ""
    return _stems(f"{before} {quantity.noun} {where}")


def _verb(text: str, quantity: Quantity) -> str:
    """The verb that a number goes with: the nearest before it in its sentence, else behind it."""
    sentence = sentence_at(text, quantity.start)
    here = [p for p in pieces(text) if sentence.start <= p.start < sentence.end and verbal(p)]
    before = [p for p in here if p.end <= quantity.start]
    behind = [p for p in here if p.start >= quantity.end]
    found = before[-1:] or behind[:1]
    return stem(found[0].low) if found else ""


def _verbs(asked: str) -> set[str]:
    """The question's own verbs, without those that only help.

    A verb is what stands behind a helping verb and its subject, or a known form of one.
    """
    words = [p for p in pieces(asked) if p.kind == "word"]
    found: set[str] = set()
    for before, piece in pairwise(words):
        if before.low in _DETERMINERS or piece.low in _HELPING:
            continue
        known = piece.low in _VERB_FORMS or (piece.low.endswith("ed") and len(piece.low) > 4)
        if known or (piece is words[-1] and before.low not in _PLACES):
            found.add(stem(piece.low))
    return found | ({"be"} & {stem(p.low) for p in words})


def _present(asked: str) -> bool:
    return bool(re.search(r"(?i)\b(?:does|do|is|are)\b", asked)) and not re.search(
        r"(?i)\bdid\b", asked
    )


def _added(text: str, quantity: Quantity) -> bool:
    """Whether a number comes on top of another one: "3 more", "he also ate 3"."""
    sentence = sentence_at(text, quantity.start).of(text)
    return bool(re.match(r"(?i)\s*more\b", text[quantity.end :]) or "also" in sentence.split())


def _lows(text: str) -> set[str]:
    return {piece.low for piece in pieces(text)}


def _stems(text: str) -> set[str]:
    return {stem(piece.low) for piece in pieces(text) if not piece.stops}
