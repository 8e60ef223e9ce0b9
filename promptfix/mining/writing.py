"""The files that mining leaves: the lens, detectors, and what detectors and annotations did."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptfix.errors import LensError
from promptfix.formats import (
    Bound,
    Detector,
    Lens,
    Lenses,
    Measurement,
    Outcomes,
    Provenance,
    Source,
    Status,
    Term,
    Uplift,
    Weighted,
)
from promptfix.health import bounds, compare, measure
from promptfix.lens import find_lens, identify, warn_of_other_form
from promptfix.mining.calibration import CONFIDENCE
from promptfix.mining.candidates import HARM_BUDGET, Candidate
from promptfix.network import Network
from promptfix.records import Place
from promptfix.sae import Sae

SIGNIFICANT = 0.1
"""The p value (sign test on the calibration half) from which on a detector counts as measured.

Weak on purpose: `measured` says how much harm there is at most; what a detector is worth is for
falsification and held-out evaluation, which `trusted` asks for.
"""
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


def ensure_lens(
    file: Path, model: Path, sae_folder: Path, network: Network, sae: Sae
) -> tuple[str, Lens]:
    """The id and the entry of a model's and an SAE's lens, added to `file` if it is new."""
    known = Lenses.model_validate_json(file.read_text("utf-8")).lenses if file.exists() else {}
    try:
        name = find_lens(known, model, sae_folder)
    except LensError:
        warn_of_other_form(model, sae_folder)
        health = measure(network, sae_folder, CHECK_PROMPTS)
        compare(sae.config, health)
        lens = identify(model, sae_folder, bounds(CHECK_PROMPTS, health))
        called = str(sae.config.metadata.get("model_name") or lens.model)
        words = f"{called}-l{lens.layer}-{lens.d_sae}".lower()
        name = re.sub(r"[^a-z0-9]+", "-", words).strip("-")
        known = {**known, name: lens}
        write_json(file, Lenses(lenses=known).model_dump(mode="json", exclude_none=True))
    return name, known[name]


def place_of(column: int, d_sae: int) -> tuple[int, Place]:
    """The feature and the place that a column of mining's matrix stands for."""
    return (column, "user") if column < d_sae else (column - d_sae, "readout")


@dataclass(frozen=True)
class Writer:
    """Writes what one run found."""

    detectors: Path
    annotations: Path
    lens: str
    d_sae: int
    source: Source

    def write(self, candidate: Candidate, readings: Mapping[int, str]) -> Detector:
        """Write a detector, its measurement and its annotation's uplift. Returns the detector."""
        c, annotation = candidate.calibrated, candidate.annotation
        detector = self._detector(candidate, readings)
        file = self.detectors / detector.misunderstanding / f"{detector.id}.json"
        detector = _versioned(file, detector)
        calibration = Outcomes(
            prompts=c.prompts, annotated=c.annotated, repaired=c.repaired, harmed=c.harmed
        )
        measurement = Measurement(
            detector=detector.stamp,
            lens=self.lens,
            annotation=annotation.stamp,
            calibration=calibration,
            harm=Bound(at_most=round(c.harm_at_most, 6), confidence=CONFIDENCE),
            source=self.source,
        )
        uplift = Uplift(
            annotation=annotation.stamp,
            lens=self.lens,
            calibration=calibration,
            source=self.source,
        )
        measured = self.annotations / "measured" / f"{annotation.id}.{self.lens}.json"
        _write_record(file, detector, "../detector.schema.json")
        _write_record(
            file.with_name(f"{detector.id}.measured.json"), measurement, "../measured.schema.json"
        )
        _write_record(measured, uplift, "../measured.schema.json")
        return detector

    def demote(self, detector: Detector) -> Detector:
        """Write a detector again as experimental: its cases by hand speak against it."""
        lesser = detector.model_copy(update={"status": Status.experimental})
        file = self.detectors / detector.misunderstanding / f"{detector.id}.json"
        _write_record(file, lesser, "../detector.schema.json")
        return lesser

    def forget_others(self, found: Sequence[Candidate]) -> None:
        """Remove what earlier runs wrote for this lens and this one did not find again."""
        kinds = {candidate.annotation.misunderstanding for candidate in found}
        noted = {candidate.annotation.id for candidate in found}
        for file in self.detectors.glob(f"*/*{self.lens}*.json"):
            if file.parent.name not in kinds:
                file.unlink()
        for file in (self.annotations / "measured").glob(f"*.{self.lens}.json"):
            if file.name.removesuffix(f".{self.lens}.json") not in noted:
                file.unlink()

    def _detector(self, candidate: Candidate, readings: Mapping[int, str]) -> Detector:
        c, choice = candidate.calibrated, candidate.choice
        places = [place_of(column, self.d_sae) for column in choice.columns]
        terms = tuple(
            Term(feature=feature, weight=round(weight, 6), at=at)
            for (feature, at), weight in zip(places, choice.weights, strict=True)
        )
        threshold = round(c.threshold, 6)
        significant = c.p_value <= SIGNIFICANT and c.harm_at_most <= HARM_BUDGET
        kind = candidate.annotation.misunderstanding
        return Detector(
            id=f"{kind}-{self.lens}",
            version=1,
            misunderstanding=kind,
            lens=self.lens,
            scope="contextual",
            status=Status.measured if significant else Status.experimental,
            rule=Weighted(kind="weighted", bias=0.0, threshold=threshold, terms=terms),
            readings={str(f): readings[f] for f in sorted({feature for feature, _ in places})},
            provenance=Provenance(
                author="promptfix mine",
                created=datetime.now(UTC).date().isoformat(),
                found_by="promptfix mine",
            ),
        )


def _versioned(file: Path, detector: Detector) -> Detector:
    """The next version if the rule is not the one that is there already."""
    if not file.exists():
        return detector
    before = Detector.model_validate_json(file.read_text("utf-8"))
    version = before.version + (before.rule != detector.rule)
    return detector.model_copy(update={"version": version})


def _write_record(path: Path, record: BaseModel, schema: str) -> None:
    write_json(path, {"$schema": schema, **record.model_dump(mode="json", exclude={"schema_"})})


def write_json(path: Path, content: Any) -> None:
    """Write beside and rename, so that nothing is ever half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
