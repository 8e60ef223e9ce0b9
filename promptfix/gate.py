"""What cases by hand and measurements say against the library: claims that they do not bear out.

A library is used without asking this; `promptfix check` and the tests ask.
"""

from collections.abc import Iterator

from promptfix.cases import digest, passes, tally
from promptfix.crosscheck import Shelf, best_annotation
from promptfix.errors import Problem
from promptfix.evidence import doubts, earned, reasons
from promptfix.formats import Case, Detector, Status
from promptfix.measures import Recording, Tally

AGAIN = "run promptfix check --record"


def problems(shelf: Shelf) -> Iterator[Problem]:
    """All that cases and recordings leave to be done."""
    for name, detector in shelf.detectors.items():
        for where, message, remedy in (*_unproven(shelf, detector), *_overclaimed(shelf, detector)):
            yield Problem(shelf.name(f"detector:{name}"), where, message, remedy)
    named = {x.misunderstanding for x in (*shelf.detectors.values(), *shelf.annotations.values())}
    for kind in shelf.cases.keys() - named:
        message = f"no detector and no annotation is about {kind}"
        yield Problem(shelf.name(f"cases:{kind}"), "$", message, "rename or remove the folder")
    for (kind, lens), recording in shelf.recordings.items():
        file = shelf.name(f"recording:{kind}/{lens}")
        cases = shelf.cases.get(kind, ())
        if recording.cases != digest(cases):
            yield Problem(file, "$.cases", "it is not of the present cases", AGAIN)
        else:
            yield from _refuted(shelf, file, kind, recording, cases)


def _unproven(shelf: Shelf, detector: Detector) -> Iterator[tuple[str, str, str]]:
    """What a detector that claims to be measured lacks: path, message, remedy."""
    if not detector.status.reaches(Status.measured):
        return
    kind = detector.misunderstanding
    recording = shelf.recordings.get((kind, detector.lens))
    if kind not in shelf.cases:
        message = f"{kind} has no cases by hand"
        yield "$.misunderstanding", message, f"write detectors/{kind}/cases.jsonl"
    elif recording is None or detector.stamp not in recording.detectors:
        message = f"{detector.status.value} without a recording of this version on the cases"
        yield "$.status", message, AGAIN


def _overclaimed(shelf: Shelf, detector: Detector) -> Iterator[tuple[str, str, str]]:
    """A status that the detector's own numbers do not earn, or earned with another note."""
    measurement = shelf.measurements.get(detector.id)
    recording = shelf.recordings.get((detector.misunderstanding, detector.lens))
    if measurement is None or not detector.status.reaches(Status.measured):
        return
    notes = shelf.annotations.values()
    made = best_annotation(notes, shelf.uplifts, detector.misunderstanding, detector.lens)
    if made and made.stamp != measurement.annotation:
        message = f"it was measured with the note {measurement.annotation}, which is not made here"
        yield "$.status", message, "restore annotations/measured, or mine it again"
    cases = recording.detectors.get(detector.stamp) if recording else None
    if cases and not passes(cases):
        return  # which is said of the recording
    lexical = detector.scope == "lexical"
    if not earned(measurement, cases, lexical=lexical).reaches(detector.status):
        why = doubts(measurement, cases) or reasons(measurement, cases, lexical=lexical)
        message = f"{detector.status.value}, but {'; '.join(why)}"
        yield "$.status", message, "mine it again, or lower the status"


def _refuted(
    shelf: Shelf, file: str, kind: str, recording: Recording, cases: tuple[Case, ...]
) -> Iterator[Problem]:
    present = {
        detector.stamp: detector
        for detector in shelf.detectors.values()
        if (detector.misunderstanding, detector.lens) == (kind, recording.lens)
    }
    for stamp, seen in recording.detectors.items():
        where = f"$.detectors['{stamp}']"
        if stamp not in present:
            message = f"no such detector: {stamp} on {recording.lens}"
            yield Problem(file, where, message, f"{AGAIN}, or remove the file")
        elif seen != tally(cases, {name for name, fired in seen.fired.items() if fired}):
            yield Problem(file, where, "the counts are not those of the cases", AGAIN)
        elif present[stamp].status.reaches(Status.measured) and not passes(seen):
            remedy = f"mine it again, or call it {Status.experimental.value}"
            yield Problem(file, where, _rates(seen), remedy)


def _rates(seen: Tally) -> str:
    fire, quiet = seen.fire, seen.quiet
    return (
        f"it fires on {fire.fired} of {fire.n} fire cases and {quiet.fired} of {quiet.n} quiet ones"
    )
