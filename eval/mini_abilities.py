"""What can mini do on its own? `python -m eval.mini_abilities`.

Greedy answers to each test set, without repair. Items that share half of their number-masked
6-grams with a training item are dropped and counted (mini/leaks.py). Sets whose files are missing
are left out. Writes eval/results/mini_abilities.json: per set n and correct.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

from eval.common import ROOT, WEIGHTS, data_folder, share, write_result
from promptfix.mini import leaks
from promptfix.mini.corpus.mix import Mixture
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import ANSWER_TOKENS, Prompt
from promptfix.slots.lemmas import base
from promptfix.tasks import Item, correct, final, load

SETS = {
    "svamp": ["math/svamp-train.jsonl", "math/svamp-test.jsonl"],
    "svamp-test": ["math/svamp-test.jsonl"],
    "asdiv": ["math/asdiv-all.jsonl"],
    "mawps-test": ["math/mawps-test.jsonl"],
    "gsm8k-test": ["math/gsm8k-test.jsonl"],
    "moh-x": ["metaphor/moh-x.jsonl"],
    "vua20-test": ["metaphor/vua20-test.jsonl"],
}
HAND_TYPED = "hand-typed"
VUA_SAMPLE = 2000
TRAINING_SAMPLE = 150_000


def items_of(name: str, data: Path) -> list[Item]:
    """The items of a set; of VUA-20 a fixed sample of whole lemmas, `VUA_SAMPLE` or a few more."""
    if name == HAND_TYPED:
        return load(ROOT / "eval" / "hand_typed.jsonl")
    items = lemmatised([item for file in SETS[name] for item in load(data / file)])
    return grouped_sample(items, VUA_SAMPLE) if name == "vua20-test" else items


def lemmatised(items: Iterable[Item]) -> list[Item]:
    """Metaphor items grouped by the base form of their word: not every file names lemmas."""
    entries = json.loads((ROOT / "annotations/tables/senses.json").read_text("utf-8"))
    return [
        replace(item, group=base(item.group, entries) or item.group)
        if item.task == "metaphor"
        else item
        for item in items
    ]


def grouped_sample(items: list[Item], least: int, seed: int = 0) -> list[Item]:
    """Whole groups in a fixed random order until there are `least` items."""
    groups = sorted({i.group for i in items})
    Random(seed).shuffle(groups)
    sizes = Counter(i.group for i in items)
    totals = itertools.accumulate(sizes[g] for g in groups)
    chosen = {g for g, total in zip(groups, totals, strict=True) if total - sizes[g] < least}
    return [i for i in items if i.group in chosen]


def unleaked(items: list[Item], known: set[tuple[str, ...]]) -> list[Item]:
    """The items that do not overlap with the training text."""
    return [i for i in items if leaks.overlap(i.text, known) < leaks.SHARE]


def training_ngrams(data: Path) -> set[tuple[str, ...]]:
    """The n-grams of a sample of training prompts."""
    documents = itertools.islice(Mixture(data).stream(990_001), TRAINING_SAMPLE)
    return leaks.union(d.prompt for d in documents if d.prompt is not None)


def measure(model: LocalModel, items: list[Item]) -> dict[str, int]:
    """Answer the items and count."""
    prompts = [Prompt(text=item.prompt) for item in items]
    answers = model.answer_many(prompts, max_tokens=ANSWER_TOKENS, batch=64)
    right = sum(correct(a.text, i.gold) for a, i in zip(answers, items, strict=True))
    silent = sum(final(answer.text) is None for answer in answers)
    counts = {"n": len(items), "correct": right, "without_answer": silent}
    if items[0].task == "metaphor":
        counts["majority"] = max(Counter(item.gold for item in items).values())
    return counts


def main() -> None:
    """Answer, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--sets", nargs="*", default=[*SETS, HAND_TYPED])
    parser.add_argument("--limit", type=int, help="only the first items of a set, nothing written")
    options = parser.parse_args()
    data = data_folder()
    model = LocalModel(load_network(options.model))
    known = training_ngrams(data)
    results: dict[str, dict[str, int]] = {}
    for name in options.sets:
        everything = items_of(name, data)
        items = everything if name == HAND_TYPED else unleaked(everything, known)
        dropped = len(everything) - len(items)
        found = measure(model, items[: options.limit]) | {"dropped_as_leaks": dropped}
        results[name] = found
        said = f"{share(found['correct'], found['n'])}  n {found['n']}  {json.dumps(found)}"
        print(f"{name:12} {said}", flush=True)
    if options.limit is None:
        print(write_result("mini_abilities", results))


if __name__ == "__main__":
    main()
