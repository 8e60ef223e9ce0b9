"""Read all data files and hold them against each other. Nothing is raised: problems gather."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from promptfix.cases import faults
from promptfix.datafiles import Reader, data_files
from promptfix.errors import Problem
from promptfix.formats import (
    TABLES,
    Annotation,
    Case,
    Detector,
    Lens,
    Lenses,
    Status,
    Tables,
)
from promptfix.measures import Measurement, Recording, Uplift
from promptfix.slots import FILLERS


@dataclass
class Shelf:
    """What was read, and what is wrong with it."""

    readers: list[Reader]
    lenses: dict[str, Lens] = field(default_factory=dict[str, Lens])
    detectors: dict[str, Detector] = field(default_factory=dict[str, Detector])
    measurements: dict[str, Measurement] = field(default_factory=dict[str, Measurement])
    """By detector id."""
    cases: dict[str, tuple[Case, ...]] = field(default_factory=dict[str, tuple[Case, ...]])
    """By misunderstanding."""
    recordings: dict[tuple[str, str], Recording] = field(
        default_factory=dict[tuple[str, str], Recording]
    )
    """By misunderstanding and lens."""
    annotations: dict[str, Annotation] = field(default_factory=dict[str, Annotation])
    uplifts: dict[tuple[str, str], Uplift] = field(default_factory=dict[tuple[str, str], Uplift])
    """By annotation id and lens."""
    tables: Tables = field(default_factory=Tables)
    where: dict[str, Path] = field(default_factory=dict[str, Path])
    """`detector:<id>`, `annotation:<id>`, `cases:<misunderstanding>` or
    `recording:<misunderstanding>/<lens>` -> its file."""

    @classmethod
    def read(cls, detectors: Path, annotations: Path, tables: Path | None) -> Self:
        """Read both folders, and a folder of the user's own tables."""
        d, a = Reader(detectors, "detectors"), Reader(annotations, "annotations")
        own = [Reader(tables, "tables")] if tables else []
        shelf = cls([d, a, *own])
        if absent := [reader for reader in (d, a) if not reader.root.is_dir()]:
            for reader in absent:
                message = f"no such folder: {reader.root}"
                reader.report(reader.root, "$", message, f"name that of the {reader.label}")
            return shelf
        shelf._read_detectors(d)
        shelf._read_cases(d)
        shelf._read_annotations(a)
        shelf._read_tables(a, own)
        shelf._check_detectors(d)
        shelf._check_annotations(a)
        return shelf

    @property
    def problems(self) -> list[Problem]:
        """All that is wrong."""
        return [problem for reader in self.readers for problem in reader.problems]

    def name(self, key: str) -> str:
        """The file of a key in `where`, as messages call it."""
        path = self.where[key]
        return next(r.name(path) for r in self.readers if r.root in path.parents)

    @property
    def contents(self) -> dict[str, Any]:
        """Every file that is JSON, decoded, by name."""
        return {name: c for reader in self.readers for name, c in reader.contents.items()}

    def _read_detectors(self, d: Reader) -> None:
        if lenses := d.file(d.root / "lenses.json", Lenses):
            self.lenses = lenses.lenses
        paths = [path for path in data_files(d.root) if path != d.root / "lenses.json"]
        measured = [path for path in paths if path.name.endswith(".measured.json")]
        recorded = [path for path in paths if path.name.endswith(".recorded.json")]
        beside = {*measured, *recorded}
        for path in (path for path in paths if path not in beside):
            detector = d.file(path, Detector)
            if detector and self._takes(d, path, "detector", detector.id):
                self.detectors[detector.id] = detector
        for path in measured:
            if measurement := d.file(path, Measurement):
                self._place_measurement(d, path, measurement)
        for path in recorded:
            if recording := d.file(path, Recording):
                self._place_recording(d, path, recording)

    def _read_cases(self, d: Reader) -> None:
        for path in sorted(d.root.glob("*/cases.jsonl")):
            cases = d.lines(path, Case)
            self.cases[path.parent.name] = tuple(cases.values())
            self.where[f"cases:{path.parent.name}"] = path
            for fault in faults(cases):
                at = path.with_name(f"{path.name}:{fault.line}") if fault.line else path
                d.report(at, fault.path, fault.message, fault.remedy)

    def _read_annotations(self, a: Reader) -> None:
        beside = {a.root / "measured", a.root / "tables"}
        for path in (p for p in data_files(a.root) if not beside & set(p.parents)):
            annotation = a.file(path, Annotation)
            if annotation and self._takes(a, path, "annotation", annotation.id):
                self.annotations[annotation.id] = annotation
        for path in data_files(a.root / "measured"):
            if uplift := a.file(path, Uplift):
                self._place_uplift(a, path, uplift)

    def _read_tables(self, a: Reader, own: Iterable[Reader]) -> None:
        read: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
        for reader, folder in [(a, a.root / "tables"), *((r, r.root) for r in own)]:
            if reader is not a and not folder.is_dir():
                reader.report(folder, "$", "no such folder", "correct the setting `tables`")
            for path in data_files(folder):
                if entry := TABLES.get(path.stem):
                    read[path.stem] |= reader.table(path, entry)
                else:
                    remedy = f"call it one of {', '.join(sorted(TABLES))}"
                    reader.report(path, "$", "no table is called so", remedy)
        self.tables = Tables.model_validate(read)

    def _takes(self, reader: Reader, path: Path, kind: str, name: str) -> bool:
        """Whether an id is new and that of its file; else a problem is reported."""
        if name != path.stem:
            reader.report(path, "$.id", f"the id is {name!r}", "make id and file name the same")
        known = self.where.setdefault(f"{kind}:{name}", path)
        if known != path:
            message = f"{reader.name(known)} has the same id"
            reader.report(path, "$.id", message, "give one of them another id")
        return known == path

    def _place_measurement(self, d: Reader, path: Path, measurement: Measurement) -> None:
        name = path.name.removesuffix(".measured.json")
        known = self.detectors.get(name)
        if known is None or (measurement.detector, measurement.lens) != (known.stamp, known.lens):
            message = f"no such detector: {measurement.detector} on {measurement.lens}"
            d.report(path, "$.detector", message, "measure again, or remove the file")
        else:
            self.measurements[name] = measurement

    def _place_recording(self, d: Reader, path: Path, recording: Recording) -> None:
        kind, name = path.parent.name, f"{recording.lens}.recorded.json"
        if path.name != name:
            d.report(path, "$.lens", "the file name says something else", f"call the file {name}")
        self.recordings[kind, recording.lens] = recording
        self.where[f"recording:{kind}/{recording.lens}"] = path

    def _place_uplift(self, a: Reader, path: Path, uplift: Uplift) -> None:
        name = uplift.annotation.partition("@")[0]
        known = self.annotations.get(name)
        if known is None or known.stamp != uplift.annotation:
            message = f"no such annotation: {uplift.annotation}"
            a.report(path, "$.annotation", message, "measure again, or remove the file")
        if path.name != f"{name}.{uplift.lens}.json":
            remedy = f"call the file {name}.{uplift.lens}.json"
            a.report(path, "$.lens", "the file name says something else", remedy)
        self.uplifts[name, uplift.lens] = uplift

    def _check_detectors(self, d: Reader) -> None:
        answered = {annotation.misunderstanding for annotation in self.annotations.values()}
        for name, detector in self.detectors.items():
            path = self.where[f"detector:{name}"]
            for where, message, remedy in _lens_faults(detector, self.lenses):
                d.report(path, where, message, remedy)
            if path.parent.name != detector.misunderstanding:
                message = f"it lies in the folder {path.parent.name!r}"
                d.report(path, "$.misunderstanding", message, "name it as its folder")
            if not detector.status.reaches(Status.measured):
                continue
            if name not in self.measurements:
                message = f"{detector.status.value} without a measurement of this version"
                remedy = f"measure it, or call it {Status.experimental.value}"
                d.report(path, "$.status", message, remedy)
            if detector.misunderstanding not in answered:
                message = "no annotation answers this misunderstanding"
                d.report(path, "$.misunderstanding", message, "add one to annotations/")

    def _check_annotations(self, a: Reader) -> None:
        for name, annotation in self.annotations.items():
            path, filler = self.where[f"annotation:{name}"], FILLERS.get(annotation.filler)
            if filler is None:
                remedy = f"name one of {', '.join(sorted(FILLERS))}"
                a.report(path, "$.filler", f"no filler is called {annotation.filler}", remedy)
            elif unknown := annotation.slots - filler.slots:
                message = f"the filler has no {', '.join(sorted(unknown))}"
                remedy = f"use its slots: {', '.join(sorted(filler.slots))}"
                a.report(path, "$.template", message, remedy)


def best_annotation(
    annotations: Iterable[Annotation],
    uplifts: Mapping[tuple[str, str], Uplift],
    misunderstanding: str,
    lens: str,
) -> Annotation | None:
    """The annotation with the highest calibrated uplift on a lens, ties by id.

    What was never measured on the lens comes after all that was.
    """

    def rank(annotation: Annotation) -> tuple[bool, float, str]:
        measured = uplifts.get((annotation.id, lens))
        uplift = measured.calibration.uplift if measured else None
        return uplift is None, -(uplift or 0.0), annotation.id

    fitting = [a for a in annotations if a.misunderstanding == misunderstanding]
    return min(fitting, key=rank, default=None)


def _lens_faults(detector: Detector, lenses: Mapping[str, Lens]) -> Iterable[tuple[str, str, str]]:
    """Where a detector does not fit its lens: path, message, remedy."""
    lens = lenses.get(detector.lens)
    if lens is None:
        message = f"the lens {detector.lens} is unknown"
        yield "$.lens", message, "add it to detectors/lenses.json"
    elif wrong := [feature for feature in detector.features if feature >= lens.d_sae]:
        message = f"the lens has {lens.d_sae} features, none is number {min(wrong)}"
        yield "$.rule", message, "mine the detector on this lens"
