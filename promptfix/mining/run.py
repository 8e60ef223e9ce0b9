"""From labelled data to detector files: `promptfix mine`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from promptfix.errors import LensError
from promptfix.formats import Annotation, Bound, Detector, Lens, Lenses, Measurement, Outcomes, Provenance, Source, Status, Term, Uplift, Weighted
from promptfix.lens import bounds, find_lens, identify, measure
from promptfix.library import Library
from promptfix.library import load as load_library
from promptfix.microscope import Microscope
from promptfix.mini.corpus.metaphor import case
from promptfix.mini.corpus.surface import problem
from promptfix.mining import outcomes as out
from promptfix.mining.calibration import CONFIDENCE, Calibrated, calibrate, harm_bound
from promptfix.mining.readings import read_features
from promptfix.mining.selection import Choice, choose, fold_of
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Place, Prompt
from promptfix.sae import Sae
from promptfix.tasks import DataError, Item, Task, digest, load

HARM_BUDGET = 0.01
"""Upper bound on the share of all prompts of a task that the library may turn wrong."""
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Job:
    """What to mine, and where."""

    model: Path
    sae: Path
    data: tuple[Path, ...]
    out: Path
    """The folder of detectors."""
    annotations: Path
    cache: Path
    seed: int = 0
    max_tokens: int = 64


@dataclass(frozen=True)
class Candidate:
    """A rule for one misunderstanding, with what it did on the calibration half."""

    annotation: Annotation
    choice: Choice
    calibrated: Calibrated
    fired: npt.NDArray[np.bool_]
    """[items of the calibration half]."""
    uplift: npt.NDArray[np.int8]
    """[items of the calibration half]: that of the annotation."""


def run(job: Job, log: Any = print) -> list[Detector]:
    """Mine detectors for a model, an SAE and labelled data, and write them. Returns them.

    Raises DataError for unusable data, and what loading a model or a library raises.
    """
    items = [item for path in job.data for item in load(path)]
    if len({i.gold for i in items}) < 2:
        raise DataError("all items have the same answer; nothing can be learnt from them")
    network = load_network(job.model)
    sae = Sae.load(job.sae, d_in=network.width)
    library = load_library(job.out, job.annotations)
    annotations = sorted(library.annotations, key=lambda a: a.id)
    name, lens = _lens(job, network, sae, items)
    cache = out.AnswerCache(LocalModel(network), job.cache / f"answers-{lens.model_sha256[:12]}.jsonl", job.max_tokens)
    results = _answered(items, annotations, library, cache)
    if results.plain.all() or not results.plain.any():
        raise DataError("the model answers every item alike, all right or all wrong; give items of mixed difficulty")
    features = _features(Microscope(network, sae, name), items)
    texts = _generated_texts(job.seed)
    detectors: list[Detector] = []
    report: dict[str, Any] = {}
    for task in ("math", "metaphor"):
        chosen = _mine_task(task, items, annotations, results, features, log)
        for candidate in chosen:
            readings = read_features(network, sae, [_place(c, lens.d_sae) for c in candidate.choice.columns], texts)
            detectors.append(_write(job, name, candidate, readings, items, lens))
        report[task] = _census(task, items, annotations, results)
    _write_json(job.cache / "census.json", report)
    return detectors


def _generated_texts(seed: int, count: int = 1200) -> list[str]:
    """Texts that may be quoted in a reading: the generator's own."""
    rng = Random(seed)
    return [problem(rng).text for _ in range(count)] + [case(rng).prompt for _ in range(count)]


def _answered(items: Sequence[Item], annotations: Sequence[Annotation], library: Library, cache: out.AnswerCache) -> out.Outcomes:
    from tqdm import tqdm

    with tqdm(unit=" answers", desc="answering", mininterval=2) as bar:
        return out.measure(items, annotations, library, cache, bar.update)


def _features(microscope: Microscope, items: Sequence[Item]) -> npt.NDArray[np.float32]:
    """[items, 2 * features]: peaks on the user's tokens, then values at the read-out."""
    peaks = microscope.read_many([Prompt(text=i.prompt) for i in items], batch=64)
    return np.concatenate([peaks.user.numpy(), peaks.readout.numpy()], axis=1)


def _mine_task(task: Task, items: Sequence[Item], annotations: Sequence[Annotation], results: out.Outcomes, features: npt.NDArray[np.float32], log: Any) -> list[Candidate]:
    mine = np.array([i.task == task for i in items])
    groups = [i.group for i in items]
    calibration = mine & np.array([fold_of(g, 2, "calibration") == 1 for g in groups])
    selection = mine & ~calibration
    found: dict[str, Candidate] = {}
    for annotation in (a for a in annotations if a.task == task):
        candidate = _candidate(annotation, selection, calibration, groups, results, features)
        _tell(log, annotation, selection, results, candidate)
        best = found.get(annotation.misunderstanding)
        if candidate and (best is None or candidate.choice.gain > best.choice.gain):
            found[annotation.misunderstanding] = candidate
    return _together(found.values(), int(calibration.sum()))


def _candidate(annotation: Annotation, selection: npt.NDArray[np.bool_], calibration: npt.NDArray[np.bool_], groups: Sequence[str], results: out.Outcomes, features: npt.NDArray[np.float32]) -> Candidate | None:
    fillable, uplift = results.fillable[annotation.id], results.uplift(annotation.id)
    chosen = np.flatnonzero(selection & fillable)
    if not len(chosen):
        return None
    choice = choose(features[chosen], uplift[chosen] > 0, [groups[i] for i in chosen])
    if choice is None:
        return None
    held = np.flatnonzero(calibration & fillable)
    scores = choice.scores(features[held])
    calibrated = calibrate(scores, uplift[held], int(calibration.sum()), HARM_BUDGET)
    if calibrated is None:
        return None
    fired = np.zeros(int(calibration.sum()), dtype=np.bool_)
    position = np.searchsorted(np.flatnonzero(calibration), held)
    fired[position] = scores >= calibrated.threshold
    return Candidate(annotation, choice, calibrated, fired, uplift[calibration])


def _together(candidates: Iterable[Candidate], prompts: int) -> list[Candidate]:
    """Keep candidates, the best first, while the harm of all of them together stays in the budget."""
    kept: list[Candidate] = []
    harmed = np.zeros(prompts, dtype=np.bool_)
    for c in sorted(candidates, key=lambda c: c.calibrated.harmed - c.calibrated.repaired):
        joint = harmed | (c.fired & (c.uplift < 0))
        if harm_bound(int(joint.sum()), prompts) <= HARM_BUDGET:
            kept.append(c)
            harmed = joint
    return kept


def _tell(log: Any, annotation: Annotation, selection: npt.NDArray[np.bool_], results: out.Outcomes, candidate: Candidate | None) -> None:
    fillable, uplift = results.fillable[annotation.id], results.uplift(annotation.id)
    here = fillable & selection
    text = f"{annotation.id}: fills {here.sum()}, repairs {(uplift[here] > 0).sum()}, harms {(uplift[here] < 0).sum()} (selection half)"
    if candidate:
        c = candidate.calibrated
        text += f"; {len(candidate.choice.columns)} features, gain {candidate.choice.gain:.1f} nats; calibration: fires {c.annotated}, repairs {c.repaired}, harms {c.harmed}, p {c.p_value:.3g}"
    log(text)


def _census(task: Task, items: Sequence[Item], annotations: Sequence[Annotation], results: out.Outcomes) -> dict[str, Any]:
    """What goes wrong, and which annotation turns it right: counts over all mining items of a task."""
    mine = np.array([i.task == task for i in items])
    rows: dict[str, Any] = {"items": int(mine.sum()), "right": int(results.plain[mine].sum())}
    for a in (a for a in annotations if a.task == task):
        fillable, uplift = results.fillable[a.id] & mine, results.uplift(a.id)
        rows[a.id] = {"misunderstanding": a.misunderstanding, "fillable": int(fillable.sum()), "wrong": int((fillable & ~results.plain).sum()), "repaired": int((uplift[fillable] > 0).sum()), "harmed": int((uplift[fillable] < 0).sum())}
    return rows


def _lens(job: Job, network: Any, sae: Sae, items: Sequence[Item]) -> tuple[str, Lens]:
    """The lens of this model and SAE, added to lenses.json if it is new."""
    file = job.out / "lenses.json"
    known = Lenses.model_validate_json(file.read_text("utf-8")).lenses if file.exists() else {}
    try:
        name = find_lens(known, job.model, job.sae)
        return name, known[name]
    except LensError:
        pass
    plain = identify(job.model, job.sae)
    called = str(sae.config.metadata.get("model_name") or plain.model)
    name = re.sub(r"[^a-z0-9]+", "-", f"{called}-l{plain.layer}-{plain.d_sae}".lower()).strip("-")
    prompts = _check_prompts()
    lens = identify(job.model, job.sae, bounds(prompts, measure(network, sae, prompts)))
    _write_json(file, Lenses(lenses={**known, name: lens}).model_dump(mode="json", exclude_none=True))
    return name, lens


def _check_prompts() -> list[str]:
    """A few prompts that the lens has to see rightly at start-up; written here, so that no data set is quoted."""
    return [
        "Maria has 14 red marbles and 9 blue marbles. She gives 5 red marbles to Tom. How many red marbles does she have left?",
        "A box holds 12 pencils. How many pencils are in 7 boxes?",
        "The baker made 48 rolls and put 6 in each bag. How many bags did he fill?",
        'Is the word "swallowed" used literally or metaphorically in this sentence? The fog swallowed the whole town.',
        'Is the word "cut" used literally or metaphorically in this sentence? She cut the bread with a long knife.',
        "What should I wear for a walk in the rain?",
    ]


def _place(column: int, width: int) -> tuple[int, Place]:
    return (column, "user") if column < width else (column - width, "readout")


def _write(job: Job, lens_id: str, candidate: Candidate, readings: Mapping[int, str], items: Sequence[Item], lens: Lens) -> Detector:
    kind = candidate.annotation.misunderstanding
    name = f"{kind}-{lens_id}"
    places = [_place(c, lens.d_sae) for c in candidate.choice.columns]
    rule = Weighted(
        kind="weighted", bias=0.0, threshold=round(candidate.calibrated.threshold, 6),
        terms=tuple(Term(feature=f, weight=round(w, 6), at=at) for (f, at), w in zip(places, candidate.choice.weights, strict=True)),
    )
    c = candidate.calibrated
    significant = c.p_value <= SIGNIFICANT and c.harm_at_most <= HARM_BUDGET
    file = job.out / kind / f"{name}.json"
    detector = Detector.model_validate({
        "id": name, "version": 1, "misunderstanding": kind, "lens": lens_id, "scope": "contextual",
        "status": Status.measured if significant else Status.experimental, "rule": rule,
        "readings": {str(f): readings[f] for f in sorted({f for f, _ in places})},
        "provenance": Provenance(author="promptfix mine", created=date.today().isoformat(), found_by="promptfix mine"),
    })
    detector = _versioned(file, detector)
    source = Source(command="promptfix mine", data={p.stem: digest(load(p)) for p in job.data}, seeds=(job.seed,))
    calibration = Outcomes(prompts=c.prompts, annotated=c.annotated, repaired=c.repaired, harmed=c.harmed)
    _write_json(file, {"$schema": "../detector.schema.json", **detector.model_dump(mode="json", exclude={"schema_"})})
    measurement = Measurement(detector=detector.stamp, lens=lens_id, annotation=candidate.annotation.stamp, calibration=calibration, harm=Bound(at_most=round(c.harm_at_most, 6), confidence=CONFIDENCE), source=source)
    _write_json(file.with_name(f"{name}.measured.json"), {"$schema": "../measured.schema.json", **measurement.model_dump(mode="json", exclude={"schema_"})})
    uplift = Uplift(annotation=candidate.annotation.stamp, lens=lens_id, calibration=calibration, source=source)
    _write_json(job.annotations / "measured" / f"{candidate.annotation.id}.{lens_id}.json", {"$schema": "../measured.schema.json", **uplift.model_dump(mode="json", exclude={"schema_"})})
    return detector


def _versioned(file: Path, detector: Detector) -> Detector:
    """The next version if the rule is not the one that is there already."""
    if not file.exists():
        return detector
    before = Detector.model_validate_json(file.read_text("utf-8"))
    return detector.model_copy(update={"version": before.version + (before.rule != detector.rule)})


def _write_json(path: Path, content: Any) -> None:
    """Write beside and rename, so that nothing is ever half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
