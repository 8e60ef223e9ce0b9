"""Turn a `Schema` into a problem in words: numbers, people and things are drawn, then the forms.

`problem(rng)` is the entry point. It knows nothing of notes, chat or tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from promptfix.mini.corpus import pointed, words
from promptfix.mini.corpus.draws import draw, work
from promptfix.mini.corpus.scene import Scene, scene
from promptfix.mini.corpus.schemas import DISTRACTORS, FILLERS, Schema
from promptfix.mini.corpus.stories import TRAINING
from promptfix.mini.corpus.swapped import swapped

_CHOICE = re.compile(r"\(([^()]*)\)")
_WEIGHTS = tuple(accumulate(s.weight for s in TRAINING))
SWAPPED = 0.4
"""How often a story is told of other things than its own."""
POINTED = 0.8
"""How often a story of amounts with decimals is told with them, and not with whole numbers."""
POINTED_ANYWAY = 0.35
"""How often any other story that adds and takes away amounts is."""
_ODD = (" 's ", "\u2019s ", " \u2019s ")
"""How typesetting may leave a genitive."""
_LEADS = ("if", "then", "now", "after", "when", "later")
"""Words at the head of a sentence before which no "if" can stand."""


@dataclass(frozen=True)
class Problem:
    """A word problem with its worked answer."""

    text: str
    question: str
    """The question sentence as it stands in the text."""
    steps: tuple[str, ...]
    """The sums, e.g. `("8 - 3 = 5",)`; empty when the answer is only looked up."""
    phrase: str
    """What is asked for, in the question's words."""
    answer: str
    schema: str
    quantities: tuple[tuple[int, str], ...] = ()
    """The numbers of the story with the thing each counts, in the order of the letters."""
    unasked: tuple[tuple[int, str], ...] = ()
    """Numbers that play no part."""

    @property
    def solution(self) -> str:
        """The answer as the model should write it."""
        sums = ": " + "\n".join(self.steps) if self.steps else ""
        return f"{self.phrase}{sums}\nAnswer: {self.answer}"


def problem(rng: Random, schema: Schema | None = None, distract: float = 0.35) -> Problem:
    """Draw one problem. Deterministic in `rng`; `schema` fixes its kind.

    Raises ValueError for a `schema` whose conditions no numbers meet.
    """
    schema, about = _scene_of(schema, rng) if schema else _any_scene(rng)
    facts, extra = _sentences(schema, rng, distract)
    ask = rng.choice(schema.asks)
    _arrange(facts, extra, rng, shuffle=schema.shuffle)
    merge = bool(facts) and facts[-1] not in extra
    chosen: dict[str, str] = {}
    spun = [spin(fact, rng, chosen) for fact in facts]
    text, question = _tell(about, spun, spin(ask, rng, chosen), merge=merge)
    text = _untidy(re.sub(r"\s+", " ", text).strip(), rng)
    steps, result = work(schema, about.numbers, rng)
    about.mentioned.clear()
    phrase = about.render(schema.phrase)
    named = _named(schema, about)
    unasked = tuple(q for q in named if not any(re.search(rf"\b{q[0]}\b", s) for s in steps))
    if any("{e}" in sentence or "{$e}" in sentence for sentence in extra):
        unasked += ((int(about.numbers["e"]), "this"),)
    return Problem(text, question, steps, phrase, str(result), schema.name, named, unasked)


def _any_scene(rng: Random) -> tuple[Schema, Scene]:
    """A schema of those for training, with its people, things and numbers."""
    while True:
        schema = rng.choices(TRAINING, cum_weights=_WEIGHTS)[0]
        try:
            return _scene_of(swapped(schema, rng) if rng.random() < SWAPPED else schema, rng)
        except ValueError:
            continue  # some conditions are met so seldom that a search may end without success


def _scene_of(schema: Schema, rng: Random) -> tuple[Schema, Scene]:
    about = scene(rng)
    cents = schema.point if rng.random() < POINTED else ""
    numbers = draw(schema, rng, _unit(schema, about), cents)
    about.numbers |= numbers
    if cents:
        about.numbers |= pointed.in_hundredths(numbers, cents)
    elif not schema.point and rng.random() < POINTED_ANYWAY:
        about.numbers |= pointed.with_fractions(schema, numbers, rng)
    return schema, about


def spin(text: str, rng: Random, chosen: dict[str, str] | None = None) -> str:
    """Expand every `(x|y)` choice, inner ones first.

    Equal choices fall alike while `chosen` is passed on, but for those with an empty option.
    """
    chosen = {} if chosen is None else chosen
    while match := _CHOICE.search(text):
        options = match[1].split("|")
        pick = rng.choice(options)
        if "" not in options:
            pick = chosen.setdefault(match[1], pick)
        text = text[: match.start()] + pick + text[match.end() :]
    return text


def _unit(schema: Schema, about: Scene) -> int:
    """What the unit word is worth that the schema's facts use."""
    if "tunits" in " ".join(schema.facts):
        return next(worth for _, units, worth in words.UNITS if units == about.words["tunits"])
    return int(about.numbers["u"])


def _sentences(schema: Schema, rng: Random, distract: float) -> tuple[list[str], list[str]]:
    """The schema's facts, and sentences that play no part."""
    facts = [fact for fact in schema.facts if fact]
    extra: list[str] = []
    if facts and rng.random() < distract:
        extra.append(rng.choice(DISTRACTORS))
    if facts and rng.random() < 0.15:
        extra.append(rng.choice(FILLERS))
    return facts, extra


def _arrange(facts: list[str], extra: Sequence[str], rng: Random, *, shuffle: bool) -> None:
    """Put the extra sentences among the facts, in place."""
    if shuffle:
        rng.shuffle(facts)
    for sentence in extra:
        facts.insert(rng.randint(0, len(facts)), sentence)


def _tell(about: Scene, facts: Sequence[str], ask: str, *, merge: bool) -> tuple[str, str]:
    """The text and its question: first, joined to the last fact (if `merge`), or last, mostly."""
    style = about.rng.random()
    if facts and style < 0.06:
        question = _capital(about.render(ask))
        return " ".join([question, *_told(about, facts)]), question
    if merge and style < 0.30 and _can_join(facts[-1], ask):
        told = _told(about, facts[:-1])
        question = _joined(about, facts[-1], ask)
    else:
        told = _told(about, facts)
        question = _capital(about.render(ask))
    return " ".join([*told, question]), question


def _told(about: Scene, facts: Sequence[str]) -> list[str]:
    return [_capital(about.render(fact).strip()) for fact in facts]


def _can_join(fact: str, ask: str) -> bool:
    one_sentence = fact.rstrip().endswith(".") and fact.count(".") == 1
    return one_sentence and ask.startswith(("How", "What"))


def _joined(about: Scene, fact: str, ask: str) -> str:
    """`If` the fact, the question."""
    rng = about.rng
    last = _decapital(about.render(fact).strip().rstrip("."), about)
    leads = last.lower().startswith(_LEADS)
    lead = "" if leads else rng.choice(["If", "If", "If", "When"])
    joint = rng.choice([", ", ", ", " "])
    question = _decapital(about.render(ask), about)
    return _capital(f"{lead} {_decapital(last, about)}".strip()) + joint + question


def _decapital(text: str, about: Scene) -> str:
    first = text.split(" ", 1)[0]
    named = any(text.startswith(n) and n[0].isupper() for n, _ in about.names.values())
    if named or first in words.DAYS or first in words.MONTHS or first == "I":
        return text
    return text[:1].lower() + text[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _named(schema: Schema, about: Scene) -> tuple[tuple[int, str], ...]:
    """Each number with the thing that directly follows it in the schema's facts."""
    counted = r"\{([abcd])\} (?:more |fewer |less )?\{([XYZ])\}"
    pairs = dict(re.findall(counted, " ".join(schema.facts)))
    counts = ((about.numbers[letter], about.words[thing]) for letter, thing in pairs.items())
    return tuple((count, thing) for count, thing in counts if isinstance(count, int))


def _untidy(text: str, rng: Random) -> str:
    """What people do to a text: lower case, no final mark, odd spaces, a lost comma."""
    roll = rng.random()
    if roll < 0.03:
        return text.lower()
    if roll < 0.05:
        return text.rstrip("?.")
    if roll < 0.09:
        return text.replace("'s ", rng.choice(_ODD)).replace("$", "$ ")
    return text.replace(", ", " ", 1) if roll < 0.11 else text
