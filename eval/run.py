"""Do the repairs work on problems that mining never saw, and better than placebos?

    python -m eval.run --task math --data math/svamp-test.jsonl --data math/asdiv-all.jsonl \
        --mined runs/items/svamp-train.jsonl

Every set is one JSONL file, as tasks.py reads it, here or in PROMPTFIX_DATA. Items that overlap
with training text or with mining's items (`--mined`) are dropped and counted. Rival gates learn
from mining's items. Writes eval/results/<name>.json, with every arm's flips, intervals and tests,
and the prompts really sent into the cache folder; the results keep their hash, since not every set
may be quoted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from eval import arms
from eval.answering import Asker, Said
from eval.breakdown import by_kind, by_lemma, by_training
from eval.common import WEIGHTS, data_folder, write_result
from eval.controls import direct, leaks_of, shortcut
from eval.gates import chance, gates
from eval.items import Sets, gather
from eval.results import arm_row, gate_row, summary, write_sent
from eval.stats import Bools, Floats, at_rate
from promptfix.mining.run import answers_file
from promptfix.pipeline import Pipeline
from promptfix.tasks import Item, Task

ARMS = ("promptfix", *arms.PLACEBOS, "oracle")
DTYPE = "auto"
"""As mining has it where nothing else is said, whose answers are shared."""


def repaired_by(
    pipeline: Pipeline,
    looked: arms.Looked,
    items: Sequence[Item],
    task: Task,
    random_features: Floats,
) -> dict[str, arms.Repairs]:
    """The repairs of the arms that differ from promptfix in nothing but the gate."""
    notes = arms.template_notes(pipeline, items, arms.templates(pipeline, task))
    can = np.array([note is not None for note in notes], dtype=np.bool_)
    lucky = at_rate(random_features, can, sum(looked.flagged)).tolist()
    return {
        "promptfix": looked.repairs,
        "template-only": notes,
        "random-features": [n if here else None for n, here in zip(notes, lucky, strict=True)],
    }


def sent_by(
    pipeline: Pipeline, looked: arms.Looked, items: Sequence[Item], template: arms.Sent, seed: int
) -> dict[str, arms.Sent]:
    """What the arms send whose answers are taken as they are."""
    flagged = looked.flagged
    warned, twice = arms.everywhere(items, arms.WARNING), arms.reread(items)
    return {
        "template-unchecked": template,
        "generic": arms.gated(warned, flagged),
        "generic-everywhere": warned,
        "shuffled": arms.shuffled(looked, items, pipeline.library, seed),
        "re2": arms.gated(twice, flagged),
        "re2-everywhere": twice,
    }


def sampled_arms(
    asker: Asker, items: Sequence[Item], flagged: Sequence[bool], plain: Said, seed: int
) -> dict[str, Said]:
    """Flagged items asked again: one sample for the answer, and the likelier of two samples.

    Not the likelier of a sample and the greedy answer, which nearly always is the greedy one.
    """
    rows = [n for n, here in enumerate(flagged) if here]
    some = [items[n] for n in rows]
    drawn = [asker.sampled(some, first) for first in (seed, seed + 1)]
    likely = [asker.likelihood([item.prompt for item in some], texts)[0] for texts in drawn]
    best = np.where(likely[1] > likely[0], drawn[1], drawn[0]).tolist() if some else []

    def instead(answers: list[str]) -> Said:
        texts = list(plain.texts)
        for row, answer in zip(rows, answers, strict=True):
            texts[row] = answer
        return asker.answered(items, texts)

    tokens = asker.tokens([item.prompt for item in some], drawn[1])
    chosen = instead(best)
    return {
        "retry": instead(drawn[0]),
        "best-of-2": replace(chosen, tokens=chosen.tokens + tokens),
    }


def evaluate(
    pipeline: Pipeline, sae: Path, asker: Asker, sets: Sets, chosen: Sequence[str], seed: int
) -> tuple[dict[str, Any], dict[str, arms.Sent]]:
    """All arms, gates and controls on the items of one task; and what the arms sent."""
    items, task = sets.items, sets.task
    figurative = task == "metaphor"
    began = monotonic()
    looked = arms.look(pipeline, items)
    seconds = {"looking": monotonic() - began}
    began = monotonic()
    plain = asker.greedy(items, [None] * len(items))
    random_features = chance(sae, asker, [item.prompt for item in items], seed)
    repairs = repaired_by(pipeline, looked, items, task, random_features)
    template = arms.texts_of(repairs["template-only"])
    sent = sent_by(pipeline, looked, items, template, seed)
    wanted = {"promptfix", *chosen}
    everywhere = asker.repaired(items, repairs["template-only"], pipeline.library)
    said = {
        name: asker.repaired(items, some, pipeline.library)
        for name, some in repairs.items()
        if name in wanted
    }
    said |= {name: asker.greedy(items, texts) for name, texts in sent.items() if name in wanted}
    sent |= {name: arms.texts_of(some) for name, some in repairs.items()}
    again = sampled_arms(asker, items, looked.flagged, plain, seed)
    said |= {name: one for name, one in again.items() if name in chosen}
    best = oracle(pipeline, asker, items, task) | plain.right
    seconds["answering"] = monotonic() - began
    rows = {name: arm_row(one, plain, looked.flagged, sets) for name, one in said.items()}
    rivals = gates(pipeline, sae, asker, sets, seed)
    rivals["perfect"] = never_wrong(everywhere, plain, repairs["template-only"])
    result = summary(plain, said, best, sets) | {
        "arms": rows,
        "gates": {n: gate_row(g, everywhere, plain, looked, sets) for n, g in rivals.items()},
        "kinds": by_kind(said["promptfix"], plain, looked),
        "notes": by_training(said["promptfix"], plain, looked, sets),
        "lemmas": by_lemma(said["promptfix"], plain, sets) if figurative else None,
        "direct": direct(pipeline, sae, asker, sets) if figurative else None,
        "shortcut": None if figurative else shortcut(asker, sets),
        "leaks": leaks_of(asker, sent["promptfix"], items, looked.by),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    return result, sent


def never_wrong(everywhere: Said, plain: Said, notes: arms.Repairs) -> Floats:
    """[items]: scores of a gate that knows what each note will do. No rival: the ceiling of all."""
    uplift = everywhere.right.astype(np.float64) - plain.right
    return np.where([note is not None for note in notes], uplift, -np.inf)


def oracle(pipeline: Pipeline, asker: Asker, items: Sequence[Item], task: Task) -> Bools:
    """[items]: whether any annotation of the library gets it right. No arm: the ceiling."""
    best = np.zeros(len(items), dtype=np.bool_)
    for annotation in pipeline.library.annotations:
        if annotation.task == task:
            texts = [arms.annotate(item.prompt, annotation, pipeline.library) for item in items]
            best |= asker.greedy(items, texts).right
    return best


def main() -> None:
    """Answer, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=("math", "metaphor"), required=True)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--mined", type=Path, action="append", default=[])
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=ARMS)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--sae", type=Path, default=WEIGHTS / "sae")
    parser.add_argument("--detectors", type=Path)
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--edit-from", default="measured")
    parser.add_argument("--cache", type=Path, default=Path("runs/mine"))
    parser.add_argument("--sample", type=int, default=2000, help="items of a set, whole groups")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", help="of the result; the task's, if not given")
    options = parser.parse_args()
    pipeline = Pipeline.load(
        model=options.model,
        sae=options.sae,
        detectors=options.detectors,
        annotations=options.annotations,
        edit_from=options.edit_from,
        dtype=DTYPE,
    )
    sets = gather(options.task, options.data, options.mined, data_folder(), options.sample)
    lens = pipeline.library.lenses[pipeline.microscope.lens]
    asker = Asker(pipeline.model.network, options.cache / answers_file(lens, DTYPE))
    result, sent = evaluate(pipeline, options.sae, asker, sets, options.arms, options.seed)
    name = options.name or options.task
    about = {"library": pipeline.library.digest, "lens": pipeline.microscope.lens}
    about |= {"seed": options.seed, "data": sets.digests, "dropped": sets.dropped}
    about["sent_sha256"] = write_sent(options.cache / f"{name}.sent.jsonl", sets.items, sent)
    print(write_result(name, result | about, script="run", model=options.model, sae=options.sae))


if __name__ == "__main__":
    main()
