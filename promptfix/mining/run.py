"""From labelled data to detector files: `promptfix mine`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from promptfix.cases import passes
from promptfix.formats import Annotation, Detector, Source
from promptfix.library import Library
from promptfix.library import load as load_library
from promptfix.microscope import Microscope
from promptfix.mini.corpus.metaphor import case
from promptfix.mini.corpus.surface import problem
from promptfix.mining.candidates import Evidence, candidates, census
from promptfix.mining.cases import record, write
from promptfix.mining.outcomes import AnswerCache, Outcomes, measure
from promptfix.mining.readings import LONGEST, read_features
from promptfix.mining.writing import Writer, ensure_lens, place_of, write_json
from promptfix.models import LocalModel
from promptfix.network import Dtype, load_network
from promptfix.neuronpedia import load_readings
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.tasks import DataError, Item, Task, digest, load

TASKS: tuple[Task, ...] = ("math", "metaphor")


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
    device: str = "auto"
    dtype: Dtype = "auto"


def run(job: Job, log: Callable[[str], object] = print) -> list[Detector]:
    """Mine detectors for a model, an SAE and labelled data, and write them. Returns them.

    Raises DataError for unusable data, and what loading a model or a library raises.
    """
    files = [(path.stem, load(path)) for path in job.data]
    items = [item for _, found in files for item in found]
    if len({item.gold for item in items}) < 2:
        raise DataError("all items have the same answer; nothing can be learnt from them")
    network = load_network(job.model, job.device, job.dtype)
    sae = Sae.load(job.sae, d_in=network.width)
    library = load_library(job.out, job.annotations)
    annotations = sorted(library.annotations, key=lambda annotation: annotation.id)
    name, lens = ensure_lens(job.out / "lenses.json", job.model, job.sae, network, sae)
    answers = job.cache / f"answers-{lens.model_sha256[:12]}.jsonl"
    cache = AnswerCache(LocalModel(network), answers, job.max_tokens)
    outcomes = _answered(items, annotations, library, cache)
    evidence = Evidence(
        items, annotations, outcomes, _features(Microscope(network, sae, name), items)
    )
    digests = {stem: digest(found) for stem, found in files}
    source = Source(command="promptfix mine", data=digests, seeds=(job.seed,))
    writer = Writer(job.out, job.annotations, name, lens.d_sae, source)
    texts = _generated_texts(job.seed)
    imported = load_readings(job.sae)
    found = [c for task in TASKS for c in candidates(evidence, task, log)]
    detectors: list[Detector] = []
    for candidate in found:
        places = [place_of(column, lens.d_sae) for column in candidate.choice.columns]
        readings = read_features(network, sae, places, texts)
        readings = {f: _with_imported(line, imported.get(f)) for f, line in readings.items()}
        detectors.append(writer.write(candidate, readings))
    writer.forget_others(found)
    write_json(job.cache / "census.json", {task: census(evidence, task) for task in TASKS})
    return _held_against_cases(job, Microscope(network, sae, name), writer, detectors, log)


def _held_against_cases(
    job: Job,
    microscope: Microscope,
    writer: Writer,
    detectors: Sequence[Detector],
    log: Callable[[str], object],
) -> list[Detector]:
    """Record what the detectors do on the cases by hand; demote those that fail them."""
    recordings = record(microscope, load_library(job.out, job.annotations))
    write(recordings, job.out)
    settled: list[Detector] = []
    for detector in detectors:
        recording = recordings.get(detector.misunderstanding)
        if recording and not passes(recording.detectors[detector.stamp]):
            log(f"{detector.id}: fails its cases by hand, so it is experimental")
            settled.append(writer.demote(detector))
        else:
            settled.append(detector)
    return settled


def _with_imported(line: str, imported: str | None) -> str:
    """Add what Neuronpedia says of a feature to what was seen here."""
    return f"{line} / by Neuronpedia: {imported}"[:LONGEST] if imported else line


def _generated_texts(seed: int, count: int = 1200) -> list[str]:
    """Texts that may be quoted in a reading: the generator's own."""
    rng = Random(seed)
    return [problem(rng).text for _ in range(count)] + [case(rng).prompt for _ in range(count)]


def _answered(
    items: Sequence[Item],
    annotations: Sequence[Annotation],
    library: Library,
    cache: AnswerCache,
) -> Outcomes:
    """Answer everything. Raises DataError if the model gets all right or all wrong."""
    from tqdm import tqdm

    with tqdm(unit=" answers", desc="answering", mininterval=2) as bar:
        outcomes = measure(items, annotations, library, cache, bar.update)
    if outcomes.plain.all() or not outcomes.plain.any():
        raise DataError(
            "the model answers every item alike, all right or all wrong; give items of mixed "
            "difficulty"
        )
    return outcomes


def _features(microscope: Microscope, items: Sequence[Item]) -> npt.NDArray[np.float32]:
    """[items, 2 * features]: peaks on the user's tokens, then values at the read-out."""
    peaks = microscope.read_many([Prompt(text=item.prompt) for item in items], batch=64)
    return np.concatenate([peaks.user.numpy(), peaks.readout.numpy()], axis=1)
