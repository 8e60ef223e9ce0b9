"""The library: detectors, annotations and tables as one value, loaded all or nothing.

How the files are read is in datafiles.py, how they must agree with each other in crosscheck.py.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from promptfix import gate
from promptfix.crosscheck import Shelf, best_annotation
from promptfix.datafiles import violations
from promptfix.errors import LibraryError, Problem
from promptfix.formats import (
    Annotation,
    Case,
    Detector,
    Lens,
    Status,
    Tables,
)
from promptfix.measures import Measurement, Recording, Uplift
from promptfix.records import Span
from promptfix.schemas import schema_of
from promptfix.slots import FILLERS, Slots

_EVIDENCE = re.compile(r"/cases\.jsonl:\d+$|\.recorded\.json$")


@dataclass(frozen=True)
class Library:
    """All that is known about misunderstandings. Immutable; named by its digest."""

    digest: str
    """First 12 hex digits of the sha256 over the content of all files but cases and recordings,
    which say what the library does and change nothing of it."""
    detectors: tuple[Detector, ...]
    annotations: tuple[Annotation, ...]
    lenses: Mapping[str, Lens] = field(default_factory=dict[str, Lens])
    tables: Tables = field(default_factory=Tables)
    measurements: Mapping[str, Measurement] = field(default_factory=dict[str, Measurement])
    """By detector id."""
    uplifts: Mapping[tuple[str, str], Uplift] = field(default_factory=dict[tuple[str, str], Uplift])
    """By annotation id and lens."""
    cases: Mapping[str, tuple[Case, ...]] = field(default_factory=dict[str, tuple[Case, ...]])
    """By misunderstanding."""
    recordings: Mapping[tuple[str, str], Recording] = field(
        default_factory=dict[tuple[str, str], Recording]
    )
    """By misunderstanding and lens."""

    def detectors_for(self, lens: str, disabled: Iterable[str] = ()) -> tuple[Detector, ...]:
        """The detectors of a lens that are neither retired nor switched off."""
        off = set(disabled)
        mine = (det for det in self.detectors if det.lens == lens and det.id not in off)
        return tuple(det for det in mine if det.status is not Status.retired)

    def annotation_for(self, misunderstanding: str, lens: str) -> Annotation | None:
        """The annotation that answers a misunderstanding on a lens: that with the best uplift."""
        return best_annotation(self.annotations, self.uplifts, misunderstanding, lens)

    def uplift(self, annotation: Annotation, lens: str) -> float | None:
        """Net share of prompts that the annotation turned right on a lens; None: unmeasured."""
        measured = self.uplifts.get((annotation.id, lens))
        return measured.calibration.uplift if measured else None

    def calibrated_on(self, detector: Detector) -> str | None:
        """The model on whose answers a detector was measured; None is the lens's own, or none."""
        measured = self.measurements.get(detector.id)
        return measured.answers if measured else None

    @cached_property
    def calibrated(self) -> frozenset[str]:
        """The models beside the lens's own on whose answers detectors were measured."""
        named = map(self.calibrated_on, self.detectors)
        return frozenset(name for name in named if name is not None)

    def fill(self, annotation: Annotation, text: str, span: Span | None) -> Slots | None:
        """The values of the annotation's slots, or None if the text does not give them."""
        return FILLERS[annotation.filler].fill(text, span, self.tables)

    @cached_property
    def harmful_uncleared(self) -> frozenset[str]:
        """The detectors, by `id@version`, whose uncleared edits harmed more than they repaired."""
        seen = [(m.detector, m.uncleared) for m in self.measurements.values()]
        return frozenset(name for name, left in seen if left and left.harmed > left.repaired)

    def about(self, annotation: Annotation, text: str) -> Span | None:
        """The word of the text that the annotation's note would be about; None: all of it."""
        find = FILLERS[annotation.filler].about
        return find(text, self.tables) if find else None


def load(detectors: Path, annotations: Path, tables: Path | None = None) -> Library:
    """Load both folders, and a folder of the user's own tables that add to the library's.

    Raises LibraryError with all problems at once.
    """
    shelf = Shelf.read(detectors, annotations, tables)
    if shelf.problems:
        raise LibraryError(shelf.problems)
    return _library(shelf)


def check(detectors: Path, annotations: Path, tables: Path | None = None) -> Library:
    """Load, and hold every file against its JSON Schema, and the claims against the cases."""
    shelf = Shelf.read(detectors, annotations, tables)
    known = {(problem.file, problem.path) for problem in shelf.problems}
    broken = [p for p in _violations(shelf) if (p.file, p.path) not in known]
    if problems := [*shelf.problems, *broken, *gate.problems(shelf)]:
        raise LibraryError(problems)
    return _library(shelf)


def _library(shelf: Shelf) -> Library:
    return Library(
        digest=_digest(shelf.contents),
        detectors=tuple(shelf.detectors.values()),
        annotations=tuple(shelf.annotations.values()),
        lenses=shelf.lenses,
        tables=shelf.tables,
        measurements=shelf.measurements,
        uplifts=shelf.uplifts,
        cases=shelf.cases,
        recordings=shelf.recordings,
    )


def _violations(shelf: Shelf) -> Iterator[Problem]:
    """What is wrong with the files by their JSON Schemas alone."""
    for name, content in shelf.contents.items():
        for file, schema in schema_of(name):
            for where, message in violations(content, schema):
                yield Problem(name, where, message, f"see {file}")


def _digest(contents: Mapping[str, object]) -> str:
    told = {name: content for name, content in contents.items() if not _EVIDENCE.search(name)}
    canonical = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
