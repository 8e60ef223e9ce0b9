"""The last try of counting.py: rules for common stories, each of which needs several witnesses.

Each rule tells of every number what part it plays: two that the question needs, and others that
stand for something else. Where one number has no part, a rule gives none.
"""

import re
from collections.abc import Sequence

from promptfix.slots.described import Told, content_of, lows_of
from promptfix.slots.lemmas import plural, stem
from promptfix.slots.strangers import names
from promptfix.slots.words import sentences, value

_PLAIN = re.compile(r"(?i)\bhow\s+(?:many|much)\b(?!\s+(?:more|fewer|less)\b)")
_COMPARING = re.compile(r"(?i)\bhow\s+(?:many|much)\s+(?:more|fewer|less)\b.*\bthan\b")
_EACH = re.compile(r"(?i)\b(?:each|every|per)\b")
_SOME = re.compile(r"(?i)\bsome\b")
_KEEPING = re.compile(r"(?i)\b(?:left|now|still|has|have|had|remain\w*)\b")
_LATER = re.compile(r"(?i)\b(?:left|now|still|then|after|afterwards)\b")
_IN_PLACE = re.compile(r"(?i)\b(?:left |there |now )?(?:in|on) the (\w+)\s*\?")
_PLACED = re.compile(r"(?i)\b(?:in|on|from|into|out of) (?:an?|the|his|her) (\w+)")
_TO_SHARE = re.compile(r"(?i)\bto (?:each of )?(?:his|her|their|its|the|my|our)?\s*$")
_DEEDS = re.compile(r"(?i)\bdid \w+ (\w+)\b.*\bthan (?:\w+ did|\w+) (\w+)\b")
_GAVE = re.compile(r"(?i)\bdid (\w+) (?:give|lend|sell|hand|send|pass)\b")
_ORDER = re.compile(r"(?i)\b(first|second|other) (\w+)\b")
_EITHER = re.compile(r"(?i)\b(\w+)(?: away)? or (\w+)(?: away)?\s*\?")
_SUM = re.compile(r"(?i)\b(?:in all|in total|altogether)\s*\?")
_TIME = frozenset("second minute hour day week month year".split())
_FEW = re.compile(r"(?i)\b(?:few|some|several)\b")
_MEASURES = frozenset("second minute hour day week month year dollar cent amount degree".split())
_PEOPLE = frozenset("child pupil student kid person people passenger visitor".split())
_VEHICLES = frozenset("bus buse van car train boat coach wagon".split())


def by_witnesses(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two numbers that count by the first rule that knows the story of a problem."""
    if not 3 <= len(told) <= 4:
        return []
    head = noun[-1] if noun else ""
    return (
        _before_and_after(text, asked, told)
        or _given_away(text, asked, head, told)
        or _gave_some(text, asked, head, told)
        or _in_place(text, asked, head, told)
        or _makes(asked, head, told)
        or _by_rates(asked, head, told)
        or _seats(asked, head, told)
    )


def _span(text: str, told: Told) -> str:
    return sentences(text)[told.sentence].of(text)


def _before(text: str, told: Told) -> str:
    return text[: told.quantity.start][-40:]


def _asking(text: str, told: Told) -> bool:
    """Whether a number stands in the question itself."""
    start = text.lower().rfind("how m")
    return told.quantity.start > start


def other_things(others: Sequence[Told], pair: Sequence[Told], named: frozenset[str]) -> bool:
    """Whether all other numbers plainly count things that neither a pair nor the question names."""
    heads = {t.head for t in pair}
    return all(
        t.head not in heads | {""}
        and stem(t.head) not in named
        and plural(t.quantity.noun.split()[-1])
        for t in others
    )


def _before_and_after(text: str, asked: str, told: Sequence[Told]) -> list[Told]:
    """What there was and what there is: their difference is that of a gain and a loss.

    "9 cats sat there. 7 came while some ran off. Then there were 4. How many more ran than came?"
    """
    if len(told) != 3 or not _COMPARING.match(asked) or _KEEPING.search(asked):
        return []
    first, change, last = told
    if any(_asking(text, t) for t in told) or len({t.sentence for t in told}) < 3:
        return []
    heads = {t.head for t in told} - {""}
    known = bool(first.state and last.state and not change.state)
    moved = bool(change.doing & content_of(asked)) or "got" in lows_of(_span(text, change))
    told_late = _LATER.search(_span(text, last)) is not None
    unknown = len(_SOME.findall(text)) == 1 or _untold(text, asked, change)
    return [first, last] if known and moved and told_late and unknown and len(heads) == 1 else []


def _untold(text: str, asked: str, change: Told) -> bool:
    """Whether a comparison is of the change that is told and of one that is not."""
    found = _DEEDS.search(asked)
    deeds = [stem(verb.lower()) for verb in found.groups()] if found else []
    told = content_of(text[: len(text) - len(asked)])
    return [deed in told for deed in deeds].count(False) == 1 and any(
        deed in change.doing for deed in deeds
    )


def _given_away(text: str, asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """What somebody had and has left; among how many the rest went plays no part."""
    if len(told) != 3 or not _PLAIN.match(asked) or _EACH.search(asked) or not head:
        return []
    mine = [t for t in told if t.head == head]
    others = [t for t in told if t not in mine]
    if len(mine) != 2 or not _TO_SHARE.search(_before(text, others[0])) or not others[0].head:
        return []
    kept = ["left" in t.words for t in mine]
    gave = re.search(r"(?i)\bdid\b.*\bgive\b", asked)
    plain = others[0].head not in _MEASURES and all(t.state for t in mine)
    return mine if gave and kept == [False, True] and plain else []


def _gave_some(text: str, asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """What somebody had and has left of what he gave some of; what another had plays no part."""
    found = _GAVE.search(asked)
    if found is None or not _PLAIN.match(asked) or any(t.head != head for t in told):
        return []
    people = {stem(name.lower()) for name in names(text)} - {stem(found[1].lower())}
    mine = [t for t in told if not t.words & people]
    fits = len(mine) == 2 and all(t.state and not t.rate for t in told)
    fits = fits and ["left" in t.words for t in mine] == [False, True]
    return mine if fits and len(told) == 3 and len(_SOME.findall(text)) == 1 else []


def _in_place(text: str, asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """Two numbers of things at the place that the question names; others are somewhere else."""
    found = None if _FEW.search(text) else _IN_PLACE.search(asked)
    if found is None or len(told) != 3 or not _PLAIN.match(asked) or _EACH.search(asked):
        return []
    place = found[1].lower()
    here = [t for t in told if place in lows_of(_span(text, t))]
    there = [t for t in told if t not in here]
    if len(here) != 2 or any(t.head != head or _asking(text, t) for t in here):
        return []
    places = {word.lower() for t in there for word in _PLACED.findall(_span(text, t))}
    moved = here[0].state and not here[1].rate and here[0].sentence == 0
    alone = len({t.sentence for t in told}) == 3
    return here if places and place not in places and moved and alone else []


def other_part(text: str, asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """A whole of two parts and one of these, where the question asks for the other."""
    found, before = _ORDER.search(asked), text[: len(text) - len(asked)]
    parts = [t for t in told if value(t.quantity) == 2]
    mine = [t for t in told if t.head == noun[-1] and t not in parts]
    if found is None or len(told) != 3 or len(parts) != 1 or len(mine) != 2:
        return []
    ordered = {(one.lower(), stem(two.lower())) for one, two in _ORDER.findall(before)}
    meant = found[1].lower(), stem(found[2].lower())
    one_told = [two for one, two in ordered if one != meant[0]] == [stem(parts[0].head)]
    return mine if one_told and len(ordered) == 1 and meant[1] == stem(parts[0].head) else []


def either(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The numbers of two deeds that the question joins by "or"."""
    found = _EITHER.search(asked)
    verbs = [stem(verb.lower()) for verb in found.groups()] if found else []
    mine = [[t for t in told if verb in t.doing] for verb in verbs]
    if not found or [len(some) for some in mine] != [1, 1] or mine[0] == mine[1]:
        return []
    two = [*mine[0], *mine[1]]
    return two if all(t.head in {noun[-1], ""} and not t.rate for t in two) else []


def all_money(asked: str, noun: Sequence[str], told: Sequence[Told]) -> list[Told]:
    """The two sums of money that a question adds up, whatever else is counted with them."""
    mine = [t for t in told if t.head == "dollar" and not t.rate]
    if tuple(noun) not in {("dollar",), ("money",)} or not _SUM.search(asked) or len(mine) != 2:
        return []
    others = [t for t in told if t not in mine]
    return mine if all(t.head in _TIME and not t.rate for t in others) else []


def _makes(asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """How many can be made: what there is and what each takes."""
    if len(told) != 3 or not re.match(r"(?i)how many \w+ can\b", asked):
        return []
    rates = [t for t in told if stem(head) in t.rate and t.head != head]
    stuff = [t for t in told if t not in rates and rates and t.head == rates[0].head]
    others = [t for t in told if t not in rates and t not in stuff]
    pair = [*stuff, *rates]
    fits = len(rates) == len(stuff) == 1 and other_things(others, pair, content_of(asked))
    return pair if fits and not others[0].rate else []


def _by_rates(asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """The one of two rates that leads from the number in the question to what it asks for."""
    if len(told) != 3 or not _PLAIN.match(asked) or _EACH.search(asked):
        return []
    *rates, given = told
    if not all(t.rate for t in rates) or given.rate or given.quantity.noun not in asked:
        return []
    mine, unit = stem(head), stem(given.head)
    kinds = {(t.head, t.of) for t in rates}
    if len(kinds) < 2 or not all(t.head for t in rates):
        return []
    links = [({stem(t.head)} == {mine} and t.rate == frozenset({unit})) for t in rates]
    turned = [(t.rate == frozenset({mine}) and stem(t.head) == unit) for t in rates]
    fits = [a or b for a, b in zip(links, turned, strict=True)]
    if sum(fits) != 1 or given.head == "" or not given.words - {unit}:
        return []
    return [rates[fits.index(True)], given]


def _seats(asked: str, head: str, told: Sequence[Told]) -> list[Told]:
    """Vehicles, seats in each and people: two of them where the third is asked for."""
    roles = [_role(t.head) for t in told]
    wanted = _role(head)
    parts = {"people", "seat", "vehicle"} - {wanted}
    pair = [t for t, role in zip(told, roles, strict=True) if role in parts]
    others = [t for t in told if t not in pair]
    if (
        not wanted
        or wanted in roles
        or len(parts) != 2
        or len(pair) != 2
        or not _PLAIN.match(asked)
    ):
        return []
    whole = {_role(t.head) for t in pair} == parts and not {"left", "empty"} & lows_of(asked)
    seated = all(bool(t.rate) == (_role(t.head) == "seat") for t in pair) and (
        wanted != "seat" or "each" in lows_of(asked)
    )
    return pair if whole and seated and other_things(others, pair, content_of(asked)) else []


def _role(head: str) -> str:
    if head in _VEHICLES:
        return "vehicle"
    return "people" if head in _PEOPLE else head * (head == "seat")
