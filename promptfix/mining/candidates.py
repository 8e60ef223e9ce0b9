"""For every annotation the rule that says where it repairs; of these, what the budget allows.

Three kinds of rows occur: *items* are all that were loaded; *held* those of them on which
thresholds are set, no variants among them, which scores and uplifts of a candidate are of; and a
`Half` has those from which a rule can learn where its note helps: see halves.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from promptfix.evidence import HARM_BUDGET, matched
from promptfix.formats import Annotation
from promptfix.measures import Null, Outcomes, Selection
from promptfix.mining.calibration import (
    Calibrated,
    Floats,
    Int8s,
    calibrate,
    cautious,
    count,
    served,
)
from promptfix.mining.halves import Sample
from promptfix.mining.outcomes import Bools
from promptfix.mining.search import Half, Search
from promptfix.mining.selection import Choice, Ints, Values, folds_of
from promptfix.tasks import Task

WORD_SHARE = 0.25
"""What a rule about the word has to predict of what one about the whole text does, to be taken."""


@dataclass(frozen=True)
class Candidate:
    """A rule for one misunderstanding, with what it did on the calibration half."""

    annotation: Annotation
    lexical: bool
    """Whether the rule is applied to words rather than to the text."""
    choice: Choice
    calibrated: Calibrated
    scores: Floats
    """[items of the calibration half]; -inf where the note cannot be made."""
    uplift: Int8s
    """[items of the calibration half]: that of the annotation."""
    selection: Selection
    null: Null | None = None

    @property
    def fired(self) -> Bools:
        """[items of the calibration half]."""
        return self.scores >= self.calibrated.threshold

    @property
    def lookup(self) -> Outcomes:
        """What annotating does wherever the note can be made, on the calibration half."""
        made = count(self.scores, self.uplift, -1e300, len(self.scores))
        return counted(made)

    @property
    def rank(self) -> tuple[float, str]:
        """The order in which notes are served when there is room for one: see rewriting.py."""
        return -self.calibrated.net / max(self.calibrated.annotated, 1), self.annotation.id


def counted(seen: Calibrated) -> Outcomes:
    """The same in the form of the files."""
    return Outcomes(
        prompts=seen.prompts,
        annotated=seen.annotated,
        repaired=seen.repaired,
        harmed=seen.harmed,
    )


@dataclass(frozen=True)
class Found:
    """What the search for a task came to."""

    kept: tuple[Candidate, ...]
    together: Outcomes
    """All of them, one note for a prompt."""
    report: dict[str, Any]
    """Per annotation: what was found, what the null found, and why it was dropped."""


def candidates(sample: Sample, task: Task, runs: int, log: Callable[[str], object]) -> Found:
    """The best rule for each misunderstanding, as far as the harm budget of the library reaches.

    Of several annotations the one whose rule does best on the selection half is taken. `runs`
    times the search is run again on shuffled outcomes; a rule that these match is dropped.
    """
    report: dict[str, Any] = {}
    best: dict[str, Candidate] = {}
    for annotation in (a for a in sample.annotations if a.task == task):
        candidate, told = _candidate(sample, annotation, task, runs)
        report[annotation.id] = told
        log(f"{annotation.id}: {_summary(told)}")
        known = best.get(annotation.misunderstanding)
        if candidate and (known is None or _promise(candidate) > _promise(known)):
            best[annotation.misunderstanding] = candidate
    held = np.flatnonzero(sample.calibration(task))
    folds = folds_of([sample.items[i].group for i in held.tolist()])
    return _settled(list(best.values()), folds, sample.written[held], report)


def _promise(candidate: Candidate) -> tuple[int, float]:
    """How much an annotation brings on the selection half, and how well its rule tells where."""
    selection = candidate.selection
    return selection.repaired - selection.harmed, selection.gain


def _candidate(
    sample: Sample, annotation: Annotation, task: Task, runs: int
) -> tuple[Candidate | None, dict[str, Any]]:
    """The rule for one annotation, if one repairs more than it harms; and what was seen."""
    forms = [(False, sample.features, sample.answered.fillable[annotation.id])]
    if annotation.id in sample.words:
        pointed = sample.answered.pointed[annotation.id]
        forms.append((True, sample.words[annotation.id], pointed))
    told = _counts(sample, annotation, sample.of_task(task) & sample.original)
    found: list[tuple[Candidate, Search, Half]] = []
    for lexical, x, can in forms:
        made = _in_form(sample, annotation, task, lexical=lexical, x=x, can=can)
        found += [made] if made else []
    if not found:
        return None, told | {"dropped": "no rule repairs more than it harms"}
    found.sort(key=lambda one: one[0].selection.gain, reverse=True)
    # A rule about the word says where the trouble is, so it goes first unless it hardly knows.
    least = WORD_SHARE * found[0][0].selection.gain
    found.sort(key=lambda one: one[0].lexical and one[0].selection.gain >= least, reverse=True)
    candidate, null = _held_against(found[0], runs, sample.seed)
    if matched(null) and candidate.lexical and found[1:]:
        # Shuffled outcomes know where a word stands as well; of the prompt they may know less.
        candidate, null = _held_against(found[1], runs, sample.seed)
    told |= {"calibration": counted(candidate.calibrated).model_dump(), "null": null.model_dump()}
    told |= {"gain": candidate.choice.gain, "lexical": candidate.lexical}
    told |= {"columns": candidate.choice.columns, "conflict": candidate.choice.conflict}
    if matched(null):
        return None, told | {"dropped": "shuffled outcomes give as good a rule"}
    return replace(candidate, null=null), told


def _held_against(
    found: tuple[Candidate, Search, Half], runs: int, seed: int
) -> tuple[Candidate, Null]:
    """A rule, and what the search for it finds in shuffled outcomes."""
    candidate, search, held = found
    return candidate, search.null(held, candidate.choice, runs, seed)


def _in_form(
    sample: Sample,
    annotation: Annotation,
    task: Task,
    *,
    lexical: bool,
    x: Values,
    can: Bools,
) -> tuple[Candidate, Search, Half] | None:
    """The rule for an annotation over these columns x [items, columns].

    It learns from prompts that the note can be made for, since a detector speaks of no others:
    see rewriting.py.
    """
    held, rows = sample.held(task), np.flatnonzero(sample.calibration(task))
    half = sample.half(x, sample.of_task(task) & ~held & can, annotation.id)
    if not len(half.groups) or not can[rows].any():
        return None
    search = Search(half, paired=not lexical)
    choice = search.best()
    if choice is None:
        return None
    uplift = np.where(can, sample.answered.uplift(annotation.id), 0)[rows].astype(np.int8)
    scores = np.where(can[rows], choice.scores(x[rows]), -np.inf)
    calibrated = calibrate(scores[can[rows]], uplift[can[rows]], len(rows), HARM_BUDGET)
    if calibrated is None:
        return None
    selection = Selection(
        prompts=len(half.groups),
        repaired=int((half.uplift > 0).sum()),
        harmed=int((half.uplift < 0).sum()),
        gain=round(choice.gain, 4),
        screened=choice.screened,
    )
    found = Candidate(annotation, lexical, choice, calibrated, scores, uplift, selection)
    return found, search, sample.half(x, held & can, annotation.id)


def _settled(
    found: Sequence[Candidate], folds: Ints, written: Bools, report: dict[str, Any]
) -> Found:
    """Set all thresholds anew, so that the library as a whole keeps the budget.

    Args:
        found: The rules, one for a misunderstanding.
        folds: [items of the calibration half].
        written: [items of the calibration half] those that people wrote.
        report: Told there what is dropped.
    """
    prompts = len(written)
    kept = sorted(found, key=lambda c: c.rank)
    for _ in range(5):
        if not kept:
            break
        scores, uplift = _stacked(kept)
        at = cautious(scores, uplift, HARM_BUDGET, folds, written)
        changed = [
            replace(c, calibrated=count(c.scores, c.uplift, value, prompts))
            for c, value in zip(kept, at, strict=True)
            if value is not None
        ]
        again = sorted(changed, key=lambda c: c.rank)
        if [c.annotation.id for c in again] == [c.annotation.id for c in kept]:
            kept = again
            break
        kept = again
    for candidate in found:
        if candidate.annotation.id not in {c.annotation.id for c in kept}:
            report[candidate.annotation.id]["dropped"] = "the library is better without it"
    return Found(tuple(kept), _library(kept, prompts), report)


def _library(kept: Sequence[Candidate], prompts: int) -> Outcomes:
    if not kept:
        return Outcomes(prompts=max(prompts, 1), annotated=0, repaired=0, harmed=0)
    scores, uplift = _stacked(kept)
    at = [c.calibrated.threshold for c in kept]
    repaired, harmed = served(scores, uplift, at)
    annotated = int((scores >= np.array(at)[:, None]).any(0).sum())
    return Outcomes(prompts=prompts, annotated=annotated, repaired=repaired, harmed=harmed)


def _stacked(found: Sequence[Candidate]) -> tuple[Floats, Int8s]:
    return np.stack([c.scores for c in found]), np.stack([c.uplift for c in found])


def census(sample: Sample, task: Task) -> dict[str, Any]:
    """What goes wrong, and which annotation turns it right: counts over a task's items."""
    answered, mine = sample.answered, sample.of_task(task) & sample.original
    best = answered.plain | np.any([answered.noted[a.id] for a in sample.annotations], axis=0)
    rows: dict[str, Any] = {
        "items": int(mine.sum()),
        "right": int(answered.plain[mine].sum()),
        "right_with_the_best_note": int(best[mine].sum()),
    }
    for annotation in (a for a in sample.annotations if a.task == task):
        rows[annotation.id] = _counts(sample, annotation, mine)
    return rows


def _counts(sample: Sample, annotation: Annotation, mine: Bools) -> dict[str, Any]:
    answered = sample.answered
    fillable = (answered.fillable[annotation.id] | answered.pointed[annotation.id]) & mine
    uplift = answered.uplift(annotation.id)[fillable]
    return {
        "misunderstanding": annotation.misunderstanding,
        "fillable": int(fillable.sum()),
        "wrong": int((fillable & ~answered.plain).sum()),
        "repaired": int((uplift > 0).sum()),
        "harmed": int((uplift < 0).sum()),
    }


def _summary(told: dict[str, Any]) -> str:
    text = f"fills {told['fillable']}, repairs {told['repaired']}, harms {told['harmed']}"
    if (seen := told.get("calibration")) is not None:
        null = told["null"]
        text += (
            f"; {len(told['columns'])} features{' in conflict' * told['conflict']}, gain "
            f"{told['gain']:.1f} nats; calibration: fires {seen['annotated']}, repairs "
            f"{seen['repaired']}, harms {seen['harmed']}; null: {null['found']} of {null['runs']} "
            f"runs find one, {null['matched']} as good"
        )
    return f"{text}; dropped: {told['dropped']}" if "dropped" in told else text
