"""Turn a `Schema` into a problem in words: numbers, people and things are drawn, then the forms of words.

`problem(rng)` is the entry point. It knows nothing of notes, chat or tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.schemas import DISTRACTORS, FILLERS, Schema
from promptfix.mini.corpus.stories import TRAINING

_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{([^{}]+)\}")
_PEOPLE = "NMO"


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
        sums = "\n".join(self.steps)
        return f"{self.phrase}: {sums}\nAnswer: {self.answer}" if sums else f"{self.phrase}\nAnswer: {self.answer}"


def spin(text: str, rng: Random, chosen: dict[str, str] | None = None) -> str:
    """Expand every `(x|y)` choice, inner ones first. Equal choices fall alike while `chosen` is passed on."""
    chosen = {} if chosen is None else chosen
    while match := _CHOICE.search(text):
        options = match[1]
        pick = rng.choice(options.split("|"))
        text = text[: match.start()] + (pick if "" in options.split("|") else chosen.setdefault(options, pick)) + text[match.end() :]
    return text


def number(rng: Random) -> int:
    """A quantity, small ones more often, up to four digits."""
    roll = rng.random()
    if roll < 0.42:
        return rng.randint(2, 20)
    if roll < 0.87:
        return rng.randint(10, 99)
    return rng.randint(100, 999) if roll < 0.985 else rng.randint(1000, 9999)


@dataclass
class _Scene:
    """Who and what one problem is about; `render` remembers who was named last, for the pronouns."""

    rng: Random
    names: dict[str, tuple[str, str]]
    words: dict[str, str]
    numbers: dict[str, int]
    spell: float
    pronouns: float
    mentioned: list[str] = field(default_factory=list)

    def render(self, template: str) -> str:
        here: set[str] = set()
        return _SLOT.sub(lambda m: self._slot(m[1], here), template)

    def _slot(self, slot: str, here: set[str]) -> str:
        if slot[0] in _PEOPLE and slot[1:] in ("", "'s", "o"):
            return self._person(slot[0], slot[1:], here)
        if slot in ("his", "he"):
            gender = self.names["N"][1]
            return {"his": {"f": "her", "m": "his"}, "he": {"f": "she", "m": "he"}}[slot][gender]
        if slot.startswith("$"):
            value = self.numbers[slot[1:]]
            return f"${value}" if self.words["money"] == "$" else f"{value} dollars"
        if slot in self.numbers:
            value = self.numbers[slot]
            return words.spell(value) if value <= 20 and self.rng.random() < self.spell else str(value)
        return self.words[slot]

    def _person(self, who: str, case: str, here: set[str]) -> str:
        name, gender = self.names[who]
        last_same = next((p for p in reversed(self.mentioned) if self.names[p][1] == gender), None)
        known = last_same == who and (who in here or self.rng.random() < self.pronouns)
        self.mentioned.append(who)
        here.add(who)
        if known:
            return {"": {"f": "she", "m": "he"}, "'s": {"f": "her", "m": "his"}, "o": {"f": "her", "m": "him"}}[case][gender]
        return name + ("'s" if case == "'s" else "")


def _people(rng: Random) -> dict[str, tuple[str, str]]:
    chosen: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for who in _PEOPLE:
        gender = rng.choice("fm")
        pool = (words.ROLES_F if gender == "f" else words.ROLES_M) if rng.random() < 0.12 else (words.FEMALE if gender == "f" else words.MALE)
        name = rng.choice([p for p in (rng.choice(pool) for _ in range(4)) if p not in taken] or ["Robin"])
        taken.add(name)
        chosen[who] = (name, gender)
    return chosen


def _noun(rng: Random) -> str:
    return rng.choice(words.THINGS) if rng.random() < 0.7 else rng.choice(words.rare_nouns())


def _things(rng: Random) -> dict[str, str]:
    """X, Y, Z and W: often the same noun under different adjectives, so that the adjective has to be read."""
    out: dict[str, str] = {}
    head = _noun(rng)
    kinds = rng.sample(words.ADJECTIVES, 4)
    shared = rng.random() < 0.3
    adjective = rng.random() < 0.15
    for slot, kind in zip("XYZW", kinds, strict=True):
        noun = head if shared and slot != "W" else _noun(rng)
        before = f"{kind} " if shared or adjective else ""
        out[slot] = before + words.plural(noun)
        out[slot + "1"] = before + noun
    out["XY"], out["Xadj"], out["Yadj"] = words.plural(head), kinds[0], kinds[1]
    return out


def _verbs(rng: Random) -> dict[str, str]:
    out: dict[str, str] = {}
    for past, base, table in (("gained", "gain", words.GAIN), ("lost", "lose", words.LOSE if rng.random() < 0.85 else words.EAT), ("did", "do", words.DO), ("came", "come", words.COME), ("went", "leave", words.LEAVE)):
        out[past], out[base] = rng.choice(table)
    out["ex"], out["exdid"], out["exdo"] = rng.choice(words.EXERCISE)
    return out


def _scene(rng: Random, numbers: dict[str, int]) -> _Scene:
    unit = rng.choice([u for u in words.UNITS if u[0] not in words.UNIT_PARTS])
    things = _things(rng)
    container = rng.choice(words.CONTAINERS)
    first, second, third = sorted(rng.sample(range(7), 3)) if rng.random() < 0.7 else rng.sample(range(7), 3)
    calendar = words.DAYS if rng.random() < 0.8 else words.MONTHS
    vocabulary = things | _verbs(rng) | {
        "C": words.plural(container), "C1": container, "P": rng.choice(words.PLACES), "T": rng.choice(words.TIMES),
        "D": calendar[first], "E": calendar[second], "F": calendar[third], "U": rng.choice(words.MATERIALS), "V": rng.choice(words.MATERIALS),
        "money": rng.choice(["$", "dollars"]), "unit": unit[0], "units": unit[1],
    }
    tunit = rng.choice([u for u in words.UNITS if u[0] in words.UNIT_PARTS])
    vocabulary |= {"tunits": tunit[1], "tparts": words.UNIT_PARTS[tunit[0]]}
    numbers.setdefault("u", unit[2])
    return _Scene(rng, _people(rng), vocabulary, numbers, spell=rng.choice([0, 0, 0, 0.25, 1]), pronouns=rng.choice([0.3, 0.6, 0.9]))


def _draw(schema: Schema, rng: Random) -> dict[str, int]:
    """Numbers for the letters that satisfy the schema's conditions and give whole, positive results."""
    for _ in range(5000):
        values = {letter: number(rng) for letter in "abcde"}
        values |= {"d": number(rng), "n": rng.randint(2, 12) if rng.random() < 0.8 else rng.randint(2, 40), "m": rng.randint(2, 12), "t": rng.randint(2, 9), "q": rng.randint(1, 12) if rng.random() < 0.7 else rng.randint(2, 60)}
        if any("*" in step for step in schema.steps):
            values["a"] = rng.randint(2, 12) if rng.random() < 0.75 else rng.randint(2, 60)
        if _satisfied(schema, values, rng):
            return values
    raise ValueError(f"schema {schema.name} cannot be drawn")


def _satisfied(schema: Schema, values: dict[str, int], rng: Random) -> bool:
    scope: dict[str, object] = {"pick": lambda *xs: rng.choice(xs), "u": values.get("u", 12)}
    for clause in filter(None, schema.draw.split(";")):
        if "=" in clause and not re.search(r"[<>]", clause):
            letter, formula = clause.split("=", 1)
            values[letter] = int(eval(formula, {"__builtins__": {}}, scope | values))  # noqa: S307 - formulas are this package's own table
        elif not eval(clause, {"__builtins__": {}}, scope | values):  # noqa: S307 - as above
            return False
    used = {letter for letter in "abcdnmt" if any(re.search(rf"\b{letter}\b", step) for step in schema.steps)}
    return all(values[x] > 0 for x in used) and _positive(schema, values)


def _positive(schema: Schema, values: dict[str, int]) -> bool:
    try:
        steps, result = _work(schema, values)
    except (ZeroDivisionError, ValueError):
        return False
    return 0 <= result < 20000 and (result > 0 or not steps)


def _work(schema: Schema, values: dict[str, int]) -> tuple[tuple[str, ...], int]:
    """The worked sums and the result. Raises ValueError when a step is not a whole number."""
    scope = dict(values)
    scope.setdefault("u", 12)
    lines: list[str] = []
    result = before = 0
    for step in schema.steps:
        terms = re.findall(r"[a-z]|\d+|[-+*/%]", step)
        exact = eval(step, {"__builtins__": {}}, scope | {"r": result, "p": before})  # noqa: S307 - this package's own table
        if exact != int(exact) or exact < 0:
            raise ValueError(step)
        shown = [str({"r": result, "p": before}.get(t, scope.get(t, t))) for t in terms]
        before, result = result, int(exact)
        if len(terms) > 1:
            lines.append(f"{' '.join(shown)} = {result}")
        scope["r"], scope["p"] = result, before
    return tuple(lines), result


def _decapital(text: str, names: dict[str, tuple[str, str]]) -> str:
    first = text.split(" ", 1)[0]
    keep = any(text.startswith(n) and n[0].isupper() for n, _ in names.values()) or first in words.DAYS or first in words.MONTHS or first == "I"
    return text if keep else text[:1].lower() + text[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _arrange(facts: list[str], ask: str, extra: list[str], schema: Schema, rng: Random) -> tuple[list[str], str]:
    """The order of the sentences; `ask` is last in most problems."""
    if schema.shuffle:
        rng.shuffle(facts)
    for sentence in extra:
        facts.insert(rng.randint(0, len(facts)), sentence)
    return facts, ask


def problem(rng: Random, schema: Schema | None = None, distract: float = 0.35) -> Problem:
    """Draw one problem. Deterministic in `rng`; `schema` fixes its kind."""
    schema = schema or rng.choices(TRAINING, _WEIGHTS)[0]
    numbers: dict[str, int] = {}
    scene = _scene(rng, numbers)
    drawn_unit = numbers["u"]
    if "tunits" in " ".join(schema.facts):
        drawn_unit = next(u[2] for u in words.UNITS if u[1] == scene.words["tunits"])
    numbers |= {"u": drawn_unit} | _draw_with_unit(schema, rng, drawn_unit)
    extra = [rng.choice(DISTRACTORS)] if schema.facts != ("",) and rng.random() < distract else []
    if schema.facts != ("",) and rng.random() < 0.15:
        extra.append(rng.choice(FILLERS))
    facts, ask = _arrange([f for f in schema.facts if f], rng.choice(schema.asks), extra, schema, rng)
    chosen: dict[str, str] = {}
    mergeable = facts and facts[-1] not in extra
    told = [spin(f, rng, chosen) for f in facts]
    return _tell(schema, scene, told, spin(ask, rng, chosen), rng, merge=bool(mergeable), distracted=any("{e}" in x or "{$e}" in x for x in extra))


def _draw_with_unit(schema: Schema, rng: Random, unit: int) -> dict[str, int]:
    for _ in range(50):
        values = _draw(schema, rng)
        values["u"] = unit
        if _satisfied(schema, values, rng):
            return values
    return {**values, "b": 1}


def _tell(schema: Schema, scene: _Scene, facts: list[str], ask: str, rng: Random, *, merge: bool, distracted: bool) -> Problem:
    style = rng.random()
    if facts and style < 0.06:
        question = _capital(scene.render(ask))
        told = [_capital(scene.render(f).strip()) for f in facts]
        text = " ".join([question, *told])
    elif merge and style < 0.30 and facts[-1].rstrip().endswith(".") and facts[-1].count(".") == 1 and ask.startswith(("How", "What")):
        told = [_capital(scene.render(f).strip()) for f in facts[:-1]]
        last = _decapital(scene.render(facts[-1]).strip().rstrip("."), scene.names)
        lead = rng.choice(["If", "If", "If", "When"]) if not last.lower().startswith(("if", "then", "now", "after", "when", "later")) else ""
        question = _capital(f"{lead} {_decapital(last, scene.names)}".strip()) + rng.choice([", ", ", ", " "]) + _decapital(scene.render(ask), scene.names)
        text = " ".join([*told, question])
    else:
        told = [_capital(scene.render(f).strip()) for f in facts]
        question = _capital(scene.render(ask))
        text = " ".join([*told, question])
    text = _untidy(re.sub(r"\s+", " ", text).strip(), rng)
    steps, result = _work(schema, scene.numbers)
    scene.mentioned.clear()
    phrase = scene.render(schema.phrase)
    named = _named(schema, scene)
    unasked = tuple(q for q in named if not any(re.search(rf"\b{q[0]}\b", s) for s in steps))
    if distracted:
        unasked += ((scene.numbers["e"], "this"),)
    return Problem(text, question, steps, phrase, str(result), schema.name, named, unasked)


def _named(schema: Schema, scene: _Scene) -> tuple[tuple[int, str], ...]:
    """Each number with the thing that directly follows it in the schema's facts."""
    pairs = re.findall(r"\{([abcd])\} (?:more |fewer |less )?\{([XYZ])\}", " ".join(schema.facts))
    return tuple((scene.numbers[letter], scene.words[thing]) for letter, thing in dict(pairs).items())


def _untidy(text: str, rng: Random) -> str:
    """What people do to a text now and then: lower case, no final mark, a doubled or lost comma."""
    roll = rng.random()
    if roll < 0.03:
        return text.lower()
    if roll < 0.05:
        return text.rstrip("?.")
    return text.replace(", ", " ", 1) if roll < 0.07 else text


_WEIGHTS = [s.weight for s in TRAINING]
