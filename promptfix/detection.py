"""Reading + rules -> findings. Pure: it knows nothing of models, files or annotations.

Rules are laid out once as flat arrays with one entry per term. A reading then touches only the
terms whose feature fired somewhere, so that ten thousand quiet detectors cost next to nothing.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from promptfix.formats import Condition, Detector, Term, Weighted
from promptfix.records import (
    Check,
    Edit,
    Evidence,
    Finding,
    NearMiss,
    Reading,
    Repair,
    Span,
    Verification,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]

WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
"""What counts as one word where a rule is applied word by word."""


class Detection(NamedTuple):
    """What the detectors say about a reading, strongest first."""

    findings: tuple[Finding, ...]
    near_misses: tuple[NearMiss, ...]


@dataclass(frozen=True)
class _Units:
    """Activations gathered by unit: the words of a text, or one unit for all of it."""

    spans: Sequence[Span | None]
    """None for the text as a whole."""
    user: Floats
    """[units, features]: the largest activation on the user tokens of the unit."""
    where: dict[tuple[int, int], Span | None]
    """(unit, feature) -> the token where that was."""
    readout: Floats
    """[features]."""


class _Hit(NamedTuple):
    """The score of one detector on one unit; `share` is 0 in silence and 1 at the threshold."""

    detector: Detector
    units: _Units
    unit: int
    score: float
    threshold: float
    share: float


class _Rules:
    """Detectors that look at the same units. `owner`, `column` ... are by term, in their order."""

    def __init__(self, detectors: Sequence[Detector], features: Ints) -> None:
        parts = [(owner, part) for owner, det in enumerate(detectors) for part in det.parts]
        numbers = np.array([part.feature for _, part in parts], dtype=np.intp)
        self.detectors = detectors
        self.owner: Ints = np.array([owner for owner, _ in parts], dtype=np.intp)
        self.column: Ints = np.searchsorted(features, numbers)
        self.at_user: Bools = np.array([part.at == "user" for _, part in parts], dtype=np.bool_)
        self.factor: Floats = np.array([_factor(part) for _, part in parts], dtype=np.float64)
        self.size: Ints = np.bincount(self.owner, minlength=len(detectors))
        self.bias: Floats = np.array([_bias(det) for det in detectors], dtype=np.float64)
        self.threshold: Floats = np.array([_threshold(d) for d in detectors], dtype=np.float64)
        self.summed: Bools = np.array(
            [isinstance(det.rule, Weighted) for det in detectors], dtype=np.bool_
        )

    def hits(self, units: _Units, near: int) -> tuple[list[_Hit], list[_Hit]]:
        """All that fires, and the `near` detectors that came closest without firing."""
        touched, scores = self.scores(units)
        if not scores.size:
            return [], []
        threshold, bias = self.threshold[touched], self.bias[touched]
        shares = (scores - bias) / (threshold - bias)

        def hit(unit: int, index: int) -> _Hit:
            score, share = float(scores[unit, index]), float(shares[unit, index])
            detector = self.detectors[int(touched[index])]
            return _Hit(detector, units, unit, score, float(threshold[index]), share)

        fires = scores >= threshold
        quiet = np.flatnonzero(~fires.any(axis=0))
        best = shares.argmax(axis=0)
        closest = quiet[np.argsort(-shares.max(axis=0)[quiet], kind="stable")[:near]]
        return (
            [hit(int(unit), int(index)) for unit, index in np.argwhere(fires)],
            [hit(int(best[index]), int(index)) for index in closest],
        )

    def scores(self, units: _Units) -> tuple[Ints, Floats]:
        """The detectors that have a live term, and their scores: [units, those detectors]."""
        fires: Bools = np.any(units.user != 0, axis=0)
        ends: Bools = units.readout != 0
        live = np.flatnonzero(np.where(self.at_user, fires[self.column], ends[self.column]))
        touched, owner = np.unique(self.owner[live], return_inverse=True)
        column = self.column[live]
        values = np.where(self.at_user[live], units.user[:, column], units.readout[column])
        values = values * self.factor[live]
        sums = np.tile(self.bias[touched], (len(values), 1))
        least = np.full(sums.shape, np.inf)
        np.add.at(sums.T, owner, values.T)
        np.minimum.at(least.T, owner, values.T)
        least[:, np.bincount(owner, minlength=len(touched)) < self.size[touched]] = 0.0
        return touched, np.where(self.summed[touched], sums, least)


class Ruleset:
    """Detectors of one lens, laid out for matching. Immutable; share it between threads."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        ordered = sorted(detectors, key=lambda detector: detector.id)
        numbers = {feature for detector in ordered for feature in detector.features}
        self.features: Ints = np.array(sorted(numbers), dtype=np.intp)
        """The features that any rule looks at, in rising order."""
        self._column = {int(feature): at for at, feature in enumerate(self.features)}
        self._by_word = _Rules([det for det in ordered if det.by_word], self.features)
        self._by_text = _Rules([det for det in ordered if not det.by_word], self.features)

    def detect(self, reading: Reading, *, near: int = 3) -> Detection:
        """Match every rule; of those that do not fire, name the `near` that came closest."""
        fired, missed = self._by_word.hits(self._units(reading, _words(reading)), near)
        more = self._by_text.hits(self._units(reading, [None]), near)
        fired, missed = fired + more[0], missed + more[1]
        findings = [Finding.model_validate(self._account(hit)) for hit in fired]
        missed.sort(key=lambda hit: (-hit.share, hit.detector.id))
        return Detection(
            tuple(sorted(findings, key=_order)),
            tuple(self._near_miss(hit) for hit in missed[:near]),
        )

    def score(self, reading: Reading) -> dict[str, float]:
        """The score, by `id@version`, of every detector that looks at the read-out."""
        rules = self._by_text
        touched, scores = rules.scores(self._units(reading, [None]))
        known = {int(owner): float(score) for owner, score in zip(touched, scores[0], strict=True)}
        return {
            detector.stamp: known.get(owner, _bias(detector))
            for owner, detector in enumerate(rules.detectors)
            if detector.reads_out
        }

    def _units(self, reading: Reading, spans: Sequence[Span | None]) -> _Units:
        """Gather the activations of a reading by unit."""
        user = np.zeros((len(spans), len(self.features)))
        readout = np.zeros(len(self.features))
        where: dict[tuple[int, int], Span | None] = {}
        places = {token.position: token.span for token in reading.tokens}
        ends = [span.end for span in spans if span is not None]
        for act in reading.activations:
            column, place = self._column.get(act.feature), places[act.position]
            if column is None:
                continue
            if place is None:
                readout[column] = act.value
                continue
            unit = bisect_right(ends, place.start)
            if _overlap(spans, unit, place) and act.value > user[unit, column]:
                user[unit, column] = act.value
                where[unit, column] = place
        return _Units(spans, user, where, readout)

    def _account(self, hit: _Hit) -> dict[str, object]:
        """The fields that findings and near misses share."""
        return {
            "detector": hit.detector.stamp,
            "misunderstanding": hit.detector.misunderstanding,
            "span": hit.units.spans[hit.unit],
            "score": hit.score,
            "threshold": hit.threshold,
            "evidence": tuple(self._evidence(part, hit) for part in hit.detector.parts),
        }

    def _near_miss(self, hit: _Hit) -> NearMiss:
        lacking = hit.threshold - hit.score
        return NearMiss.model_validate({"lacking": lacking, **self._account(hit)})

    def _evidence(self, part: Term | Condition, hit: _Hit) -> Evidence:
        column, on_words = self._column[part.feature], part.at == "user"
        values = hit.units.user[hit.unit] if on_words else hit.units.readout
        return Evidence(
            feature=part.feature,
            at=part.at,
            value=float(values[column]),
            span=hit.units.where.get((hit.unit, column)) if on_words else None,
            meaning=hit.detector.readings[str(part.feature)],
        )


def detect(reading: Reading, rules: Ruleset, *, near: int = 3) -> Detection:
    """Say which known misunderstandings a reading matches, and which came close."""
    return rules.detect(reading, near=near)


def verify(repair: Repair, after: Reading, rules: Ruleset) -> Verification:
    """Compare the findings that were edited for with a reading of the repaired prompt.

    In a causal model nothing before an edit can change, so only rules that look at the read-out
    can be compared; the notes' own words do not count.
    """
    scores = rules.score(_without(after, repair.edits))
    checks = tuple(
        Check(
            detector=edit.finding.detector,
            threshold=edit.finding.threshold,
            before=edit.finding.score,
            after=scores.get(edit.finding.detector),
        )
        for edit in repair.edits
    )
    compared = [check.after < check.threshold for check in checks if check.after is not None]
    return Verification(verified=all(compared) if compared else None, checks=checks)


def _without(reading: Reading, edits: Sequence[Edit]) -> Reading:
    """Forget what was read on tokens that lie inside inserted text."""
    inserted: list[tuple[int, int]] = []
    shift = 0
    for edit in edits:
        start = edit.at + shift
        inserted.append((start, start + len(edit.text)))
        shift += len(edit.text)
    gone = {
        token.position
        for token in reading.tokens
        if token.span and any(s <= token.span.start < e for s, e in inserted)
    }
    kept = tuple(act for act in reading.activations if act.position not in gone)
    return reading.model_copy(update={"activations": kept})


def _factor(part: Term | Condition) -> float:
    return part.weight if isinstance(part, Term) else 1.0 / part.at_least


def _bias(detector: Detector) -> float:
    return detector.rule.bias if isinstance(detector.rule, Weighted) else 0.0


def _threshold(detector: Detector) -> float:
    return detector.rule.threshold if isinstance(detector.rule, Weighted) else 1.0


def _order(finding: Finding) -> tuple[float, str, int]:
    start = finding.span.start if finding.span else -1
    return (finding.threshold - finding.score, finding.detector, start)


def _words(reading: Reading) -> list[Span]:
    words = WORD.finditer(reading.prompt.text)
    return [Span(start=word.start(), end=word.end()) for word in words]


def _overlap(spans: Sequence[Span | None], unit: int, place: Span) -> bool:
    """Whether a token shares a character with the unit; all of them do with the whole text."""
    if unit >= len(spans):
        return False
    span = spans[unit]
    return span is None or span.start < place.end
