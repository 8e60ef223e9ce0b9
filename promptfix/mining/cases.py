"""Let a model read the cases by hand, and record which of them its detectors fire on."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptfix.cases import digest, tally
from promptfix.detection import Ruleset, detect
from promptfix.formats import Case, Detector
from promptfix.library import Library
from promptfix.measures import Recording
from promptfix.mining.files import write_text
from promptfix.pipeline import Microscope
from promptfix.records import Prompt, Span
from promptfix.rewriting import answerable


def record(microscope: Microscope, library: Library) -> dict[str, Recording]:
    """Read the cases of every misunderstanding that has a detector on the microscope's lens.

    Returns the recordings by misunderstanding. Raises as reading does.
    """
    detectors = library.detectors_for(microscope.lens)
    made: dict[str, Recording] = {}
    for kind, cases in library.cases.items():
        if mine := [detector for detector in detectors if detector.misunderstanding == kind]:
            made[kind] = _recorded(microscope, library, mine, cases)
    return made


def write(recordings: Mapping[str, Recording], detectors: Path) -> list[Path]:
    """Write the recordings into the folder of detectors; returns the files."""
    written: list[Path] = []
    for kind, recording in recordings.items():
        path = detectors / kind / f"{recording.lens}.recorded.json"
        content = recording.model_dump(mode="json", by_alias=True)
        write_text(path, json.dumps(content, indent=1) + "\n")
        written.append(path)
    return written


def _recorded(
    microscope: Microscope, library: Library, detectors: Sequence[Detector], cases: Sequence[Case]
) -> Recording:
    rules = Ruleset(detectors)
    fired = {case.id: _fired(microscope, library, rules, case) for case in cases}
    tallies = {
        detector.stamp: tally(cases, {name for name, by in fired.items() if detector.stamp in by})
        for detector in sorted(detectors, key=lambda detector: detector.id)
    }
    named = {"$schema": "../recorded.schema.json", "lens": microscope.lens}
    return Recording.model_validate(named | {"cases": digest(cases), "detectors": tallies})


def _fired(microscope: Microscope, library: Library, rules: Ruleset, case: Case) -> set[str]:
    """The detectors that fire on a case, not counting findings about other words than `on`."""
    prompt = Prompt(text=case.prompt)
    seen = detect(microscope.read(prompt).reading, rules, near=0).findings
    findings = answerable(prompt, seen, library, lens=microscope.lens)
    return {finding.detector for finding in findings if _is_about(case, finding.span)}


def _is_about(case: Case, span: Span | None) -> bool:
    if case.on is None or span is None:
        return True
    said = re.finditer(re.escape(case.on), case.prompt)
    return any(hit.start() < span.end and span.start < hit.end() for hit in said)
