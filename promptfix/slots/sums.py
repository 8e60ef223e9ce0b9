"""Sums and differences of a story: what changes, what is part of what, what was at first.

Only for stories with two numbers of one thing and one verb of change, or none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptfix.formats import Tables
from promptfix.slots.changes import GIVES, OF_THOSE, STORED, TWO_SIDED, adds_on_top, last_change
from promptfix.slots.described import Told, content_of, verbal
from promptfix.slots.lemmas import bases, stem
from promptfix.slots.words import Quantity, noun_key, pieces, quantities, sentence_at, value

_HIDDEN = re.compile(
    r"(?i)\b(?:each|every|per|apiece|than|as many|as much|times|twice|half|double[ds]?|third"
    r"|quarter|percent|dozens?|pairs?|average|both|either|one|another (?:one|\w+ that)|none|no"
    r"|all of|need\w*|requir\w*|must|should|plan\w*|not|never|costs?|price"
    r"|an? (?:day|week|month|year|hour)|equal\w*|same|again|divid\w*"
    r"|split|groups|if \w+ (?:all|gives? all))\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, bring in another step or leave open what happened."""
_UNTOLD = re.compile(r"(?i)\b(?:some|several|others?|the rest|a few|a number of|many|a lot)\b")
_REST = re.compile(r"(?i)\b(?:the rest|the others|the remaining \w+)\s+(?:are|were|is|was)\b")
_START = re.compile(
    r"(?i)\b(?:at first|originally|initially|to start|to begin|in the beginning|at the start"
    r"|at the beginning|start(?:ed)? with|begin with|began with|before)\b"
)
_FUTURE = re.compile(r"(?i)\b(?:will|would|short|lacks?)\b")
_END = re.compile(r"(?i)\b(?:left|now|remain\w*|still|ends?|ended|then there (?:are|were))\b")
_END_OR_THEN = re.compile(rf"{_END.pattern}|\bthen\b|\bhad \d")
_STATE_ASKED = re.compile(
    r"(?i)^how (?:many|much)\b(?=[^?]*\b(?:have|has|left|remain\w*|ends?(?: up)? with|are|were"
    r"|weigh)\b)(?![^?]*\b(?:more|fewer|less|first|before|began|start\w*|begin\w*|ago|last)\b)"
)
_ALL = re.compile(r"(?i)\b(?:total|altogether|all together|in all)\b")
_SUBJECT = re.compile(r"\b(?:does|do|did|will|would|has|have)\s+(?P<who>(?:\w+'s )?\w+)")
_PRONOUNS = frozenset("he she they it i you we".split())
_GIFT = re.compile(
    r"(?P<giver>(?:\b[A-Za-z]+(?:'s)? )?\b[A-Za-z]+) (?:gave|gives|sent|sends) "
    r"(?P<taker>him|her|them|[A-Z]\w+)(?: another)?\s*$"
)
_PASSIVE = re.compile(r"(?i)\s*(?:of (?:them|these|those|his|her) ?)?(?:\w+ )??(?:are|were) (\w+)")
_GONE = re.compile(r"(?i) (?:away|out)\b")
_TAKES = re.compile(r"\b[A-Z]\w+ (?:takes|took)\s*$")
_AWAY = re.compile(r"(?i)(?: \w+){0,3}? (?:away|out)\b(?! from (?:him|her|them))")
_JOINING = re.compile(
    r"(?i)\b(?:came|comes?|joins?|joined|arrives?|arrived|enter\w*|more|added|puts?)\b"
)
_STATES = frozenset("be have own start begin weigh hold contain".split())
_NO_NOUNS = frozenset("are were did do does more new to away left had".split())
_FROM = re.compile(r"(?i)\bfrom (?:him|her|them)\b|\b(?:friend|brother|sister)s? (?:buys|bought)\b")
_ADDED_MORE = re.compile(r"(?i)\s*(?:\w+ )?more\b")
"""Behind what is taken it leaves open whether it is taken: "dropped 3 more in the jar"."""


_INCLUDED = re.compile(r"(?i)\b(?:including|of (?:them|these|those|which|whom),?)\s*$")
_ARE_LIKE = re.compile(
    r"(?i)\s*(?P<thing>[a-z]+ )??(?:is|are|was|were)\b(?! (?:in|on|at|there|under)\b)"
)
_THERE = re.compile(r"(?i)\b(?:there|\w+s|\w+ed)\s+(?:is|are|was|were)\b")


class _Change(NamedTuple):
    """A number by which something becomes larger or smaller."""

    quantity: Quantity
    larger: bool


def told_sums(
    text: str, at: int, noun: Sequence[str], told: Sequence[Told], tables: Tables
) -> Iterator[str]:
    """The operation of a story with two numbers; its question's "how" stands at a place."""
    asked, before = text[at:], text[:at]
    if len(told) != 2 or _HIDDEN.search(text) or not _of_one_thing(noun, told):
        return
    if _FUTURE.search(before) or not tables.changes:
        return
    if 0 in (value(told[0].quantity), value(told[1].quantity)):
        return
    first, second = told
    change = _change(text, asked, tables)
    if change is None and _received(text, told, asked):
        change = _Change(second.quantity, larger=True)
    if change is None and _taken(text, first):
        change = _Change(first.quantity, larger=False)
    if change is None and (_taken(text, second) or _takes(text, second, asked)):
        change = _Change(second.quantity, larger=False)
    untold = _UNTOLD.search(before)
    if _START.search(asked):
        if change and change.quantity.start == first.quantity.start:
            yield from _at_first(text, change, second)
    elif untold:
        if _amount_is_asked(before, asked, first, second, change, tables):
            yield "difference"
    elif change:
        state = first if change.quantity.start == second.quantity.start else second
        yield from _after(text, asked, state, change, tables)


def is_start_unknown(text: str, at: int, tables: Tables) -> bool:
    """Whether what was at first is asked for, and something was taken from it."""
    smaller = any(verbal(p) and _effect(p.low, tables) == "smaller" for p in pieces(text[:at]))
    return smaller and bool(_START.search(text[at:]))


def _of_one_thing(noun: Sequence[str], told: Sequence[Told]) -> bool:
    """Whether both numbers are of what is asked for, as far as they have a noun."""
    kinds = [t.noun for t in told if t.noun and not _is_verb(t.noun)]
    if not noun or not kinds or any(t.rate for t in told):
        return False
    named = noun[-1] not in {"be", "do", "did", "doe"} and not _is_verb(noun)
    heads = {kind[-1] for kind in kinds}
    marks = {kind[:-1] for kind in kinds if kind[:-1]} | (
        {tuple(noun[:-1])} if noun[:-1] else set()
    )
    money = noun[-1] == "money" and heads == {"dollar"}
    return len(heads) == 1 and len(marks) < 2 and (money or not named or heads == {noun[-1]})


def _is_verb(noun: Sequence[str]) -> bool:
    return noun[0] in _NO_NOUNS


def _change(text: str, asked: str, tables: Tables) -> _Change | None:
    """The only change of a story: one of the table, a gift to somebody, or in the passive."""
    told = text[: len(text) - len(asked)]
    verbs = [p for p in pieces(told) if verbal(p) and _effect(p.low, tables)]
    if len({stem(p.low) for p in verbs}) > 1:
        return None
    if passive := _passive(told, tables):
        return passive
    last = last_change(told, tables, asked)
    if last:
        stored = any(b in STORED for b in bases(last.verb.split()[0]))
        plain = not stored or adds_on_top(told, last.quantity)
        return _Change(last.quantity, last.effect == "larger") if plain else None
    return None


def _passive(told: str, tables: Tables) -> _Change | None:
    """The last number whose things something was done to: "5 were eaten"."""
    for quantity in reversed(quantities(told)):
        found = _PASSIVE.match(told, quantity.end)
        effect = _effect(found[1].lower(), tables) if found else None
        if found and effect and (STORED | TWO_SIDED).isdisjoint(bases(found[1])):
            given = not GIVES.isdisjoint(bases(found[1]))
            if not given or _GONE.match(told, found.end()):
                return _Change(quantity, effect == "larger")
    return None


def _effect(word: str, tables: Tables) -> str | None:
    """Whether a verb makes a number larger or smaller."""
    return next((tables.changes[b].effect for b in bases(word) if b in tables.changes), None)


def _received(text: str, told: Sequence[Told], asked: str) -> bool:
    """Whether the second number is a gift to whoever has the first and is asked about."""
    first, second = told
    sentence = sentence_at(text, second.quantity.start)
    gift = _GIFT.search(text[sentence.start : second.quantity.start])
    who = _SUBJECT.search(asked)
    if not gift or not who or not _verb(text, first) & _STATES:
        return False
    owners = {p.text for p in pieces(_lead(text, first)) if p.text[:1].isupper()}
    giver, taker, asked_for = gift["giver"].split()[-1], gift["taker"], who["who"]
    plain = giver.lower() not in _PRONOUNS and giver not in owners
    same = asked_for.lower() in _PRONOUNS or asked_for in owners
    return plain and same and (taker in owners or taker in {"him", "her", "them"})


def _taken(text: str, told: Told) -> bool:
    """Whether somebody named takes so many away, or out of what holds them."""
    behind = text[told.quantity.end : sentence_at(text, told.quantity.start).end]
    return bool(_TAKES.search(_lead(text, told)) and _AWAY.match(behind))


def _takes(text: str, told: Told, asked: str) -> bool:
    """Whether so many are taken, and what is left is asked for."""
    left = re.search(r"(?i)\b(?:are|were) left\b", asked)
    return bool(left and _TAKES.search(_lead(text, told)))


def _lead(text: str, told: Told) -> str:
    return text[sentence_at(text, told.quantity.start).start : told.quantity.start]


def _verb(text: str, told: Told) -> frozenset[str]:
    """What may be the base of the nearest verb before a number in its sentence."""
    found = [p for p in pieces(_lead(text, told)) if verbal(p) or p.low in {"starts", "weighs"}]
    return frozenset(bases(found[-1].low)) if found else frozenset()


def _is_state(text: str, told: Told) -> bool:
    """Whether a number says how many there are: "had 5", "there are 5", "5 birds were"."""
    verb = _verb(text, told)
    tail = re.match(r"(?: [a-z]+){1,3}? (?:is|are|was|were)\b", text[told.quantity.end :])
    return bool(verb & _STATES) if verb else bool(tail and not told.quantity.number.startswith("$"))


def _same_owner(text: str, first: Told, asked: str) -> bool:
    """Whether the question is about whoever has the first number."""
    who = _SUBJECT.search(asked)
    owners = {p.text for p in pieces(_lead(text, first)) if p.text[:1].isupper()}
    names = {p.text for p in pieces(asked) if p.text[:1].isupper() and p.text != "How"}
    if names:
        return bool(names & owners)
    return not who or who["who"].lower() in _PRONOUNS | {"the", "be"}


def _after(text: str, asked: str, first: Told, change: _Change, tables: Tables) -> Iterator[str]:
    """What there is after a change."""
    busy = any(_effect(p.low, tables) and p.low != "left" for p in pieces(asked))
    if busy or not _STATE_ASKED.match(asked) or not _is_state(text, first):
        return
    if _FROM.search(text) or not _same_owner(text, first, asked):
        return
    if asks_elsewhere(text, asked, first, change):
        return
    if change.larger and not _own_gain(text, first, change):
        return
    if change.larger and re.search(r"(?i)\b(?:left|remain\w*)\b", asked):
        return
    if not change.larger and _ADDED_MORE.match(text, change.quantity.end):
        return
    if not change.larger and (_ALL.search(asked) or _is_too_much(first, change)):
        return
    yield "sum" if change.larger else "difference"


def asks_elsewhere(text: str, asked: str, first: Told, change: Told | _Change) -> bool:
    """Whether a question names the place of a change, where what there was before is not."""
    said, since = (
        content_of(sentence_at(text, t.quantity.start).of(text)) for t in (first, change)
    )
    return bool(content_of(asked) & since - said - first.key)


def _own_gain(text: str, first: Told, change: _Change) -> bool:
    """Whether what comes is for whoever has the first number, as far as its subject tells."""
    span = sentence_at(text, change.quantity.start)
    lead = text[span.start : change.quantity.start]
    owners = {p.text for p in pieces(_lead(text, first)) if p.text[:1].isupper()}
    words = {p.text for p in pieces(lead) if p.kind == "word"}
    own = {word.lower() for word in words} & _PRONOUNS or words & owners
    subjects = [p for p in pieces(lead) if p.text[:1].isupper() or p.low in _PRONOUNS]
    return bool(own and len(subjects) < 3) or bool(
        _JOINING.search(text[span.start : span.end]) or _GIFT.search(lead)
    )


def _is_too_much(first: Told, change: _Change) -> bool:
    """Whether more would be taken than there is."""
    return value(change.quantity) > value(first.quantity)


def _at_first(text: str, change: _Change, end: Told) -> Iterator[str]:
    """What there was before a change."""
    sentence = sentence_at(text, end.quantity.start)
    if not _END.search(sentence.of(text)) or not _verb(text, end) & (_STATES | {"leave"}):
        return
    if not change.larger:
        yield "sum"
    elif value(end.quantity) > value(change.quantity):
        yield "difference"


def _amount_is_asked(
    before: str, asked: str, first: Told, second: Told, change: _Change | None, tables: Tables
) -> bool:
    """Whether the size of a change is asked for, and what was before and after it is told."""
    untold = list(_UNTOLD.finditer(before))
    if len(untold) != 1 or _ALL.search(asked) or change:
        return False
    between = first.quantity.end <= untold[0].start() < second.quantity.start
    sentence = sentence_at(before, untold[0].start()).of(before)
    verbs = {stem(p.low) for p in pieces(sentence) if _effect(p.low, tables)}
    wanted = {stem(p.low) for p in pieces(asked) if _effect(p.low, tables) and p.low != "left"}
    ends = _END_OR_THEN.search(sentence_at(before, second.quantity.start).of(before))
    states = _is_state(before, first) and bool(_verb(before, second) & (_STATES | {"leave"}))
    return bool(between and verbs & wanted and ends and states and len(wanted) == 1)


def whole(text: str, at: int, noun: Sequence[str], told: Sequence[Told], tables: Tables) -> bool:
    """Whether both numbers are parts, alike in all they do, of what is asked for in all."""
    asked = text[at:]
    if not len(told) == len(quantities(text)) == 2 or not tables.changes:
        return False
    if not _ALL.search(asked) or _HIDDEN.search(text):
        return False
    if _UNTOLD.search(text[:at]) or not _of_one_thing(noun, told):
        return False
    doing = [_verb(text, one) for one in told]
    falls = {
        p.low for p in pieces(text) if _effect(p.low, tables) == "smaller" and p.low != "share"
    }
    alike = bool(doing[0]) and (doing[0] == doing[1] or bool(doing[0] & doing[1]))
    return alike and not falls and not any(is_subset(text, one) for one in told)


def is_subset(text: str, told: Told) -> bool:
    """Whether a number counts some of those that another counts.

    "7 of them", "7 of which are ripe", "including 7 old ones"; or it is said what they are like:
    "7 were ripe", "7 pears are ripe".
    """
    start, end = told.quantity.start, told.quantity.end
    if OF_THOSE.match(text, end) or _INCLUDED.search(text[:start]):
        return True
    lead = _lead(text, told)
    like = _ARE_LIKE.match(text, end)
    listed = like and like["thing"] and lead.endswith(" and ")
    return bool(like and not listed and start > quantities(text)[0].start) and not (
        _THERE.search(lead)
    )


def is_other_part(text: str, at: int, noun: Sequence[str], told: Sequence[Told]) -> bool:
    """Whether the other part of a whole is asked for: "the rest are green", "some girls"."""
    before, asked = text[:at], text[at:]
    part, whole = sorted(told, key=lambda t: value(t.quantity))
    if len(_UNTOLD.findall(before)) != 1 or _ALL.search(asked) or _END.search(asked):
        return False
    span = sentence_at(text, part.quantity.start)
    behind = before[part.quantity.end : span.end]
    if re.search(r"(?i)\bor\b", f"{behind} {asked}"):
        return False
    if rest := _REST.search(behind):
        own, other = content_of(behind[: rest.start()]), content_of(behind[rest.end() :])
        named = content_of(asked) - whole.key
        return whole.quantity.end <= part.quantity.start and bool(other & named - own)
    some = re.search(r"(?i)\band some (?P<kind>\w+)", behind)
    of_all = _ALL.search(sentence_at(text, whole.quantity.start).of(text))
    kinds = part.head != noun[-1] if noun else False
    return bool(some and of_all and kinds and noun_key(some["kind"]) == tuple(noun))
