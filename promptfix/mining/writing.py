"""The files that mining leaves: the lens, detectors, and what detectors and annotations did."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from promptfix.datafiles import REPORT, SIDECAR, data_files
from promptfix.errors import LensError
from promptfix.evidence import CONFIDENCE, earned
from promptfix.formats import (
    AllOf,
    Annotation,
    Condition,
    Detector,
    Lens,
    Lenses,
    Provenance,
    Rule,
    Status,
    Term,
    Weighted,
)
from promptfix.health import bounds, compare, measure
from promptfix.lens import find_lens, identify, warn_of_other_form
from promptfix.measures import Bound, Cause, Falsification, Measurement, Outcomes, Source, Uplift
from promptfix.mining.candidates import Candidate, counted
from promptfix.mining.files import write_json, write_record
from promptfix.network import Network
from promptfix.records import Place
from promptfix.sae import Sae

CHECK_PROMPTS = (
    (
        "Maria has 14 red marbles and 9 blue marbles. She gives 5 red marbles to Tom. "
        "How many red marbles does she have left?"
    ),
    "A box holds 12 pencils. How many pencils are in 7 boxes?",
    "The baker made 48 rolls and put 6 in each bag. How many bags did he fill?",
    (
        'Is the word "swallowed" used literally or metaphorically in this sentence? '
        "The fog swallowed the whole town."
    ),
    (
        'Is the word "cut" used literally or metaphorically in this sentence? '
        "She cut the bread with a long knife."
    ),
    "What should I wear for a walk in the rain?",
)
"""What a lens has to see rightly at start-up; written here, so that no data set is quoted."""


def ensure_library(folder: Path) -> None:
    """Begin a folder of detectors that is new or empty."""
    if not any(data_files(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "lenses.json", {"lenses": {}})


def lens_for(
    file: Path, model: Path, sae_folder: Path, network: Network, sae: Sae
) -> tuple[str, Lens]:
    """The id and the entry of a model's and an SAE's lens: that of `file`, or a new one."""
    known = _lenses(file)
    try:
        name = find_lens(known, model, sae_folder)
    except LensError:
        warn_of_other_form(model, sae_folder)
        health = measure(network, sae_folder, CHECK_PROMPTS)
        compare(sae.config, health)
        lens = identify(model, sae_folder, bounds(CHECK_PROMPTS, health))
        called = str(sae.config.metadata.get("model_name") or lens.model)
        words = f"{called}-l{lens.layer}-{lens.d_sae}".lower()
        return re.sub(r"[^a-z0-9]+", "-", words).strip("-"), lens
    return name, known[name]


def _lenses(file: Path) -> Mapping[str, Lens]:
    return Lenses.model_validate_json(file.read_text("utf-8")).lenses if file.exists() else {}


def place_of(column: int, d_sae: int) -> tuple[int, Place]:
    """The feature and the place that a column of mining's matrix stands for."""
    return (column, "user") if column < d_sae else (column - d_sae, "readout")


def rule_of(candidate: Candidate, d_sae: int) -> Rule:
    """A candidate's score and threshold as a rule of the file format."""
    choice, threshold = candidate.choice, candidate.calibrated.threshold
    parts = [(*place_of(c, d_sae), f) for c, f in zip(choice.columns, choice.factors, strict=True)]
    if choice.conflict:
        conditions = tuple(
            Condition(feature=feature, at=at, at_least=round(threshold / factor, 6))
            for feature, at, factor in parts
        )
        return AllOf(kind="all_of", conditions=conditions)
    terms = tuple(Term(feature=n, weight=round(factor, 6), at=at) for n, at, factor in parts)
    return Weighted(kind="weighted", bias=0.0, threshold=round(threshold, 6), terms=terms)


@dataclass(frozen=True)
class Proven:
    """A candidate with all that was done to break it."""

    candidate: Candidate
    readings: Mapping[int, str]
    falsification: Falsification
    cause: Cause | None
    uncleared: Outcomes
    together: Outcomes
    """All detectors of the task."""


@dataclass(frozen=True)
class Writer:
    """Writes what one run found."""

    detectors: Path
    annotations: Path
    lens: str
    entry: Lens
    source: Source
    answers: str | None = None
    """The model whose answers were scored, where it is not the lens's own."""

    @property
    def d_sae(self) -> int:
        """Features of the lens."""
        return self.entry.d_sae

    def add_lens(self) -> None:
        """Write the lens, if it is new."""
        file = self.detectors / "lenses.json"
        known = _lenses(file)
        if known.get(self.lens) != self.entry:
            every = Lenses(lenses={**known, self.lens: self.entry})
            write_json(file, every.model_dump(mode="json", exclude_none=True))

    def write(self, proven: Proven) -> tuple[Detector, Measurement]:
        """Write a detector, as experimental, its measurement and its annotation's uplift."""
        candidate = proven.candidate
        file, detector = self.detector(candidate, proven.readings)
        calibration = counted(candidate.calibrated)
        annotation = candidate.annotation
        measurement = Measurement(
            detector=detector.stamp,
            lens=self.lens,
            annotation=annotation.stamp,
            answers=self.answers,
            calibration=calibration,
            harm=Bound(at_most=round(candidate.calibrated.harm_at_most, 6), confidence=CONFIDENCE),
            uncleared=proven.uncleared if proven.uncleared.annotated else None,
            library=proven.together,
            selection=candidate.selection,
            null=candidate.null,
            falsification=proven.falsification,
            cause=proven.cause,
            source=self.source,
        )
        uplift = Uplift(
            annotation=annotation.stamp,
            lens=self.lens,
            answers=self.answers,
            calibration=calibration,
            source=self.source,
        )
        measured = self.annotations / "measured" / f"{annotation.id}.{self.lens}.json"
        beside = file.with_name(f"{detector.id}.measured.json")
        beside.unlink(missing_ok=True)  # an interrupted run may leave none, but none of another
        write_record(file, detector, "../detector.schema.json")
        write_record(beside, measurement, "../measured.schema.json")
        write_record(measured, uplift, "../measured.schema.json")
        return detector, measurement

    def promote(self, detector: Detector, status: Status) -> Detector:
        """Write a detector again with the status that its numbers earn."""
        settled = detector.model_copy(update={"status": status})
        file = self.detectors / detector.misunderstanding / f"{detector.id}.json"
        write_record(file, settled, "../detector.schema.json")
        return settled

    def forget_others(self, found: Sequence[Candidate], tried: Sequence[Annotation]) -> None:
        """Remove what earlier runs wrote for this lens on what was tried and not found again."""
        kinds = {candidate.annotation.misunderstanding for candidate in found}
        noted = {candidate.annotation.id for candidate in found}
        for kind in {annotation.misunderstanding for annotation in tried} - kinds:
            own = f"{kind}-{self.lens}.json", f"{kind}-{self.lens}.measured.json"
            for name in (*own, f"{self.lens}.recorded.json"):
                (self.detectors / kind / name).unlink(missing_ok=True)
        for name in {annotation.id for annotation in tried} - noted:
            (self.annotations / "measured" / f"{name}.{self.lens}.json").unlink(missing_ok=True)

    def sidecar(self, report: Mapping[str, Any], spared: Collection[str], seconds: float) -> None:
        """Write what was looked for, and, apart from it, when, where and with what versions.

        Of the spared tasks the account stays that belongs to their detectors.
        """
        file = self.detectors / f"{self.lens}{REPORT}"
        before = json.loads(file.read_text("utf-8"))["tasks"] if file.exists() else {}
        stays = {task: told for task, told in before.items() if task in spared}
        write_json(file, {**report, "tasks": report["tasks"] | stays})
        packages = ("promptfix", "torch", "transformers", "numpy", "scipy")
        about = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds),
            "machine": f"{platform.machine()} {platform.system()}",
            "python": platform.python_version(),
            "versions": {name: version(name) for name in packages},
        }
        write_json(self.detectors / f"{self.lens}{SIDECAR}", about)

    def detector(self, candidate: Candidate, readings: Mapping[int, str]) -> tuple[Path, Detector]:
        """The file of a candidate's detector and the detector, experimental as yet."""
        kind = candidate.annotation.misunderstanding
        rule = rule_of(candidate, self.d_sae)
        features = {part.feature for part in _parts(rule)}
        detector = Detector(
            id=f"{kind}-{self.lens}",
            version=1,
            misunderstanding=kind,
            lens=self.lens,
            scope="lexical" if candidate.lexical else "contextual",
            status=Status.experimental,
            rule=rule,
            readings={str(feature): readings[feature] for feature in sorted(features)},
            provenance=Provenance(author="promptfix mine", found_by=self.source.command),
        )
        file = self.detectors / kind / f"{detector.id}.json"
        return file, _versioned(file, detector)


def status_of(
    detector: Detector, measurement: Measurement, recordings: Mapping[str, Any]
) -> Status:
    """The status that a detector earns by its measurement and what it did on its cases."""
    recording = recordings.get(detector.misunderstanding)
    cases = recording.detectors.get(detector.stamp) if recording else None
    return earned(measurement, cases, lexical=detector.scope == "lexical")


def _parts(rule: Rule) -> tuple[Term, ...] | tuple[Condition, ...]:
    return rule.terms if isinstance(rule, Weighted) else rule.conditions


def _versioned(file: Path, detector: Detector) -> Detector:
    """The next version if the rule is not the one that is there already."""
    if not file.exists():
        return detector
    before = Detector.model_validate_json(file.read_text("utf-8"))
    changed = (before.rule, before.scope) != (detector.rule, detector.scope)
    return detector.model_copy(update={"version": before.version + changed})
