"""Learn which operation words suggest: `python -m promptfix.mini.joining`, ten minutes on a core.

Problems are drawn from mini's training stories, a quarter of them from those of two numbers. Of
each the sum that its answer begins with is to be told, and of those of several sums that there
is none. Writes the weights that `promptfix/slots/likely.py` reads, and says how often they are
right on stories that neither they nor mini were trained on. One machine and one set of versions
write the same file.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import nn

from promptfix.mini.corpus.schemas import Schema
from promptfix.mini.corpus.stories import HELD_OUT, TRAINING
from promptfix.mini.corpus.surface import Problem, problem
from promptfix.mini.corpus.swapped import swapped
from promptfix.slots.lemmas import stem
from promptfix.slots.likely import NAMES, Cues, Ids, Mark, Weights, features, marked, places
from promptfix.slots.words import Quantity, quantities, value

OPERATIONS = {"+": 0, "-": 1, "*": 2, "/": 3}
ANYTHING_ELSE = len(NAMES)
SHARES = (0.21, 0.33, 0.14, 0.17, 0.15)
"""How common the classes are taken to be where problems give two numbers."""
WIDTH = 8
STORIES = 10
"""In how many stories a feature has to be found: one of few is learnt by heart."""
COMMONEST = 250
DROPPED = 0.3
"""Share of the features of a problem that are left out at each look."""
BATCH = 128
RATE = 3e-3
_SUM = re.compile(r"([\d.]+) ([-+*/]) ([\d.]+) = ")
_LETTER = re.compile(r"\{\$?([a-e])\}")


class Example(NamedTuple):
    """A problem, two of its numbers, and what joins them."""

    text: str
    marks: Sequence[Mark]
    given: Sequence[Quantity]
    pair: tuple[int, int]
    label: int
    """Index into `NAMES`, or the one behind."""
    story: str


def of_two(schemas: Sequence[Schema]) -> list[Schema]:
    """The stories that give two numbers."""
    return [s for s in schemas if len(set(_LETTER.findall(" ".join((*s.facts, *s.asks))))) == 2]


def examples(draw: Callable[[], Problem], most: int) -> Iterator[Example]:
    """Examples without end, of problems with two numbers or more, up to `most`."""
    while True:
        try:
            drawn = draw()
        except ValueError:  # no numbers meet the conditions of a story
            continue
        given = quantities(drawn.text)
        if 2 <= len(given) <= most:
            pair, label = _joined(drawn, [value(q) for q in given])
            yield Example(drawn.text, marked(drawn.text), given, pair, label, drawn.schema)


def _joined(drawn: Problem, values: Sequence[float]) -> tuple[tuple[int, int], int]:
    """The numbers that the only sum of a problem joins, and how; else its first two and no way."""
    found = _SUM.match(drawn.steps[0]) if len(drawn.steps) == 1 else None
    if found:
        one, other = float(found[1]), float(found[3])
        first = values.index(one) if one in values else -1
        others = [n for n, v in enumerate(values) if v == other and n != first]
        if first >= 0 and others:
            pair = min(first, others[0]), max(first, others[0])
            return pair, OPERATIONS[found[2]]
    return (0, 1), ANYTHING_ELSE


def _told(rng: Random, schemas: Sequence[Schema]) -> Problem:
    """A problem with two numbers, sometimes of other things than its story's."""
    schema = rng.choice(schemas)
    return problem(rng, swapped(schema, rng) if rng.random() < 0.4 else schema, distract=0.06)


def gather(count: int, seed: int) -> list[Example]:
    """Examples for training: one in four of two numbers, the others as mini was trained on."""
    rng = Random(seed)
    two = examples(partial(_told, rng, of_two(TRAINING)), most=2)
    every = examples(partial(problem, rng), most=5)
    return [*islice(two, count // 4), *islice(every, count - count // 4)]


def held_out(count: int) -> list[Example]:
    """Problems of two numbers that stories tell which are kept from training."""
    rng, schemas = Random(7), of_two(HELD_OUT)
    return [*islice(examples(lambda: problem(rng, rng.choice(schemas), 0.06), most=2), count)]


def cues_of(some: Sequence[Example], changes: Path) -> Cues:
    """The commonest words of stories, and the verbs of the library's table of changes."""
    words = Counter(mark.word for one in some for mark in one.marks if mark.number < 0)
    table = json.loads(changes.read_text("utf-8"))
    effects = {stem(verb): entry["effect"] for verb, entry in table.items()}
    return Cues(frozenset(word for word, _ in words.most_common(COMMONEST)), effects)


def shared(found: Sequence[Ids], stories: Sequence[int]) -> Ids:
    """The features that stand in enough stories, ascending."""
    every = np.concatenate(found).astype(np.uint64) << np.uint64(20)
    every |= np.repeat(np.array(stories, np.uint64), [len(one) for one in found])
    keys, counts = np.unique((np.unique(every) >> np.uint64(20)), return_counts=True)
    return keys[counts >= STORIES].astype(np.uint32)


class Net(nn.Module):
    """What `Weights.chances` computes, for learning."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(count, WIDTH, mode="sum", sparse=True)
        nn.init.normal_(self.vectors.weight, 0, 0.05)
        self.hidden, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, ANYTHING_ELSE + 1)

    def forward(self, some: Sequence[npt.NDArray[np.int64]]) -> torch.Tensor:
        """Logits [problems, 5] of problems by the places of their features."""
        starts = np.cumsum([0, *(len(one) for one in some[:-1])])
        total = self.vectors(torch.from_numpy(np.concatenate(some)), torch.from_numpy(starts))
        scale = torch.tensor([[3 / (len(one) + 1) ** 0.5] for one in some])
        total = nn.functional.dropout(total * scale, 0.2, self.training)
        return self.out(torch.relu(self.hidden(torch.relu(total))))


def fit(known: Sequence[npt.NDArray[np.int64]], labels: npt.NDArray[np.int64], count: int) -> Net:
    """Learn from problems by the places of their features, each once."""
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Net(count)
    weight = torch.tensor(SHARES) / torch.from_numpy(np.bincount(labels) / len(labels))
    sparse = torch.optim.SparseAdam([net.vectors.weight])
    dense = torch.optim.Adam([*net.hidden.parameters(), *net.out.parameters()])
    order = rng.permutation(len(known))
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        kept = [known[n][rng.random(len(known[n])) > DROPPED] for n in some]
        loss = nn.functional.cross_entropy(
            net(kept),
            torch.from_numpy(labels[some]),
            weight=weight.float(),
            label_smoothing=0.03,
        )
        for optimizer in (sparse, dense):
            optimizer.param_groups[0]["lr"] = RATE * max(0.03, 1 - start / len(order))
            optimizer.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
    return net


def packed(net: Net, keys: Ids, cues: Cues) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The tensors of a file and its metadata; a vector's numbers take a byte each."""
    vectors = net.vectors.weight.detach().numpy()
    scale = np.float32(np.abs(vectors).max() / 127)
    tensors = {
        "keys": keys,
        "vectors": np.round(vectors / scale).astype(np.int8),
        "scale": np.array([scale]),
    }
    for name, layer in (("hidden", net.hidden), ("out", net.out)):
        tensors[name] = layer.weight.detach().numpy()
        tensors[f"{name}_bias"] = layer.bias.detach().numpy()
    words = [sorted(cues.words), dict(sorted(cues.effects.items()))]
    return tensors, {"cues": json.dumps(words)}


def report(weights: Weights, some: Sequence[Example]) -> Iterator[str]:
    """How many are told, and how many of them rightly, by how sure it has to be."""
    chances = np.array(
        [weights.chances(features(e.marks, e.given, e.pair, weights.cues)) for e in some]
    )
    labels = np.array([e.label for e in some])
    best, sure = chances.argmax(1), chances[:, :ANYTHING_ELSE].max(1)
    yield f"{len(some)} problems, {(best == labels).mean():.1%} right"
    for least in (0.5, 0.7, 0.8, 0.85, 0.9, 0.95):
        told = (sure > least) & (best < ANYTHING_ELSE)
        right = (best == labels)[told].sum() / max(1, told.sum())
        yield f"surer than {least}: {told.mean():.1%} told, {right:.1%} right"


def main() -> None:
    """Draw, learn, write, and report."""
    from promptfix.slots.likely import read

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("promptfix/slots/likely.safetensors"))
    parser.add_argument("--changes", type=Path, default=Path("annotations/tables/changes.json"))
    parser.add_argument("--count", type=int, default=160_000, help="problems to learn from")
    options = parser.parse_args()
    some = gather(options.count, seed=0)
    cues = cues_of(some, options.changes)
    print(f"{len(some)} problems", flush=True)
    found = [features(e.marks, e.given, e.pair, cues) for e in some]
    stories = {name: n for n, name in enumerate(dict.fromkeys(e.story for e in some))}
    keys = shared(found, [stories[e.story] for e in some])
    print(f"{len(keys)} features of {len(stories)} stories", flush=True)
    known = [places(one, keys) for one in found]
    net = fit(known, np.array([e.label for e in some]), len(keys))
    tensors, metadata = packed(net, keys, cues)
    save_file(tensors, options.out, metadata)
    print("\n".join(report(read(str(options.out)), held_out(4000))))


if __name__ == "__main__":
    main()
