"""How two numbers of a problem hang together: comparisons and equal groups."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptfix.formats import Tables
from promptfix.records import Span
from promptfix.slots.lemmas import singular
from promptfix.slots.words import (
    AUXILIARY,
    VALUES,
    Quantity,
    noun_key,
    pieces,
    quantities,
    sentence_at,
)

_OPPOSITE = {
    "more": "fewer",
    "fewer": "more",
    "less": "more",
    "older": "younger",
    "younger": "older",
    "taller": "shorter",
    "shorter": "taller",
    "longer": "shorter",
    "heavier": "lighter",
    "lighter": "heavier",
    "higher": "lower",
    "lower": "higher",
    "faster": "slower",
    "slower": "faster",
    "bigger": "smaller",
    "larger": "smaller",
    "smaller": "larger",
    "farther": "less far",
    "further": "less far",
    "deeper": "shallower",
    "wider": "narrower",
}
_FAST = {"faster", "slower"}
"""Said of speeds and of times: which number is larger, nobody knows."""
_SMALL = {"fewer", "less", "younger", "shorter", "lighter", "lower", "slower", "smaller"}
_SPELLED = "|".join(word for word in VALUES if word not in {"zero", "one"})
_FROM = r"(?i)(?:^|(?<=[.,;?!]))"
"""Where a comparison begins; a search from every character of a text would take cubic time."""
_THAN = re.compile(
    rf"{_FROM}(?P<head>[^.,;?!]*?)\s*(?P<number>\$?\d[\d,]*(?:\.\d+)?|\b(?:{_SPELLED})(?:-[a-z]+)?\b)"
    rf"(?P<unit>(?:\s+[a-z]+){{0,2}}?)\s+(?P<way>{'|'.join(_OPPOSITE)})"
    r"(?P<noun>(?:\s+[a-z-]+){0,4}?)\s+than\s+(?P<other>[^.,;?!]+)"
)
_TIMES = re.compile(
    rf"{_FROM}(?P<head>[^.,;?!]*?)\s*(?P<times>\b(?:twice|thrice|\S+\s+times))\s+as\s+(?:many|much)"
    r"(?P<noun>(?:\s+[a-z-]+){0,4}?)\s+as\s+(?P<other>[^.,;?!]+)"
)
_EACH = re.compile(
    r"(?i)\b(?:each|every|per|apiece)\b(?P<of>\s+of(?:\s+(?:the|his|her|their|its))?)?"
)
_STARTS = re.compile(
    r"[A-Z]|(?:the|a|an|his|her|their|its|my|our|there|she|he|it|they|you|we|i|who)\b"
)
"""How the side of a comparison begins: a name, a determiner or a pronoun."""
_SIDE = 4
"""Words. A longer side of a comparison was cut in the wrong place."""
_MISCUT = re.compile(r"(?i)\d|\b(?:amount|number|twice|times|thrice)\b")
_BREAK = re.compile(r"(?i)\s+(?:and|but|who|that|which|when|while|if|so|because|in|on|at)\s+.*")


_DULL = frozenset("the a an his her their its my our of there".split())


def comparison(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """A comparison said the other way round: `restated`, and who has the `larger` number."""
    del span, tables
    for found in _THAN.finditer(text):
        if made := _reversed(found):
            return made
    for found in _TIMES.finditer(text):
        if made := _multiple(found):
            return made
    return None


@dataclass(frozen=True)
class Sides:
    """A comparison of two sides by a number, and where it stands."""

    first: str
    second: str
    thing: str
    """What is counted on both sides; may be empty."""
    first_is_larger: bool
    start: int
    end: int

    def named(self, text: str) -> bool | None:
        """Whether a text speaks of the first side (True) or of the second (False).

        None if of both, of neither, or if the sides cannot be told apart.
        """
        words = _told(text)
        one, other = _told(self.first), _told(self.second)
        mine, theirs = bool((one - other) & words), bool((other - one) & words)
        return None if mine == theirs else mine

    def counts(self, head: str) -> bool:
        """Whether a number of things of that name (singular) may be one of the sides'."""
        named = noun_key(self.thing)[-1:], noun_key(self.first)[-1:], noun_key(self.second)[-1:]
        return not self.thing or (head,) in named


def sides(text: str) -> Iterator[Sides]:
    """The comparisons of a text, each by its subject and again by the things it counts.

    "Ann has 5 more red beads than Tom" has Ann and Tom; "Ann has 5 more red beads than blue beads"
    the beads.
    """
    for found in _THAN.finditer(text):
        if found["way"].lower() in _FAST:
            continue
        larger, second = found["way"].lower() not in _SMALL, _side(found["other"])
        for first in (_subject(found["head"])[1], found["noun"].strip()):
            if first and second:
                thing = f"{found['unit']} {found['noun']}".strip()
                yield Sides(first, second, thing, larger, found.start(), found.end())


def _told(text: str) -> set[str]:
    """A text's words but the dull ones, in lower case and without a genitive's ending."""
    words = {piece.low.removesuffix("'s") for piece in pieces(text) if piece.kind == "word"}
    return words - _DULL


def each(text: str, span: Span | None, tables: Tables) -> dict[str, str] | None:
    """Equal groups: how many `groups`, and the `size` of one. Also `group` and `item` nouns."""
    del span, tables
    for found in _EACH.finditer(text):
        sentence = sentence_at(text, found.start())
        following = [p for p in pieces(text) if p.start >= found.end()][:4]
        noun = next((p.text for p in following if not p.stops), "")
        numbered = bool(following) and following[0].kind == "number"
        if numbered and not found["of"]:
            continue
        ends = not following or (following[0].stops and not numbered)
        here = [q for q in quantities(text) if sentence.start <= q.start < sentence.end]
        pair = _last_two(here, found.start()) if ends else _of_groups(text, here, noun, found)
        if pair and pair[0].number != pair[1].number and pair[0].noun:
            groups, size = pair
            return {
                "groups": groups.number,
                "group": groups.noun,
                "size": size.number,
                "item": size.noun,
            }
    return None


def _reversed(found: re.Match[str]) -> dict[str, str] | None:
    way, number = found["way"].lower(), found["number"]
    verb, first = _subject(found["head"])
    second = _side(found["other"])
    thing = " ".join(f"{found['unit']} {found['noun']}".split())
    if first.lower() == "there":
        first, thing = found["noun"].strip(), ""
    if not first or not second or "times" in thing.split():
        return None
    counted = way in {"more", "fewer", "less"} and not found["unit"].strip()
    after, before = (thing, "") if counted else ("", thing)
    opposite = "less" if way == "more" and not (counted and thing) else _OPPOSITE[way]
    words = [second, verb, number, before, opposite, after, "than", first]
    larger = second if way in _SMALL else first
    return {"restated": " ".join(word for word in words if word), "larger": larger}


def _multiple(found: re.Match[str]) -> dict[str, str] | None:
    verb, first = _subject(found["head"])
    second = _side(found["other"])
    times = {"twice": "2 times", "thrice": "3 times"}.get(found["times"].lower(), found["times"])
    if not first or not second or first.lower() == "there":
        return None
    noun = found["noun"].strip() or "number"
    words = f"{first} {verb} {times} the {noun} of {second}"
    return {"restated": " ".join(words.split()), "larger": first}


def _subject(head: str) -> tuple[str, str]:
    """Verb and subject of what stands before a comparison: ("has", "Tom's sister")."""
    words = re.split(r"(?i)\b(?:and|but|if|that|while|then|so|when)\b", head)[-1].split()
    if len(words) < 2 or words[-1].lower().endswith("ing"):
        return "", ""
    verb = words.pop()
    while words and words[-1].lower() in AUXILIARY:
        verb = f"{words.pop()} {verb}"
    subject = " ".join(words)
    fits = 0 < len(words) <= _SIDE and _STARTS.match(subject) and not re.search(r"[\d$]", subject)
    return (verb, subject) if fits else ("", "")


def _side(other: str) -> str:
    """The other side of a comparison, without what follows it."""
    words = _BREAK.sub("", f" {other} ").split()
    while words and words[-1].lower() in AUXILIARY:
        words.pop()
    fits = len(words) <= _SIDE and not _MISCUT.search(other)
    return " ".join(words) if fits else ""


def _last_two(here: list[Quantity], end: int) -> tuple[Quantity, Quantity] | None:
    """`5 boxes with 8 pencils each`: the two numbers before the word."""
    before = [q for q in here if q.end <= end]
    return (before[-2], before[-1]) if len(before) > 1 else None


def _of_groups(
    text: str, here: list[Quantity], noun: str, found: re.Match[str]
) -> tuple[Quantity, Quantity] | None:
    """`8 pencils in each of 5 boxes`, `each box has 8 pencils`: the group is named."""
    head = singular(noun)
    groups = [q for q in quantities(text) if q.key and q.key[-1] == head]
    sizes = [q for q in here if not q.key or q.key[-1] != head]
    if not groups or not sizes:
        return None
    return groups[0], min(sizes, key=lambda q: abs(q.start - found.start()))
