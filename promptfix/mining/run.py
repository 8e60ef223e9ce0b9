"""From labelled data to detector files: `promptfix mine`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import numpy as np

from promptfix.chat import encode_ids
from promptfix.evidence import doubts, reasons
from promptfix.formats import Annotation, Detector, Lens
from promptfix.library import Library
from promptfix.library import load as load_library
from promptfix.measures import Source
from promptfix.microscope import Microscope
from promptfix.mini.corpus.metaphor import case
from promptfix.mini.corpus.surface import problem
from promptfix.mining.candidates import Found, candidates, census
from promptfix.mining.cases import record, write
from promptfix.mining.halves import Sample
from promptfix.mining.outcomes import AnswerCache, Answered, measure
from promptfix.mining.readings import LONGEST, read_features
from promptfix.mining.scoring import features, on_words
from promptfix.mining.selection import Values
from promptfix.mining.traces import load_traces
from promptfix.mining.trial import Trial
from promptfix.mining.writing import (
    Proven,
    Writer,
    ensure_library,
    lens_for,
    place_of,
    status_of,
)
from promptfix.models import LocalModel
from promptfix.network import Dtype, Network, load_network
from promptfix.neuronpedia import load_readings
from promptfix.packing import is_small, pack
from promptfix.records import ANSWER_TOKENS, Prompt
from promptfix.remote import SYSTEM, RemoteModel
from promptfix.sae import Sae
from promptfix.tasks import DataError, Item, Task, digest, load

TASKS: tuple[Task, ...] = ("math", "metaphor")
REMOTE_TOKENS = 512
"""The longest answer of another model; large ones think aloud."""
LONGEST_NOTE = 64
"""Tokens that are left free for a note."""


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
    max_tokens: int = ANSWER_TOKENS
    null_runs: int = 39
    """How often the search is run again on shuffled outcomes."""
    texts: int = 2400
    """Generated texts that features are read from."""
    device: str = "auto"
    dtype: Dtype = "auto"
    traces: tuple[Path, ...] = ()
    """Files of traces that `promptfix serve` kept."""
    answers: RemoteModel | None = None
    """Who answers, if it is not the model that is read."""


@dataclass(frozen=True)
class Bench:
    """What a run works with."""

    job: Job
    items: Sequence[Item]
    library: Library
    microscope: Microscope
    """Holds all features of the SAE."""
    sae: Sae
    answered: Answered
    writer: Writer


def run(job: Job, log: Callable[[str], object] = print) -> list[Detector]:
    """Mine detectors for a model, an SAE and labelled data, and write them. Returns them.

    What they replace is all that the lens had for their task, since a task's detectors share one
    budget of harm; a task for which nothing is found keeps what it had. Raises DataError for
    unusable data, and what loading a model or a library raises. No detector is written before all
    are found.
    """
    began = monotonic()
    bench = _bench(job)
    sample = _sample(bench)
    found: dict[Task, Found] = {
        task: candidates(sample, task, job.null_runs, log) for task in TASKS
    }
    proven = [p for task, seen in found.items() for p in _proven(bench, sample, task, seen, log)]
    bench.writer.add_lens()
    written = [bench.writer.write(p) for p in proven]
    spared = _spared(bench, found)
    tried = [a for a in bench.library.annotations if a.task not in spared]
    bench.writer.forget_others([p.candidate for p in proven], tried)
    recordings = record(bench.microscope, load_library(job.out, job.annotations))
    write(recordings, job.out)
    detectors: list[Detector] = []
    for detector, measurement in written:
        recording = recordings.get(detector.misunderstanding)
        cases = recording.detectors.get(detector.stamp) if recording else None
        settled = bench.writer.promote(detector, status_of(detector, measurement, recordings))
        lexical = detector.scope == "lexical"
        why = doubts(measurement, cases) or reasons(measurement, cases, lexical=lexical)
        log(f"{settled.id}: {'; '.join([settled.status.value, *why])}")
        detectors.append(settled)
    bench.writer.sidecar(_report(sample, found), spared, monotonic() - began)
    return detectors


def _spared(bench: Bench, found: Mapping[Task, Found]) -> set[Task]:
    """The tasks for which nothing was found, and which keep the detectors that they had."""
    library, lens = bench.library, bench.writer.lens
    had = {detector.misunderstanding for detector in library.detectors if detector.lens == lens}
    known = {a.task for a in library.annotations if a.misunderstanding in had}
    return {task for task in TASKS if task in known and not found[task].kept}


def _bench(job: Job) -> Bench:
    files = [(path.stem, load(path)) for path in job.data]
    files += [(path.stem, load_traces(path)) for path in job.traces]
    items = [item for _, found in files for item in found]
    if len({item.gold for item in items}) < 2:
        raise DataError("all items have the same answer; nothing can be learnt from them")
    network = load_network(job.model, job.device, job.dtype)
    if is_small(network.model):
        pack(network.model)
    items = _fitting(items, network, 1 if job.answers else job.max_tokens)
    sae = Sae.load(job.sae, d_in=network.width)
    ensure_library(job.out)
    library = load_library(job.out, job.annotations)
    _check_answers(library, job)
    name, lens = lens_for(job.out / "lenses.json", job.model, job.sae, network, sae)
    _check_pair(library, name, job)
    cache = _cache(job, network, lens)
    digests = {stem: digest(found) for stem, found in files}
    source = Source(command="promptfix mine", data=digests, seeds=(job.seed,))
    return Bench(
        job,
        items,
        library,
        Microscope(network, sae, name),
        sae,
        _answered(items, library, cache, checked=job.answers is None),
        Writer(job.out, job.annotations, name, lens, source, _answering(job)),
    )


def _answering(job: Job) -> str | None:
    return job.answers.name if job.answers else None


def _check_answers(library: Library, job: Job) -> None:
    """Raise DataError if the folders hold what was measured on another model's answers."""
    measured = (*library.measurements.values(), *library.uplifts.values())
    others = {one.answers for one in measured} - {_answering(job)}
    if others:
        raise DataError(
            f"{job.out} and {job.annotations} hold measurements on the answers of another model; "
            "name copies of them without these: one library is for one model that answers"
        )


def _check_pair(library: Library, lens: str, job: Job) -> None:
    """Raise DataError if the annotations were measured with detectors that lie elsewhere."""
    measured = any(on == lens for _, on in library.uplifts)
    if measured and not any(detector.lens == lens for detector in library.detectors):
        raise DataError(
            f"{job.annotations} holds what notes did on the lens {lens}, measured for detectors "
            f"that are not in {job.out}, and this run would replace it; name their folder with "
            "--out, or a copy of the annotations with --annotations"
        )


def _cache(job: Job, network: Network, lens: Lens) -> AnswerCache:
    """The answers that are known, and who is asked for the others."""
    if job.answers is None:
        file = job.cache / answers_file(lens, job.dtype)
        return AnswerCache(LocalModel(network), file, job.max_tokens)
    asked = sha256(f"{job.answers.name}\n{SYSTEM}".encode()).hexdigest()
    return AnswerCache(job.answers, job.cache / f"answers-{asked[:12]}.jsonl", REMOTE_TOKENS)


def answers_file(lens: Lens, dtype: Dtype) -> str:
    """Name a file of answers by all that decides what the model of a lens says."""
    parts = [lens.model_sha256, lens.tokenizer_sha256, lens.template_sha256, dtype]
    return f"answers-{sha256(' '.join(parts).encode()).hexdigest()[:12]}.jsonl"


def _sample(bench: Bench) -> Sample:
    texts = [item.prompt for item in bench.items]
    annotations = _ordered(bench.library)
    words: dict[str, Values] = {}
    by_filler: dict[str, Values] = {}
    for annotation in annotations:
        pointed = bench.answered.pointed[annotation.id]
        if not pointed.any():
            continue
        if annotation.filler not in by_filler:
            spans = [bench.library.about(annotation, text) for text in texts]
            some = [s if p else None for s, p in zip(spans, pointed.tolist(), strict=True)]
            by_filler[annotation.filler] = on_words(bench.microscope, texts, some)
        words[annotation.id] = by_filler[annotation.filler]
    seen = features(bench.microscope, texts)
    return Sample(bench.items, annotations, bench.answered, seen, words, bench.job.seed)


def _proven(
    bench: Bench, sample: Sample, task: Task, found: Found, log: Callable[[str], object]
) -> list[Proven]:
    """Try to break what was found, and read its features."""
    held = np.flatnonzero(sample.calibration(task)).tolist()
    trial = Trial(
        bench.microscope,
        bench.sae,
        bench.library,
        [bench.items[i] for i in held],
        bench.answered.plain[held],
        bench.job.seed,
        bench.job.max_tokens,
        own=bench.job.answers is None,
    )
    texts = _generated_texts(bench.job.seed, bench.job.texts)
    network, d_sae = bench.microscope.network, bench.writer.d_sae
    imported = load_readings(bench.job.sae)
    made: list[Proven] = []
    for candidate in found.kept:
        log(f"{candidate.annotation.id}: trying to break its rule")
        places = [place_of(column, d_sae) for column in candidate.choice.columns]
        readings = read_features(network, bench.sae, places, texts)
        readings = {f: _with_imported(line, imported.get(f)) for f, line in readings.items()}
        cause, uncleared = trial.cause(candidate)
        made.append(
            Proven(
                candidate,
                readings,
                trial.falsify(candidate),
                cause,
                uncleared,
                found.together,
            )
        )
    return made


def _with_imported(line: str, imported: str | None) -> str:
    """Add what Neuronpedia says of a feature to what was seen here."""
    return f"{line} / by Neuronpedia: {imported}"[:LONGEST] if imported else line


def _report(sample: Sample, found: Mapping[Task, Found]) -> dict[str, Any]:
    """What was looked for, in counts; without dates, so that equal runs write equal files."""
    return {
        "seed": sample.seed,
        "tasks": {
            task: {
                "library": seen.together.model_dump(),
                "annotations": seen.report,
                "null": _null(seen.report),
                "census": census(sample, task),
            }
            for task, seen in found.items()
            if sample.of_task(task).any()
        },
    }


def _null(report: Mapping[str, Any]) -> dict[str, int]:
    """All shuffled runs together."""
    nulls = [told["null"] for told in report.values() if "null" in told]
    return {key: sum(null[key] for null in nulls) for key in ("runs", "found", "matched")}


def _generated_texts(seed: int, count: int) -> list[str]:
    """Texts that may be quoted in a reading: the generator's own, half of each task."""
    rng, half = Random(seed), count // 2
    return [problem(rng).text for _ in range(half)] + [case(rng).prompt for _ in range(half)]


def _fitting(items: Sequence[Item], network: Network, max_tokens: int) -> list[Item]:
    """The items that leave room in the model's context for a note and an answer."""
    room = network.context - max_tokens - LONGEST_NOTE
    prompts = [Prompt(text=item.prompt) for item in items]
    lengths = [len(encode_ids(network.tokenizer, prompt)) for prompt in prompts]
    kept = [item for item, length in zip(items, lengths, strict=True) if length <= room]
    if not kept:
        raise DataError(f"no item fits the model's context of {network.context} tokens")
    return kept


def _ordered(library: Library) -> list[Annotation]:
    return sorted(library.annotations, key=lambda annotation: annotation.id)


def _answered(
    items: Sequence[Item], library: Library, cache: AnswerCache, *, checked: bool
) -> Answered:
    """Answer everything. Raises DataError if the model gets all right or all wrong."""
    from tqdm import tqdm

    with tqdm(unit=" answers", desc="answering", mininterval=2) as bar:

        def started(total: int) -> Callable[[int], object]:
            bar.reset(total)
            return bar.update

        annotations = _ordered(library)
        answered = measure(items, annotations, library, cache, started, checked=checked)
    if answered.plain.all() or not answered.plain.any():
        raise DataError(
            "the model answers every item alike, all right or all wrong; give items of mixed "
            "difficulty"
        )
    return answered
