"""Which two operations a problem with three numbers needs, and in which order.

Spoken of only where the words say what each number does: it is there at first, it comes, it goes,
it is left at the end, or it is so many in each group. Where one number may be idle, where a word
hides a further number, or where a verb is not known, nothing is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.described import TIMES, Told, content_of, describe, lows_of, verbal
from promptfix.slots.lemmas import bases, stem
from promptfix.slots.sums import is_subset
from promptfix.slots.words import (
    EACH,
    Piece,
    after,
    counted,
    noun_key,
    pieces,
    sentence_at,
    sentences,
    value,
)

_HOW = re.compile(r"(?i)\bhow\s+(?:many|much|long|tall|heavy|old)\b")
_HIDDEN = re.compile(
    r"(?i)\b(?:half|halves|twice|thrice|double[ds]?|triple[ds]?|times|third|quarters?|fourth|fifth"
    r"|percent|dozens?|pairs?|couple|both|average|consecutive|except|instead|none|nobody|unless"
    r"|another|whom?|rest|others|gallon|square|not|never|no|nothing|as many|all of|where|without"
    r"|\w+-dollar|taller|older|heavier|longer|shorter|younger"
    r"|profit|dimes?|nickels?|cents?|weeks)\b|%|\d/\d|\d\.\d"
)
"""Words that hide a number, or say that one does not count."""
_COMPARED = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b")
_WAY = re.compile(r"(?i)\b(?:more|fewer|less|\w+er)\b[^.?!]*\bthan\b")
_NOW = re.compile(r"(?i)\b(?:now|left|remain\w*|still|there|end|afterwards?)\b")
_FIRST = re.compile(r"(?i)\b(?:at first|initially|start\w*|beginning|originally|for (?:his|her))\b")
_ALL = re.compile(r"(?i)\b(?:altogether|all together|in all|total)\b")
_ENDS = re.compile(r"(?i)\b(?:left|now|still|remain\w*|currently)\b")
_SOME = re.compile(r"(?i)\b(?:some|a few|several|yet some more)\b")
_FOR = re.compile(r"(?i)\bto (?:buy|get|make) some\b")
"""Some of what was bought for it is not some of what is counted."""
_ADDED = re.compile(r"(?i)\b(?:more|also|another|new|extra)\b")
_GAINS = frozenset(
    """
    get find add join buy make bake come grow receive collect plant win earn arrive bring catch
    """.split()
)
_LOSSES = frozenset(
    """
    give sell eat spend cut lose leave use remove delete discard donate throw break drop destroy
    lend
    """.split()
)
_STATES = frozenset("have be hold own weigh stand sit contain keep".split())
_KNOWN = _GAINS | _LOSSES | _STATES
_VAGUE = frozenset("take put lay pick move push wander".split())
"""What these do to a number, their places tell."""
_OPEN = frozenset(("get",))
"""What these do, only the word behind them tells: "got on", "got off"."""
_HELPING = frozenset("did does do would could should".split())
_PLACES = frozenset("at to for with from by in into among of against".split())
_USELESS = frozenset("broken empty missing closed damaged rotten cracked torn taken".split())
"""What is so is there, yet counts for nothing."""
_CUTS = frozenset("and but while when after before if then who which that so".split())
_PARTICLES = {"off": -1, "away": -1, "out": -1, "on": 1}
_GIVEN = re.compile(r"(?i)\b(?:gave|gives?) (?:him|her|them|it|me|us)\b|\bgiven\b")
_TAKEN = re.compile(r"(?i)\b(?:his|her|their) \w+ gave (?:him|her|them)\b")
_PRONOUNS = frozenset("he she they it we i you there who these".split())
_CHAIN = re.compile(
    r"(?P<a>[A-Z]\w+)(?: \w+)? (?P<n>\d+) (?P<way>more|fewer|less)(?: [a-z-]+){0,2} than "
    r"(?P<b>[A-Z]\w+)"
    r"(?: and (?P<m>\d+) (?P<also>more|fewer|less)(?: [a-z-]+){0,2} than (?P<c>[A-Z]\w+))?"
)
_NAMED = re.compile(r"(?P<name>[A-Z]\w+) (?:has|had|did|owns) (?P<n>\d+) (?!more|fewer|less)[a-z]")
_HELPS = re.compile(r"(?i)\b(?:did|does|do|is|are|was|were|have|has|had|in|on|at)\b")
_DOING = frozenset(stem(verb) for verb in _GAINS | _LOSSES) | {"pick", "take", "play"}

Pair = tuple[str, str]
_NAMES = {1: "sum", -1: "difference"}


@dataclass(frozen=True)
class _Problem:
    """A problem cut at its question: the text, the part that tells, the part that asks."""

    text: str
    before: str
    asked: str
    noun: tuple[str, ...]
    told: Sequence[Told]
    roles: Sequence[int | None]
    """For each number 0 if it is there at first, 1 if it comes, -1 if it goes, 2 at the end."""
    verbs: Sequence[str]

    @property
    def alike(self) -> bool:
        """Whether all three numbers count the things asked for."""
        heads = {t.head for t in self.told if t.head not in {"", "one"}}
        money = heads == {"dollar"} and self.noun == ("money",)
        return len(heads) == 1 and (not self.noun or self.noun[-1] in heads or money)


def two_steps(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """The two operations of a problem, `first` and `second`, in an order that can be followed."""
    del span, tables
    problem = _cut(text)
    if problem is None:
        return None
    rules = (_chained, _compared, _changed, _undone, _part, _all_of, _grouped)
    later = zip(problem.told[1:], problem.roles[1:], problem.verbs[1:], strict=True)
    kept = [one for one, role, verb in later if role != -1 or verb == problem.verbs[0]]
    if any(is_subset(text, one) for one in kept):
        rules = (_compared, _undone, _part)
    pair = next((found for rule in rules if (found := rule(problem))), None)
    return {"first": pair[0], "second": pair[1]} if pair else None


def _cut(text: str) -> _Problem | None:
    asking = list(_HOW.finditer(text))
    told = describe(text)
    if len(asking) != 1 or len(told) != 3 or _HIDDEN.search(text):
        return None
    at = asking[0].start()
    ends = sentences(text)[-1]
    late = any(t.quantity.start > at for t in told) or not ends.start <= at < ends.end
    if late or any(value(t.quantity) < 1 for t in told) or not text.rstrip().endswith("?"):
        return None
    noun = noun_key(counted(after(pieces(text), asking[0].end())))
    done = [_role(text, t) for t in told]
    return _Problem(
        text, text[:at], text[at:], noun, told, [r for r, _ in done], [v for _, v in done]
    )


def _role(text: str, told: Told) -> tuple[int | None, str]:
    """What a number does, by the nearest verb before it in its sentence, else behind it."""
    sentence = sentence_at(text, told.quantity.start)
    here = [p for p in pieces(text) if sentence.start <= p.start < sentence.end]
    before = [p for p in here if p.end <= told.quantity.start]
    clause = _clause([p for p in here if p.start >= told.quantity.end])
    verbs = [n for n, p in enumerate(before) if _acts(p)]
    late = [p for o, p in pairwise(clause) if _acts(p) and o.low != "to"]
    late = late or [p for p in here if _verb(p) in _STATES]
    verbs = _without_aim(before, verbs)
    nearest = before[verbs[-1]] if verbs else next(iter(late), None)
    if nearest is None:
        return None, ""
    verb = _verb(nearest) or stem(nearest.low)
    wanted = bool(verbs) and verbs[-1] > 0 and before[verbs[-1] - 1].low == "to"
    placed = bool(before) and before[-1].low in _PLACES and verb != "grow"
    strange = any(_acts(p) and not _verb(p) for p in clause) or not _verb(nearest)
    if before and before[-1].low == "the":
        return None, ""
    if wanted or placed or strange:
        return None, verb
    if verb in _STATES:
        said = " ".join(p.low for p in [*before, *clause])
        return (2 if _ENDS.search(said) else 0), verb
    if verb == "give" and _GIVEN.search(sentence.of(text)):
        return (1 if _TAKEN.search(sentence.of(text)) else None), verb
    signs = [_PARTICLES[p.low] for p in clause if p.low in _PARTICLES and verb in _OPEN]
    return (signs[0] if signs else 1 if verb in _GAINS else -1), verb


def _without_aim(before: Sequence[Piece], verbs: Sequence[int]) -> Sequence[int]:
    """The places of verbs, less a last one that only says what for: "used 5 to buy pens and 3"."""
    if len(verbs) < 2 or before[verbs[-1] - 1].low != "to":
        return verbs
    numbers = any(p.kind == "number" for p in before[verbs[-2] : verbs[-1]])
    joined = any(p.low == "and" for p in before[verbs[-1] :])
    return verbs[:-1] if numbers and joined else verbs


def _acts(piece: Piece) -> bool:
    """Whether a word is a verb that says what happens, not one that only helps."""
    if piece.kind != "word" or piece.low.endswith("ing") or piece.low in _HELPING:
        return False
    vague = not _VAGUE.isdisjoint(bases(piece.low))
    return vague or bool(_verb(piece)) or (verbal(piece) and len(piece.low) > 3)


def _clause(behind: Sequence[Piece]) -> Sequence[Piece]:
    cut = next((n for n, p in enumerate(behind) if p.kind != "word" or p.low in _CUTS), len(behind))
    return behind[:cut]


def _verb(piece: Piece) -> str:
    """The base form of a known verb."""
    if piece.kind != "word":
        return ""
    if piece.low == "left":
        return "leave"
    return next((form for form in bases(piece.low) if form in _KNOWN), "")


def _chained(problem: _Problem) -> Pair | None:
    """Two comparisons in a row: from the side that is told to the one asked for."""
    edges: dict[str, list[tuple[str, int]]] = {}
    count = 0
    for found in _CHAIN.finditer(problem.before):
        for other, way in ((found["b"], found["way"]), (found["c"], found["also"])):
            if other:
                count += 1
                sign = 1 if way == "more" else -1
                edges.setdefault(found["a"], []).append((other, -sign))
                edges.setdefault(other, []).append((found["a"], sign))
    known = [found["name"] for found in _NAMED.finditer(problem.before)]
    named = [name for name in edges if re.search(rf"\b{name}\b", problem.asked)]
    if count != 2 or len(edges) != 3 or len(known) != 1 or len(named) != 1:
        return None
    if not problem.alike or _ALL.search(problem.asked) or _COMPARED.match(problem.asked):
        return None
    for middle, first in edges.get(known[0], []):
        for last, second in edges[middle]:
            if last == named[0] and last != known[0]:
                return _NAMES[first], _NAMES[second]
    return None


def _compared(problem: _Problem) -> Pair | None:
    """How many more of one side than of the other, one of which changed."""
    left, _, right = problem.asked.partition(" than ")
    if not right or not _COMPARED.match(left) or _WAY.search(problem.before):
        return None
    if _FIRST.search(problem.asked) or _SOME.search(problem.before):
        return None
    gained = any(_verb(p) in _GAINS for p in pieces(problem.asked))
    if lows_of(problem.asked) & {"before"} or (gained and -1 in problem.roles):
        return None
    every = frozenset[str].intersection(*(t.words for t in problem.told))
    one = content_of(left) - every
    other = content_of(_HELPS.split(right)[0]) - every
    one, other = one - other - _DOING, other - one - _DOING
    if "those" in lows_of(right):
        one -= {stem(word) for word in problem.noun}
    mine = [n for n, t in enumerate(problem.told) if one & t.words]
    theirs = [n for n, t in enumerate(problem.told) if other & t.words]
    if sorted([*mine, *theirs]) != [0, 1, 2] or not mine or not theirs:
        return None
    two, single = (mine, theirs[0]) if len(mine) == 2 else (theirs, mine[0])
    shared = problem.told[two[0]].words & problem.told[two[1]].words & (one | other)
    sign = _grows(problem, two) if shared and problem.roles[single] in {0, 1, -1} else 0
    return (_NAMES[sign], "difference") if sign else None


def _grows(problem: _Problem, two: Sequence[int]) -> int:
    """1 or -1 where the later of two numbers is added to the earlier one or taken from it."""
    first, later = (problem.roles[n] for n in two)
    one, other = (problem.told[n] for n in two)
    repeated = problem.verbs[two[0]] == problem.verbs[two[1]]
    if first == later == -1 and repeated:
        return int(bool(re.match(r"(?i)\s*more\b", problem.text[other.quantity.end :])))
    if first not in {0, 1} or later not in {1, -1} or (one.head and one.head != other.head):
        return 0
    tail = problem.text[other.quantity.end :][:8]
    lead = problem.text[: other.quantity.start][-12:]
    marked = _ADDED.search(tail) or _ADDED.search(lead)
    return later if marked or later == -1 else 0


def _changed(problem: _Problem) -> Pair | None:
    """What there is after two changes."""
    roles = problem.roles
    if not problem.alike or not _one_owner(problem) or not _neutral(problem, state=True):
        return None
    if _FIRST.search(problem.asked) or _COMPARED.match(problem.asked):
        return None
    if lows_of(problem.asked) & {"before", "after"}:
        return None
    if not _NOW.search(problem.asked) or _SOME.search(_FOR.sub("", problem.before)):
        return None
    if roles[0] not in {0, 1} or any(role not in {1, -1} for role in roles[1:]):
        return None
    if _again(problem):
        return "sum", "difference"
    return _NAMES[roles[1] or 1], _NAMES[roles[2] or 1]


def _again(problem: _Problem) -> bool:
    """Whether the last number goes on top of what went the same way before: "ate 9 more"."""
    more = re.match(r"(?i)\s*more\b", problem.text[problem.told[2].quantity.end :])
    same = problem.verbs[1] == problem.verbs[2]
    return bool(more) and same and problem.roles[1] == problem.roles[2] == -1


def _undone(problem: _Problem) -> Pair | None:
    """What there was before two changes: each is undone."""
    changes = [role for role in problem.roles if role in {1, -1}]
    if not problem.alike or not _one_owner(problem) or _COMPARED.match(problem.asked):
        return None
    if len(changes) != 2 or 2 not in problem.roles or not _asks_start(problem):
        return None
    return _NAMES[-changes[1]], _NAMES[-changes[0]]


def _asks_start(problem: _Problem) -> bool:
    """Whether the question is about the time before both changes."""
    if _FIRST.search(problem.asked):
        return True
    found = re.search(r"(?i)\bbefore\b(.*)", problem.asked)
    said = [verb for p in pieces(found[1]) if (verb := _verb(p))] if found else []
    changes = [verb for verb in problem.verbs if verb not in _STATES]
    return bool(found) and (not found[1].strip(" ?") or said[:1] == changes[:1])


def _part(problem: _Problem) -> Pair | None:
    """How large the untold one of two changes was."""
    roles = list(problem.roles)
    asked = [verb for p in pieces(problem.asked) if (verb := _verb(p)) and verb not in _STATES]
    if not problem.alike or not _one_owner(problem) or _COMPARED.match(problem.asked):
        return None
    if roles[0] not in {0, 1} or len(asked) != 1 or 2 not in roles[1:]:
        return None
    if roles[2] != 2 and problem.verbs[2] != asked[0]:
        return None
    change = next((role for role in roles[1:] if role != 2), None)
    if change not in {1, -1}:
        return None
    some = _SOME.search(problem.before)
    if not some and asked[0] != "spend":
        return None
    first = some is not None and some.start() < problem.told[roles.index(change)].quantity.start
    if asked[0] in _LOSSES or change == -1:
        return _NAMES[-change if first else change], "difference"
    return ("difference", "difference") if change == 1 else None


def _all_of(problem: _Problem) -> Pair | None:
    """All of three amounts of the same things."""
    roles = problem.roles
    if not _neutral(problem) or _COMPARED.match(problem.asked) or EACH.search(problem.text):
        return None
    if _WAY.search(problem.text) or _SOME.search(problem.before) or _FIRST.search(problem.asked):
        return None
    listing, whole = _lists(problem), bool(_ALL.search(problem.asked))
    if not (problem.alike or listing) or re.search(r"(?i)\b(?:left|remain\w*)\b", problem.asked):
        return None
    if "before" in lows_of(problem.asked) or (listing and not _joined(problem)):
        return None
    here = len({t.sentence for t in problem.told}) == 1
    places = [n for n, s in enumerate(sentences(problem.text)) if s.end > len(problem.before)]
    if not whole and places[:1] != [problem.told[2].sentence + 1]:
        return None
    names = _names(problem.asked)
    named = all(names & t.words for t in problem.told)
    if here and whole and len(set(problem.verbs)) == 1 and problem.verbs[0]:
        return "sum", "sum"
    if roles[0] not in {0, 1} or any(role not in {0, 1} for role in roles[1:]):
        return None
    return ("sum", "sum") if here or whole or listing or named else None


def _joined(problem: _Problem) -> bool:
    """Whether the last number comes on top of the others, all of which are then asked for."""
    gained = any(_verb(p) in _GAINS for p in pieces(problem.asked))
    last = problem.told[2].quantity
    more = re.match(r"(?i)\s*more\b", problem.text[last.end :])
    return problem.roles[2] == 1 and bool(more) and not gained


def _lists(problem: _Problem) -> bool:
    """Whether the question names the kinds of all numbers: "birds and storks"."""
    heads = {t.head for t in problem.told}
    return len(heads) == 2 and heads == set(_kinds(problem.asked))


def _names(asked: str) -> frozenset[str]:
    """The stems of the names in a question."""
    return content_of(" ".join(p.text for p in pieces(asked)[1:] if p.text[:1].isupper()))


def _neutral(problem: _Problem, *, state: bool = False) -> bool:
    """Whether the question points at none of the numbers more than at the others.

    Where one person has all, the name, and what is said of the first number, do no harm.
    """
    if lows_of(problem.asked) & TIMES:
        return False
    told, listing = problem.told, _lists(problem)
    every = frozenset[str].intersection(*(t.words for t in told))
    asked = content_of(problem.asked) - {stem(word) for word in problem.noun[-1:]} - every
    if listing:
        asked -= {stem(kind) for kind in _kinds(problem.asked)}
    marks = {stem(word) for word in problem.noun[:-1]} - every
    names = _names(problem.asked)
    if not state and len({bool(names & t.words) for t in told}) > 1:
        return False
    if any(marks & t.words for t in told):
        return False
    if len({t.sentence for t in told}) == 1:
        end = sentence_at(problem.text, told[0].quantity.start).end
        last = told[-1]
        tail = problem.text[last.quantity.end : min(end, len(problem.before))]
        asked -= content_of(tail) - last.key
    spoken = [bool(asked & t.words) for t in told]
    early = (state or listing) and any(spoken[:2]) and not spoken[2]
    return len(set(spoken)) == 1 or early


def _one_owner(problem: _Problem) -> bool:
    """Whether at most one person is said to do or to have anything."""
    every = pieces(problem.text)
    names = {
        one.low
        for one, two in pairwise(every)
        if one.text[:1].isupper() and one.low not in _PRONOUNS and not one.stops and _verb(two)
    }
    return len(names) <= 1


def _grouped(problem: _Problem) -> Pair | None:
    """So many in each of so many, with two kinds of things or groups, or with some beside."""
    head = problem.noun[-1] if problem.noun else ""
    useless = lows_of(problem.before) & _USELESS
    if not head or useless or _WAY.search(problem.text) or _SOME.search(problem.before):
        return None
    sizes = [t for t in problem.told if t.rate]
    others = [t for t in problem.told if not t.rate]
    if len(sizes) == 2 and len(others) == 1:
        return _two_sizes(problem, sizes, others[0], head)
    if len(sizes) == 1 and len(others) == 2:
        return _one_size(problem, sizes[0], others, head)
    return None


def _two_sizes(problem: _Problem, sizes: Sequence[Told], groups: Told, head: str) -> Pair | None:
    one, other = sizes
    if re.search(r"(?i)\b(?:each|every|per|one)\b", problem.asked):
        return None
    counted_ = stem(groups.head)
    if one.rate == other.rate and one.sentence == other.sentence:
        fits = counted_ in one.rate and groups.head != head
        alike = one.head == other.head == head or (
            one.head != other.head and {one.head, other.head} == set(_kinds(problem.asked))
        )
        return ("sum", "product") if fits and alike and _level(problem, sizes) else None
    for inner, outer in ((one, other), (other, one)):
        if stem(outer.head) in inner.rate and counted_ in outer.rate and inner.head == head:
            return "product", "product"
    return None


def _kinds(asked: str) -> Sequence[str]:
    found = re.match(r"(?i)how many (\w+) and (\w+)\b", asked)
    return noun_key(f"{found[1]} {found[2]}") if found else ()


def _one_size(problem: _Problem, size: Told, others: Sequence[Told], head: str) -> Pair | None:
    groups = [t for t in others if t.head and stem(t.head) in size.rate]
    things = [t for t in others if t.head == size.head]
    roles = [problem.roles[problem.told.index(t)] for t in others]
    if len(groups) == 2 and head == size.head and _level(problem, groups):
        if roles[0] in {0, 1} and roles[1] in {0, 1} and roles[0] == roles[1]:
            return "sum", "product"
        return ("difference", "product") if roles[0] in {0, 1} and roles[1] == -1 else None
    if len(groups) == 1 and len(things) == 1 and head == size.head:
        role = problem.roles[problem.told.index(things[0])]
        near = problem.text[things[0].quantity.start :][:60]
        if _ALL.search(problem.asked) and re.search(r"(?i)\b(?:extra|loose|single)\b", near):
            return "product", "sum"
        if role == -1 and re.search(r"(?i)\bleft\b", problem.asked):
            return "product", "difference"
    shared = len(things) == 2 and stem(head) in size.rate and size.head != head
    if shared and roles[0] in {0, 1} and roles[1] == -1 and _one_owner(problem):
        return "difference", "quotient"
    return None


def _level(problem: _Problem, some: Sequence[Told]) -> bool:
    """Whether neither the question nor what is said of each tells two numbers apart."""
    one, other = (t.words | t.of for t in some)
    spoken = content_of(problem.asked) | frozenset[str]().union(*(t.rate for t in problem.told))
    listed = len(_kinds(problem.asked)) == 2
    apart = spoken & (one ^ other)
    return _one_owner(problem) and (not apart or listed)
