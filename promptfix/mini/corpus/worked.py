"""Real worked problems in mini's form, each told again with fresh names and numbers.

From half of GSM8K's training set (the other half is for mining), whose solutions mark their sums,
and from the word problems of two OpenStax books, where one sum over the numbers of the text gives
the answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, permutations
from pathlib import Path
from random import Random

from promptfix.mini.corpus import words
from promptfix.mini.corpus.draws import LARGEST, Number, worked_out
from promptfix.mini.corpus.formulas import parse

MOST_SUMS = 4
_TRIES = 20
_AUXILIARY = "does|did|do|are|is|was|were|will|would|can|could|should|has|have|had|must"
_ASKED = re.compile(
    rf"[Hh]ow (?:many|much) (?!(?:{_AUXILIARY})\b)(.{{2,40}}?) "
    rf"(?:{_AUXILIARY}|in|on|at|for|to|per)\b"
)
_NUMERAL = r"(?:\d+(?:\.\d+)?|\.\d+)"
_SUM = re.compile(rf"({_NUMERAL}(?:[-+*/]{_NUMERAL}){{1,2}})=({_NUMERAL})")
_NUMBER = re.compile(_NUMERAL)
_ODD_NUMBER = re.compile(r"\d[\d,]*[,/:]\d|\d(?:st|nd|rd|th)\b|\d *%|\b(?:19|20)\d\d\b")
"""Fractions, times, years: where they stand, numbers stay as they are."""
_PLACES = 2
"""Decimals of a result."""
_WORDLIKE = frozenset(
    "Mark Will Rose Hope Joy April June May Summer Grace Faith Dean Ray Bill Bob Rob Don Art "
    "Violet Iris Pearl Opal Jade Penny Daisy Holly Ivy Ruby Hazel Lily Robin Jack Nick".split()
)
"""Names that are also words."""


@dataclass(frozen=True)
class Worked:
    """A problem and the sums that answer it, e.g. `("48/2", "48+24")`."""

    question: str
    sums: tuple[str, ...]

    @property
    def reply(self) -> str:
        """The answer in mini's form."""
        results = [_value(one) for one in self.sums]
        shown = (re.sub(r"([-+*/])", r" \1 ", one) for one in self.sums)
        pairs = zip(shown, results, strict=True)
        lines = [line for one, result in pairs for line in worked_out(one, result or 0)]
        phrase = asked_phrase(self.question)
        lead = f"{phrase}: " if phrase else ""
        return lead + "\n".join(lines) + f"\nAnswer: {results[-1]}"


def read(data: Path) -> list[Worked]:
    """All worked problems of the folder of data sets that mini may learn from."""
    gsm8k = (row for row in _rows(data / "math" / "gsm8k-train.jsonl") if for_training(row["id"]))
    marked = (_marked(row["question"], row["solution"], row["answer"]) for row in gsm8k)
    books = _rows(data / "math" / "openstax-train.jsonl")
    solved = (_solved(row["question"], row["answer"]) for row in books)
    return [worked for worked in (*marked, *solved) if worked is not None]


def for_training(item_id: str) -> bool:
    """Whether a GSM8K training item belongs to mini's half; the other half is for mining."""
    return hashlib.sha256(item_id.encode()).digest()[0] % 2 == 0


def asked_phrase(question: str) -> str:
    """The words that name what is asked ("red marbles"); "" unless it is how many or how much."""
    found = _ASKED.search(question)
    return found[1] if found else ""


def retold(worked: Worked, rng: Random) -> Worked:
    """The same problem about other people, with other numbers where its sums still come out."""
    return Worked(*_renumbered(_renamed(worked.question, rng), worked.sums, rng))


def _rows(file: Path) -> Iterator[dict[str, str]]:
    return map(json.loads, file.read_text("utf-8").splitlines())


def _marked(question: str, solution: str, answer: str) -> Worked | None:
    """A problem whose solution marks its sums; None unless they are few and come out."""
    marks = re.findall(r"<<([^>]*)>>", solution)
    sums = [_SUM.fullmatch(mark) for mark in marks]
    told = [found[1] for found in sums if found and _value(found[1]) == Decimal(found[2])]
    if not 1 <= len(marks) <= MOST_SUMS or len(told) != len(marks):
        return None
    told = [re.sub(r"(?<!\d)\.", "0.", one) for one in told]
    return Worked(question, tuple(told)) if _is(told[-1], answer) else None


def _is(one: str, answer: str) -> bool:
    """Whether a sum comes to `answer`."""
    return bool(_NUMBER.fullmatch(answer)) and _value(one) == Decimal(answer)


def _solved(question: str, answer: str) -> Worked | None:
    """A problem that one sum over two of its numbers, or adding up all, answers; none other."""
    numbers = _NUMBER.findall(question)
    if _ODD_NUMBER.search(question) or not 2 <= len(numbers) <= 5:
        return None
    tried = {f"{a}{sign}{b}" for a, b in permutations(numbers, 2) for sign in "-/"}
    tried |= {f"{a}{sign}{b}" for a, b in combinations(numbers, 2) for sign in "+*"}
    right = sorted(one for one in tried if _is(one, answer))
    if len(right) == 1:
        return Worked(question, (right[0],))
    added = _added(numbers)
    return Worked(question, added) if not right and _is(added[-1], answer) else None


def _added(numbers: Sequence[str]) -> tuple[str, ...]:
    """The sums that add up numbers, one after the other."""
    sums, total = list[str](), Decimal(numbers[0])
    for number in numbers[1:]:
        sums.append(f"{total}+{number}")
        total += Decimal(number)
    return tuple(sums)


def _value(one: str) -> Number | None:
    """What a sum comes to, from 0 on and with `_PLACES` decimals at most; None if it does not."""
    try:
        exact = Decimal(str(parse(one)({}, Random(0))))
    except (ArithmeticError, TypeError):  # a share of two whole numbers is no decimal
        return None
    if exact < 0 or exact != round(exact, _PLACES):
        return None
    return int(exact) if exact == int(exact) else Decimal(f"{exact.normalize():f}")


def _renamed(question: str, rng: Random) -> str:
    """Other names for the people, of the same gender each."""
    for pool in (words.FEMALE, words.MALE):
        known = set(pool) - _WORDLIKE
        for name in dict.fromkeys(re.findall(r"\b[A-Z][a-z]+\b", question)):
            other = rng.choice(pool)
            if name in known and not re.search(rf"\b{other}\b", question):
                question = re.sub(rf"\b{name}\b", other, question)
    return question


def _renumbered(question: str, sums: tuple[str, ...], rng: Random) -> tuple[str, tuple[str, ...]]:
    """Other numbers for those of the question, if all sums still come out; else the same."""
    given = Counter(_NUMBER.findall(question))
    results = [str(_value(one)) for one in sums]
    unclear = set(given) & set(results[:-1])
    if _ODD_NUMBER.search(question) or unclear or any("." in number for number in given):
        return question, sums
    for _ in range(_TRIES):
        fresh = {old: _near(old, rng) for old in given}
        told = _told_again(sums, results, fresh)
        if told is not None and len(set(fresh.values())) == len(fresh):
            return _with(fresh, question), told
    return question, sums


def _with(fresh: Mapping[str, str], text: str) -> str:
    """A text with fresh numbers for those that have one."""
    return _NUMBER.sub(lambda found: fresh.get(found[0], found[0]), text)


def _near(number: str, rng: Random) -> str:
    """A number of like size; small ones, which may be part of the wording, often stay."""
    value = int(number)
    if value <= 2 or rng.random() < 0.2:
        return number
    return str(rng.randint(max(2, value // 2), 2 * value))


def _told_again(
    sums: Sequence[str], results: Sequence[str], fresh: Mapping[str, str]
) -> tuple[str, ...] | None:
    """The sums with fresh numbers and the results that follow; None if one does not come out."""
    known, told = dict(fresh), list[str]()
    for one, result in zip(sums, results, strict=True):
        again = _with(known, one)
        value = _value(again)
        if not isinstance(value, int) or not 0 < value < LARGEST:
            return None
        known[result] = str(value)
        told.append(again)
    return tuple(told)
