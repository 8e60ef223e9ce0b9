"""Does an answer do what a note in its prompt says? Pure: the sums it shows, against the note.

A note that the model takes for something else leads it astray: many of the answers that notes turn
wrong do something else than the note says, and fewer of those that they turn right. The answer to
the prompt as it came is the better one then (eval/LOG.md, 27 November: counts by kind of note).
"""

from collections.abc import Mapping

from promptfix.formats import Annotation
from promptfix.library import Library
from promptfix.records import Repair
from promptfix.slots import SHOWN
from promptfix.slots.shown import sums


def strays(repair: Repair, answer: str, library: Library) -> bool:
    """Say whether an answer to the repaired prompt does something else than one of its notes says.

    False where that cannot be told: the answer shows no sum, or the note asks for none.
    """
    known = {annotation.stamp: annotation for annotation in library.annotations}
    for edit in repair.edits:
        annotation = known[edit.annotation]
        slots = library.fill(annotation, repair.original.text, edit.finding.span)
        if slots is not None and follows(annotation, slots, answer) is False:
            return True
    return False


def checkable(repair: Repair, library: Library) -> bool:
    """Say whether any note of a repair is one that an answer can be held against."""
    stamps = {edit.annotation for edit in repair.edits}
    return any(a.filler in SHOWN for a in library.annotations if a.stamp in stamps)


def follows(annotation: Annotation, slots: Mapping[str, str], answer: str) -> bool | None:
    """Say whether an answer does what a note says, in sums that come out; None if none can tell."""
    shown, found = SHOWN.get(annotation.filler), sums(answer)
    if shown is None or not found:
        return None
    told = shown(slots, found)
    return told if told is None else told and all(one.comes_out for one in found)
