"""Prompt + findings -> repair. Pure: it owns the form of a note and every rule of placement.

A note stands in its own brackets at the end of the user's text. The user's words are never
touched: taking the edits out gives back the original, and a prompt that ends in notes is left
as it is.
"""

import re
from collections.abc import Container, Iterable
from typing import Literal, NamedTuple, TypeAlias

from promptfix.formats import Annotation
from promptfix.library import Library
from promptfix.records import Edit, Finding, Prompt, Repair, Verification

OPEN = "\n[Note: "
CLOSE = "]"
MAX_NOTE = 400
"""Characters. A longer note is not made: the prompt was not what the parser took it for."""

Uncleared: TypeAlias = Literal["calibrated", "keep", "drop", "report"]
"""What becomes of an edit whose finding did not clear: it stays unless such edits did more harm
than good in calibration, it stays, it is taken out, or nothing of the prompt is edited and the
repair is only reported."""

_NOTES = re.compile(r"\n\[Note: [^\[\]\r\n]+\]\s*\Z")


class _Candidate(NamedTuple):
    finding: Finding
    annotation: Annotation
    uplift: float | None
    text: str

    @property
    def rank(self) -> tuple[bool, float, str, float, int, str]:
        """Measured before unmeasured, higher uplift first; the rest only settles ties."""
        start = self.finding.span.start if self.finding.span else -1
        excess = self.finding.score - self.finding.threshold
        return (
            self.uplift is None,
            -(self.uplift or 0.0),
            self.annotation.id,
            -excess,
            start,
            self.finding.detector,
        )


def rewrite(
    prompt: Prompt, findings: Iterable[Finding], library: Library, *, lens: str, limit: int = 2
) -> Repair | None:
    """Answer findings with notes, those that helped most first; None if there is nothing to add.

    At most one note for a misunderstanding and `limit` in all. A finding whose note cannot be
    made from the prompt is passed over.
    """
    if _NOTES.search(prompt.text):
        return None
    chosen: dict[str, _Candidate] = {}
    candidates = [_candidate(prompt.text, finding, library, lens) for finding in set(findings)]
    for candidate in sorted((c for c in candidates if c), key=lambda c: c.rank):
        if len(chosen) < limit:
            chosen.setdefault(candidate.finding.misunderstanding, candidate)
    return apply(prompt, [_edit(prompt.text, candidate) for candidate in chosen.values()])


def answerable(
    prompt: Prompt, findings: Iterable[Finding], library: Library, *, lens: str
) -> tuple[Finding, ...]:
    """The findings whose note can be made from the prompt, or that have no note at all.

    A detector was measured where its note can be made, and speaks of no other prompt: what its
    features do on the others is not known, and nobody could act on it. Of findings of one detector
    that one note answers ("a tenth of", on both its words) the first stays.
    """
    told: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        candidate = _candidate(prompt.text, finding, library, lens)
        if candidate:
            told.setdefault((finding.detector, candidate.text), finding)
        elif library.annotation_for(finding.misunderstanding, lens) is None:
            told.setdefault((finding.detector, str(finding.span)), finding)
    return tuple(told.values())


def apply(prompt: Prompt, edits: Iterable[Edit]) -> Repair | None:
    """Insert the edits; None if there are none."""
    ordered = tuple(sorted(edits, key=lambda edit: edit.at))
    if not ordered:
        return None
    text = prompt.text
    for edit in reversed(ordered):
        text = text[: edit.at] + edit.text + text[edit.at :]
    repaired = prompt.model_copy(update={"text": text})
    return Repair(original=prompt, edits=ordered, repaired=repaired)


def remove(repair: Repair) -> Prompt:
    """Take the edits out of the repaired prompt again."""
    text = repair.repaired.text
    for edit in repair.edits:
        text = text[: edit.at] + text[edit.at + len(edit.text) :]
    return repair.repaired.model_copy(update={"text": text})


def reworded(repair: Repair, library: Library) -> Repair | None:
    """The repair with its notes in their other words; None if none has any, or all do already."""
    known = {annotation.stamp: annotation for annotation in library.annotations}
    edits: list[Edit] = []
    for edit in repair.edits:
        annotation = known[edit.annotation]
        slots = library.fill(annotation, repair.original.text, edit.finding.span)
        words = note(annotation.again.format_map(slots)) if annotation.again and slots else None
        edits.append(edit.model_copy(update={"text": words or edit.text}))
    return apply(repair.original, edits) if tuple(edits) != repair.edits else None


def settle(
    repair: Repair, verification: Verification, policy: Uncleared, harmful: Container[str] = ()
) -> Repair | None:
    """Decide what goes to the model once the repaired prompt was read; None is the original.

    `harmful` are the detectors whose uncleared edits did more harm than good in calibration.
    """
    uncleared = {
        check.detector
        for check in verification.checks
        if check.after is not None and check.after >= check.threshold
    }
    if policy == "calibrated":
        uncleared = {detector for detector in uncleared if detector in harmful}
    if not uncleared or policy == "keep":
        return repair
    if policy == "report":
        return None
    kept = [edit for edit in repair.edits if edit.finding.detector not in uncleared]
    return apply(repair.original, kept)


def note(words: str) -> str | None:
    """Put words into the form of a note; None if they do not fit into one."""
    line = " ".join(words.split())
    fits = 0 < len(line) <= MAX_NOTE and not set(line) & set("[]")
    return f"{OPEN}{line}{CLOSE}" if fits else None


def _candidate(text: str, finding: Finding, library: Library, lens: str) -> _Candidate | None:
    annotation = library.annotation_for(finding.misunderstanding, lens)
    if annotation is None:
        return None
    slots = library.fill(annotation, text, finding.span)
    if slots is None:
        return None
    meant = library.about(annotation, text) if finding.span else None
    if meant and slots != library.fill(annotation, text, meant):
        return None  # what a note does was measured for the word that its parser points at
    words = note(annotation.template.format_map(slots))
    if words is None:
        return None
    return _Candidate(finding, annotation, library.uplift(annotation, lens), words)


def _edit(text: str, candidate: _Candidate) -> Edit:
    """Place a note; `end` is the only placement so far."""
    return Edit(
        annotation=candidate.annotation.stamp,
        at=len(text),
        text=candidate.text,
        finding=candidate.finding,
    )
