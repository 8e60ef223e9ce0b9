"""The same prompt in other words, by rule: other names, numbers, synonyms, order and voice.

A rule gives None where it does not apply. Meanings stay, so that a misreading of what is meant
should stay too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import TypeAlias

from promptfix.slots.words import sentences

Rule: TypeAlias = Callable[[str, Random], str | None]

_NAMES = "Anna Ben Carla Daniel Ella Frank Grace Henry Ida Jonas Karen Leo Mona Nils Olga Peter"
_SYNONYMS = {
    "bought": "purchased",
    "buy": "purchase",
    "gave": "handed",
    "got": "received",
    "has": "owns",
    "collected": "gathered",
    "found": "discovered",
    "made": "produced",
    "took": "grabbed",
    "big": "large",
    "small": "little",
    "children": "kids",
    "kids": "children",
    "altogether": "in total",
    "in all": "altogether",
    "each": "every",
    "remain": "are left",
    "used": "employed",
    "sentence": "text",
    "shop": "store",
    "store": "shop",
    "begin": "start",
    "started": "began",
    "quickly": "fast",
}
_PASSIVE = re.compile(
    r"(?P<who>[A-Z][a-z]+) (?P<verb>bought|sold|made|baked|picked|found|collected|used|lost|ate)"
    r" (?P<what>\d+ [a-z]+(?: [a-z]+)?)(?=[.,])"
)
_NAMED = re.compile(
    r"\b([A-Z][a-z]+) (?:has|had|is|was|did|does|and|gave|bought|sold|made|found|ate|picked|went)\b"
)
_NO_NAMES = {"There", "He", "She", "It", "They", "How", "What", "If", "We", "You"}
_PARTICIPLES = {"ate": "eaten"}
_ASKED = re.compile(r'^(Is the word "[^"]+" used \w+ or \w+ in this \w+\?) (.+)$', re.DOTALL)


def names(text: str, rng: Random) -> str | None:
    """Other people: every capitalised word that is used like a name."""
    people = [n for n in dict.fromkeys(_NAMED.findall(text)) if n not in _NO_NAMES]
    if not people:
        return None
    chosen = rng.sample([n for n in _NAMES.split() if n not in text], len(people))
    for old, new in zip(people, chosen, strict=True):
        text = re.sub(rf"\b{old}\b", new, text)
    return text


def numbers(text: str, rng: Random) -> str | None:
    """Other numbers: each a little larger, in the same order of size."""
    shift = rng.randint(1, 3)
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + shift), text)
    return changed if changed != text else None


def synonyms(text: str, rng: Random) -> str | None:
    """Other words for some of the commonest."""
    del rng
    pattern = "|".join(_SYNONYMS)
    changed = re.sub(rf"\b(?:{pattern})\b", lambda found: _SYNONYMS[found[0]], text)
    return changed if changed != text else None


def order(text: str, rng: Random) -> str | None:
    """The question first; in the metaphor task, last."""
    del rng
    if asked := _ASKED.match(text):
        return f"{asked[2]} {asked[1]}"
    parts = [span.of(text) for span in sentences(text)]
    if len(parts) < 2 or not parts[-1].endswith("?") or not parts[-1].startswith(("How", "What")):
        return None
    return " ".join([parts[-1], *parts[:-1]])


def voice(text: str, rng: Random) -> str | None:
    """Passive for active: `Tom bought 5 apples` becomes `5 apples were bought by Tom`."""
    del rng

    def turned(found: re.Match[str]) -> str:
        verb = _PARTICIPLES.get(found["verb"], found["verb"])
        return f"{found['what']} were {verb} by {found['who']}"

    changed = _PASSIVE.sub(turned, text, count=1)
    return changed if changed != text else None


RULES: tuple[Rule, ...] = (names, numbers, synonyms, order, voice)


def paraphrases(text: str, seed: int) -> list[str]:
    """What the rules make of a text, each applied alone."""
    rng = Random(f"{seed} {text}")
    made = [rule(text, rng) for rule in RULES]
    return [new for new in made if new is not None]
