"""Are the notes true? `python -m eval.misleading`, on problems written to mislead what makes them.

A note on the steps, or on the two numbers that count, is true if the right answer can be reached as
it says. Only notes of detectors that may edit are looked at, wherever they can be made; no model
runs. Writes eval/results/misleading.json: for each misunderstanding, how many notes are made and
how many are false.
"""

from __future__ import annotations

import argparse
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path

from eval.common import ROOT, share, write_result
from promptfix.formats import Annotation, Status
from promptfix.library import Library, load
from promptfix.slots import Slots
from promptfix.slots.words import quantities, value
from promptfix.tasks import load as load_items

Operation = Callable[[float, float], float]
OPERATIONS: Mapping[str, Operation] = {
    "sum": operator.add,
    "difference": operator.sub,
    "product": operator.mul,
    "quotient": lambda a, b: a / b if b else math.nan,
}
PAIRS = frozenset(("irrelevant-quantity", "extra-step", "difference-asked"))


def notes(library: Library) -> list[Annotation]:
    """Those that an editing detector makes and that say what is to be done with which numbers."""
    editing = [d for d in library.detectors if d.status.reaches(Status.measured)]
    kinds = {d.misunderstanding: d.lens for d in editing}
    told = PAIRS | {"wrong-steps"}
    made = [library.annotation_for(kind, kinds[kind]) for kind in sorted(told & kinds.keys())]
    return [annotation for annotation in made if annotation]


def reached(kind: str, slots: Slots) -> list[float]:
    """All that can come out if it is done as a note says."""
    steps = [[*OPERATIONS.values()]]
    if kind == "difference-asked":
        steps = [[OPERATIONS["difference"]]]
    elif kind == "wrong-steps":
        steps = [[OPERATIONS[name]] for name in slots["operations"].split(", ")]
    words = slots.get("every") or slots.get("pair") or f"{slots['first']} and {slots['second']}"
    return [*_worked([value(number) for number in quantities(words)], steps)]


def _worked(numbers: Sequence[float], steps: Sequence[Sequence[Operation]]) -> Iterator[float]:
    """What is left where each step joins two numbers, in any order, and all are used up."""
    if not steps:
        yield from numbers if len(numbers) == 1 else ()
        return
    for i, j in permutations(range(len(numbers)), 2):
        rest = [number for n, number in enumerate(numbers) if n not in {i, j}]
        for operation in steps[0]:
            yield from _worked([*rest, operation(numbers[i], numbers[j])], steps[1:])


def main() -> None:
    """Make all notes, count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "eval" / "misleading.jsonl")
    options = parser.parse_args()
    library = load(ROOT / "detectors", ROOT / "annotations")
    items, made, false = load_items(options.data), Counter[str](), Counter[str]()
    for annotation in notes(library):
        kind = annotation.misunderstanding
        for item in items:
            slots = library.fill(annotation, item.prompt, None)
            if slots is None:
                continue
            made[kind] += 1
            gold = float(item.gold)
            false[kind] += not any(abs(x - gold) < 0.006 for x in reached(kind, slots))
    kinds = {kind: {"notes": made[kind], "false": false[kind]} for kind in sorted(made)}
    for kind, row in kinds.items():
        print(f"{kind:22} {row['notes']:5} notes, false {share(row['false'], row['notes'])}")
    if options.data == parser.get_default("data"):
        print(write_result("misleading", {"n": len(items), "kinds": kinds}))


if __name__ == "__main__":
    main()
