"""Cases by hand, and what was recorded of them: which are sound, and what they demand.

Pure: files are read in crosscheck.py, and mining/cases.py lets a model read the prompts.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from promptfix.formats import Case
from promptfix.measures import Count, Tally
from promptfix.slots.words import pieces

MIN_PAIRS = 5
"""A file of cases has at least as many."""
MAX_CHANGED = 8
"""Words that may be put in, left out or replaced between the two prompts of a pair."""


class Fault(NamedTuple):
    """What is wrong with a file of cases, or with one line of it."""

    line: int | None
    path: str
    message: str
    remedy: str


def faults(cases: Mapping[int, Case]) -> Iterator[Fault]:
    """All that is wrong with the cases of a file, by line number, taken together."""
    yield from _repeated(cases)
    firing = {case.id: case for case in cases.values() if case.expect == "fire"}
    quiet = {line: case for line, case in cases.items() if case.pair_of is not None}
    for line, case in quiet.items():
        if other := firing.get(case.pair_of or ""):
            yield from _unlike(line, case, other)
        else:
            message = f"no fire case of this file is called {case.pair_of!r}"
            yield Fault(line, "$.pair_of", message, "name the fire case that it is like")
    pairs = len({case.pair_of for case in quiet.values()} & set(firing))
    if pairs < MIN_PAIRS:
        remedy = f"write {MIN_PAIRS} fire cases, each with a quiet one"
        yield Fault(None, "$", f"the number of pairs is {pairs}, less than {MIN_PAIRS}", remedy)


def changed(one: str, other: str) -> int:
    """How few words have to be put in, left out or replaced to make one text the other."""
    words, target = _words(one), _words(other)
    row = list(range(len(target) + 1))
    for at, word in enumerate(words, 1):
        above, row = row, [at]
        for to, aim in enumerate(target, 1):
            row.append(min(above[to] + 1, row[-1] + 1, above[to - 1] + (word != aim)))
    return row[-1]


def digest(cases: Iterable[Case]) -> str:
    """Name cases by their content: 64 hex digits."""
    lines = [case.model_dump(exclude_none=True) for case in cases]
    canonical = json.dumps(lines, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def tally(cases: Sequence[Case], fired: Collection[str]) -> Tally:
    """Count the cases that a detector fired on, given by their ids."""

    def count(expect: str) -> Count:
        ids = [case.id for case in cases if case.expect == expect]
        return Count(n=len(ids), fired=len(set(fired).intersection(ids)))

    answers = {case.id: case.id in fired for case in cases}
    return Tally(fire=count("fire"), quiet=count("quiet"), fired=answers)


def passes(seen: Tally) -> bool:
    """Whether a detector may be called measured: how it must tell fire from quiet cases.

    It fires on no smaller a share of the fire cases than of the quiet ones, and on at most half
    of the quiet ones. It need not fire at all: what one model misreads another one reads well.
    """
    fire, quiet = seen.fire, seen.quiet
    return fire.fired * quiet.n >= quiet.fired * fire.n and 2 * quiet.fired <= quiet.n


def _repeated(cases: Mapping[int, Case]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for line, case in cases.items():
        if (known := first.setdefault(case.id, line)) != line:
            message = f"line {known} has the same id, {case.id!r}"
            yield Fault(line, "$.id", message, "give one of them another id")


def _unlike(line: int, case: Case, other: Case) -> Iterator[Fault]:
    count = changed(case.prompt, other.prompt)
    if count == 0:
        message, remedy = "has the words of", "change those that make the difference"
    elif count > MAX_CHANGED:
        message, remedy = f"differs in {count} words from", f"change at most {MAX_CHANGED}"
    else:
        return
    yield Fault(line, "$.prompt", f"the prompt {message} its pair, {other.id!r}", remedy)


def _words(text: str) -> list[str]:
    return [piece.low for piece in pieces(text) if piece.kind != "mark"]
