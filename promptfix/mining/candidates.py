"""For every annotation the rule that says where it repairs; of these, what the budget allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from promptfix.formats import Annotation
from promptfix.mining.calibration import Calibrated, calibrate, harm_bound
from promptfix.mining.outcomes import Bools, Ints, Outcomes
from promptfix.mining.selection import Choice, choose, fold_of
from promptfix.tasks import Item, Task

HARM_BUDGET = 0.01
"""Upper bound on the share of all prompts of a task that the library may turn wrong."""


@dataclass(frozen=True)
class Candidate:
    """A rule for one misunderstanding, with what it did on the calibration half."""

    annotation: Annotation
    choice: Choice
    calibrated: Calibrated
    fired: Bools
    """[items of the calibration half]."""
    uplift: Ints
    """[items of the calibration half]: that of the annotation."""
    promise: int
    """Net uplift of the annotation on the selection half, wherever it can be made."""


@dataclass(frozen=True)
class Evidence:
    """All that is known of the items when rules are looked for."""

    items: Sequence[Item]
    annotations: Sequence[Annotation]
    outcomes: Outcomes
    features: npt.NDArray[np.float32]
    """[items, columns]."""

    def of_task(self, task: Task) -> Bools:
        """[items]: whether an item is of the task."""
        return np.array([item.task == task for item in self.items], dtype=np.bool_)

    def calibration(self, task: Task) -> Bools:
        """[items]: whether an item is in the task's calibration half, by the hash of its group."""
        half = [fold_of(item.group, 2, "calibration") == 1 for item in self.items]
        return self.of_task(task) & np.array(half, dtype=np.bool_)


def candidates(evidence: Evidence, task: Task, log: Callable[[str], object]) -> list[Candidate]:
    """The best rule for each misunderstanding, as far as the harm budget reaches.

    Of several annotations the one with the best net uplift on the selection half is taken.
    """
    calibration = evidence.calibration(task)
    selection = evidence.of_task(task) & ~calibration
    found: dict[str, Candidate] = {}
    for annotation in (a for a in evidence.annotations if a.task == task):
        candidate = _candidate(evidence, annotation, selection, calibration)
        log(_summary(evidence, annotation, selection, candidate))
        best = found.get(annotation.misunderstanding)
        if candidate and (best is None or candidate.promise > best.promise):
            found[annotation.misunderstanding] = candidate
    return _together(found.values(), int(calibration.sum()))


def census(evidence: Evidence, task: Task) -> dict[str, Any]:
    """What goes wrong, and which annotation turns it right: counts over a task's items."""
    outcomes, mine = evidence.outcomes, evidence.of_task(task)
    rows: dict[str, Any] = {"items": int(mine.sum()), "right": int(outcomes.plain[mine].sum())}
    for annotation in (a for a in evidence.annotations if a.task == task):
        fillable = outcomes.fillable[annotation.id] & mine
        uplift = outcomes.uplift(annotation.id)[fillable]
        rows[annotation.id] = {
            "misunderstanding": annotation.misunderstanding,
            "fillable": int(fillable.sum()),
            "wrong": int((fillable & ~outcomes.plain).sum()),
            "repaired": int((uplift > 0).sum()),
            "harmed": int((uplift < 0).sum()),
        }
    return rows


def _candidate(
    evidence: Evidence, annotation: Annotation, selection: Bools, calibration: Bools
) -> Candidate | None:
    """The rule for one annotation; None if none repairs more than it harms, within the budget."""
    fillable = evidence.outcomes.fillable[annotation.id]
    uplift = evidence.outcomes.uplift(annotation.id)
    chosen = np.flatnonzero(selection & fillable)
    if not len(chosen):
        return None
    groups = [evidence.items[i].group for i in chosen.tolist()]
    choice = choose(evidence.features[chosen], uplift[chosen] > 0, groups)
    if choice is None:
        return None
    prompts = int(calibration.sum())
    held = np.flatnonzero(calibration & fillable)
    scores = choice.scores(evidence.features[held])
    calibrated = calibrate(scores, uplift[held], prompts, HARM_BUDGET)
    if calibrated is None:
        return None
    fired = np.zeros(prompts, dtype=np.bool_)
    fired[np.searchsorted(np.flatnonzero(calibration), held)] = scores >= calibrated.threshold
    promise = int(uplift[chosen].sum())
    return Candidate(annotation, choice, calibrated, fired, uplift[calibration], promise)


def _together(found: Iterable[Candidate], prompts: int) -> list[Candidate]:
    """Keep candidates, best first, while the harm of all of them together stays in the budget."""
    kept: list[Candidate] = []
    harmed = np.zeros(prompts, dtype=np.bool_)
    for candidate in sorted(found, key=lambda c: c.calibrated.harmed - c.calibrated.repaired):
        joint = harmed | (candidate.fired & (candidate.uplift < 0))
        if harm_bound(int(joint.sum()), prompts) <= HARM_BUDGET:
            kept.append(candidate)
            harmed = joint
    return kept


def _summary(
    evidence: Evidence, annotation: Annotation, selection: Bools, candidate: Candidate | None
) -> str:
    here = evidence.outcomes.fillable[annotation.id] & selection
    uplift = evidence.outcomes.uplift(annotation.id)[here]
    text = (
        f"{annotation.id}: fills {here.sum()}, repairs {(uplift > 0).sum()}, "
        f"harms {(uplift < 0).sum()} (selection half)"
    )
    if candidate is None:
        return text
    c, choice = candidate.calibrated, candidate.choice
    return (
        f"{text}; {len(choice.columns)} features, gain {choice.gain:.1f} nats; calibration: "
        f"fires {c.annotated}, repairs {c.repaired}, harms {c.harmed}, p {c.p_value:.3g}"
    )
