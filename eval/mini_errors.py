"""What does mini get wrong? `python -m eval.mini_errors`, on mining data, never on test files.

Each answer is held against the item's own equation: a number that is not in the prompt, too many or
too few sums, the wrong numbers, the wrong operation, or the right sum that does not come out.
Writes eval/results/mini_errors.json: per set the counts of each kind.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from eval.common import WEIGHTS, data_folder, share, write_result
from eval.mining_data import rows
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import ANSWER_TOKENS, Prompt
from promptfix.tasks import Item, correct, load

SETS = ("svamp-train", "mawps-train")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PLAIN = r"(\d+(?:\.\d+)?)(?!\.?\d)"
"""A number, and not the beginning of one like "3.75.50", which mini writes at times."""
_SUM = re.compile(rf"(?<![\d.]){_PLAIN} ([-+*/]) {_PLAIN} = {_PLAIN}")


class Sum(NamedTuple):
    """One sum of an answer."""

    left: str
    sign: str
    right: str
    result: str


def kind(prompt: str, equation: str, said: str) -> str:
    """What is wrong with a wrong answer; `equation` is the item's own, in digits and signs."""
    sums = joined([Sum(*found) for found in _SUM.findall(said)])
    signs = re.findall(r"[-+*/]", equation)
    if _foreign(sums, set(map(float, _NUMBER.findall(prompt)))):
        return "a number that is not in the prompt"
    if len(sums) != len(signs):
        return "too many sums" if len(sums) > len(signs) else "too few sums"
    return _inside(sums, signs, equation) if sums else "no sum"


def joined(sums: Sequence[Sum]) -> list[Sum]:
    """A product that was worked out digit by digit as one sum: 43 * 20, 43 * 3 and their total."""
    made: list[Sum] = []
    for one in sums:
        parts: list[Sum] = []
        while made and made[-1].sign == "*" and made[-1].left == (parts or made[-1:])[0].left:
            parts.insert(0, made.pop())
        total = sum(Decimal(part.result) for part in parts)
        if one.sign == "+" and len(parts) > 1 and total == Decimal(one.result):
            count = sum(Decimal(part.right) for part in parts)
            made.append(Sum(parts[0].left, "*", str(count), one.result))
        else:
            made += [*parts, one]
    return made


def _foreign(sums: Sequence[Sum], known: set[float]) -> bool:
    """Whether a sum takes a number that neither the prompt nor an earlier sum has."""
    for one in sums:
        if not {float(one.left), float(one.right)} <= known:
            return True
        known = {*known, float(one.result)}
    return False


def _inside(sums: Sequence[Sum], signs: Sequence[str], equation: str) -> str:
    """What is wrong with as many sums as there should be."""
    results = {one.result for one in sums[:-1]}
    taken = (n for one in sums for n in (one.left, one.right) if n not in results)
    used = Counter(f"{float(n):g}" for n in taken)
    numbers = used == Counter(f"{float(n):g}" for n in _NUMBER.findall(equation))
    operation = Counter(one.sign for one in sums) == Counter(signs)
    if numbers and operation:
        return "the right sum, in the wrong order or miscalculated"
    if numbers or operation:
        return "wrong operation" if numbers else "wrong numbers"
    return "wrong numbers and operation"


def census(model: LocalModel, file: Path) -> dict[str, int]:
    """Answer a set and count what is wrong."""
    items: list[Item] = load(file)
    known = {row["id"]: row for row in rows(file)}
    prompts = [Prompt(text=item.prompt) for item in items]
    answers = model.answer_many(prompts, max_tokens=ANSWER_TOKENS, batch=64)
    kinds = Counter(
        "right"
        if correct(answer.text, item.gold)
        else kind(item.prompt, known[item.id]["equation"].split("=")[-1], answer.text)
        for item, answer in zip(items, answers, strict=True)
    )
    return {"n": len(items), **dict(kinds.most_common())}


def main() -> None:
    """Answer, count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    model = LocalModel(load_network(options.model))
    found = {name: census(model, data_folder() / "math" / f"{name}.jsonl") for name in SETS}
    for name, counts in found.items():
        print(name)
        for what, count in counts.items():
            print(f"  {what:52} {share(count, counts['n'])}")
    if not options.no_write:
        print(write_result("mini_errors", {"sets": found}))


if __name__ == "__main__":
    main()
