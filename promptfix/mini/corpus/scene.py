"""Who and what one problem is about, and how its templates are told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.draws import Number

_SLOT = re.compile(r"\{([^{}]+)\}")
_PEOPLE = "NMO"
_GOVERNED = re.compile(
    r"\b(?:from|to|with|for|of|by|at|beside|behind|(?:g[ai]ve|take|took|told?|tell|help|ask|sent|send"
    r"|paid|pay|owe|len[dt]|show|cost|let|teach|taught|bring|brought)(?:s|ed)?) $"
)
"""What stands before a person who is an object."""
_PRONOUNS = {
    "": {"f": "she", "m": "he"},
    "'s": {"f": "her", "m": "his"},
    "o": {"f": "her", "m": "him"},
}
"""Case as a slot writes it -> gender -> pronoun."""


@dataclass
class Scene:
    """The words and numbers of one problem; it remembers who was named last, for the pronouns."""

    rng: Random
    names: dict[str, tuple[str, str]]
    """Letter -> name and gender, `f` or `m`."""
    words: dict[str, str]
    numbers: dict[str, Number]
    spell: float
    """How likely a small number is to be written in words."""
    pronouns: float
    """How likely the only one of a gender who was named is to be called he or she."""
    mentioned: list[str] = field(default_factory=list)

    def render(self, template: str) -> str:
        """Fill the slots of a template whose choices are made."""
        here: set[str] = set()

        def filled(found: re.Match[str]) -> str:
            slot = found[1]
            if slot in _PEOPLE and _GOVERNED.search(template, 0, found.start()):
                slot += "o"
            behind = template[found.end() :]
            if behind.startswith("%") and slot in self.numbers:
                return str(self.numbers[slot])  # never "five%"
            alone = not behind.startswith(" ")
            return self._slot(slot, here, named=alone and slot.endswith("'s"))

        return _SLOT.sub(filled, template)

    def _slot(self, slot: str, here: set[str], *, named: bool) -> str:
        if slot[0] in _PEOPLE and slot[1:] in _PRONOUNS:
            return self._person(slot[0], slot[1:], here, named=named)
        if slot in ("his", "he"):
            return _PRONOUNS["'s" if slot == "his" else ""][self.names["N"][1]]
        if slot.startswith("$"):
            value = self.numbers[slot[1:]]
            return f"${value}" if self.words["money"] == "$" else f"{value} dollars"
        if slot in self.numbers:
            value = self.numbers[slot]
            if isinstance(value, int) and value <= 20 and self.rng.random() < self.spell:
                return words.spell(value)
            return str(value)
        return self.words[slot]

    def _person(self, who: str, case: str, here: set[str], *, named: bool) -> str:
        """A name, or a pronoun for the only one of that gender; `here` is who was in the sentence.

        A `named` person keeps the name: "taller than hers" is another pronoun than "her tower".
        """
        name, gender = self.names[who]
        alike = {p for p in self.mentioned if self.names[p][1] == gender}
        known = who in alike and not named and self._clear(who, alike - {who}, here)
        self.mentioned.append(who)
        here.add(who)
        if known:
            return _PRONOUNS[case][gender]
        return name + ("'s" if case == "'s" else "")

    def _clear(self, who: str, rivals: set[str], here: set[str]) -> bool:
        """Whether a pronoun is understood, and wanted."""
        if rivals:
            return who in here and not rivals & here
        return who in here or self.rng.random() < self.pronouns


def scene(rng: Random) -> Scene:
    """Draw people, things, places and words; of the numbers only `u`, what the unit is worth."""
    name, several, worth = rng.choice([u for u in words.UNITS if u[0] not in words.UNIT_PARTS])
    things = _things(rng)
    container = rng.choice(words.CONTAINERS)
    in_order = rng.random() < 0.7
    days = rng.sample(range(7), 3)
    if in_order:
        days.sort()
    calendar = words.DAYS if rng.random() < 0.8 else words.MONTHS
    vocabulary = things | _verbs(rng)
    vocabulary |= {"C": words.plural(container), "C1": container}
    vocabulary |= {"P": rng.choice(words.PLACES), "T": rng.choice(words.TIMES)}
    vocabulary |= {letter: calendar[day] for letter, day in zip("DEF", days, strict=True)}
    vocabulary |= {"U": rng.choice(words.MATERIALS), "V": rng.choice(words.MATERIALS)}
    vocabulary |= {"money": rng.choice(["$", "dollars"]), "unit": name, "units": several}
    whole, wholes, _ = rng.choice([u for u in words.UNITS if u[0] in words.UNIT_PARTS])
    vocabulary |= {"tunits": wholes, "tparts": words.UNIT_PARTS[whole]}
    return Scene(
        rng,
        _people(rng),
        vocabulary,
        {"u": worth},
        spell=rng.choice([0, 0, 0, 0.25, 1]),
        pronouns=rng.choice([0.3, 0.6, 0.9]),
    )


def _people(rng: Random) -> dict[str, tuple[str, str]]:
    chosen: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for who in _PEOPLE:
        gender = rng.choice("fm")
        if rng.random() < 0.12:
            pool = words.ROLES_F if gender == "f" else words.ROLES_M
        else:
            pool = words.FEMALE if gender == "f" else words.MALE
        free = [p for p in (rng.choice(pool) for _ in range(4)) if p not in taken]
        name = rng.choice(free or ["Robin"])
        taken.add(name)
        chosen[who] = (name, gender)
    return chosen


def _noun(rng: Random) -> str:
    noun = rng.choice(words.THINGS) if rng.random() < 0.7 else rng.choice(words.rare_nouns())
    return f"{rng.choice(words.THINGS)} {noun}" if rng.random() < 0.1 else noun


def _things(rng: Random) -> dict[str, str]:
    """X, Y, Z and W: often one noun under several adjectives, so that the adjective is read.

    Or one measure of several things: pages of homework, pages of notes.
    """
    out: dict[str, str] = {}
    measured = rng.random() < 0.08
    head = rng.choice(words.MEASURES) if measured else _noun(rng)
    kinds, contents = rng.sample(words.ADJECTIVES, 4), rng.sample(words.CONTENTS, 4)
    shared = rng.random() < (0.6 if measured else 0.3)
    adjective = rng.random() < 0.15
    for slot, kind, content in zip("XYZW", kinds, contents, strict=True):
        noun = head if shared and slot != "W" else _noun(rng)
        before = f"{kind} " if (shared and not measured) or adjective else ""
        behind = f" of {content}" if measured and noun == head else ""
        out[slot] = before + words.plural(noun) + behind
        out[slot + "1"] = before + noun + behind
    return out | {"XY": words.plural(head), "Xadj": kinds[0], "Yadj": kinds[1]}


def _verbs(rng: Random) -> dict[str, str]:
    out: dict[str, str] = {}
    tables = {
        ("gained", "gain"): words.GAIN,
        ("lost", "lose"): words.LOSE if rng.random() < 0.85 else words.EAT,
        ("did", "do"): words.DO,
        ("came", "come"): words.COME,
        ("went", "leave"): words.LEAVE,
    }
    for (past, base), table in tables.items():
        out[past], out[base] = rng.choice(table)
    out["ex"], out["exdid"], out["exdo"] = rng.choice(words.EXERCISE)
    return out
