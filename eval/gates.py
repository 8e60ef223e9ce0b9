"""Other ways to choose which prompts get the note, at promptfix's own rate.

All give the same notes (template-only's); only the choice differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from eval import probes
from eval.answering import Asker
from eval.arms import template_notes, templates
from eval.items import Sets
from promptfix.detection import detect
from promptfix.microscope import Microscope
from promptfix.mining.scoring import features
from promptfix.mining.search import Half
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt, Repair, Span
from promptfix.rewriting import rewrite
from promptfix.sae import Sae
from promptfix.tasks import Item

Floats = npt.NDArray[np.float64]


def gates(
    pipeline: Pipeline,
    sae: Path,
    asker: Asker,
    sets: Sets,
    seed: int,
) -> dict[str, Floats]:
    """Name of a gate -> scores of the items; -inf where no note can be made.

    `sae` is promptfix's own. The rivals learn from mining's items which of them the note repairs.
    """
    texts = [item.prompt for item in sets.items]
    plain = asker.greedy(sets.items, [None] * len(texts))
    template = template_notes(pipeline, sets.items, templates(pipeline, sets.task))
    found: dict[str, Floats] = {
        "sae": own_scores(pipeline, template),
        "entropy": asker.likelihood(texts, plain.texts)[1],
    }
    noted = template_notes(pipeline, sets.mined, templates(pipeline, sets.task))
    mined = [item for item, repair in zip(sets.mined, noted, strict=True) if repair]
    if mined:
        before = asker.greedy(mined, [None] * len(mined)).right
        after = asker.repaired(mined, [r for r in noted if r], pipeline.library).right
        # As in mining: a prompt that stays wrong with the note says nothing.
        some = [n for n in range(len(mined)) if before[n] or after[n]]
        learnt_from = [mined[n] for n in some]
        uplift = after[some].astype(np.int8) - before[some].astype(np.int8)
        found |= _learnt(sae, asker, sets, learnt_from, uplift, seed)
    can = np.array([repair is not None for repair in template], dtype=np.bool_)
    return {name: np.where(can, scores, -np.inf) for name, scores in found.items()}


def own_scores(pipeline: Pipeline, notes: Sequence[Repair | None]) -> Floats:
    """How near the detector that a note answers is to firing on its prompt: 1 fires.

    A finding on a word of which the note does not speak counts nothing, as at run time.
    """
    library, lens = pipeline.library, pipeline.microscope.lens
    scores = np.zeros(len(notes))
    for row, repair in enumerate(notes):
        if repair is None:
            continue
        reading = pipeline.microscope.read(repair.original).reading
        seen = detect(reading, pipeline.rules, near=len(pipeline.library.detectors))
        kind = repair.edits[0].finding.misunderstanding
        near = [f for f in (*seen.findings, *seen.near_misses) if f.misunderstanding == kind]

        def speaks_of(where: Span | None, noted: Repair = repair) -> bool:
            found = noted.edits[0].finding.model_copy(update={"span": where})
            made = rewrite(noted.original, [found], library, lens=lens, limit=1)
            return made is not None and made.repaired == noted.repaired

        scores[row] = max((f.score / f.threshold for f in near if speaks_of(f.span)), default=0.0)
    return scores


def chance(folder: Path, asker: Asker, texts: list[str], seed: int, count: int = 4) -> Floats:
    """[texts]: the sum of a few features drawn from those that fire on some of the texts."""
    rng = np.random.default_rng(seed)
    x = features(Microscope(asker.network, Sae.load(folder), "chance"), texts)
    fires = (x > 0).mean(0)
    alive = np.flatnonzero((fires > 0.02) & (fires < 0.6))
    chosen = rng.choice(alive, size=min(count, len(alive)), replace=False)
    some = x[:, chosen].astype(np.float64)
    return (some / (some.std(0) + 1e-9)).sum(1)


def _learnt(
    folder: Path,
    asker: Asker,
    sets: Sets,
    mined: list[Item],
    uplift: npt.NDArray[np.int8],
    seed: int,
) -> dict[str, Floats]:
    texts, seen = [item.prompt for item in sets.items], [item.prompt for item in mined]
    sae = Sae.load(folder, d_in=asker.network.width)
    own = Microscope(asker.network, sae, "own")
    bags = probes.bag([*seen, *texts])
    some = [Prompt(text=text) for text in seen[:400]]
    residuals = torch.cat([residual for _, residual in own.residuals(some)])
    chance = Microscope(asker.network, probes.random_sae(sae, residuals, seed), "random")
    half = Half(features(chance, seen), uplift, [item.group for item in mined])
    y, w, groups = half.repaired, half.weights, half.groups
    return {
        "dense": probes.learnt(probes.dense(own, seen), y, probes.dense(own, texts), groups, w),
        "text": probes.learnt(bags[: len(seen)], y, bags[len(seen) :], groups, w),
        "random-sae": probes.searched(half, features(chance, texts)),
    }
