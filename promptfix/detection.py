"""Reading + rules -> findings. Pure: it knows nothing of models, files or annotations.

Rules are laid out once as flat arrays with one entry per term. A reading then touches only the
terms whose feature fired somewhere, so that ten thousand quiet detectors cost next to nothing.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, nextafter
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
    """Activations gathered by unit: the words of a text, or one unit for all of it.

    One entry for each feature that fires in a unit, in rising order of `keys`.
    """

    spans: Sequence[Span | None]
    """None for the text as a whole."""
    keys: Ints
    """unit * number of features + column."""
    values: Floats
    """The largest activation on the user tokens of the unit."""
    where: Sequence[Span]
    """The token where that was."""
    readout: Floats
    """[features]."""

    def peak(self, unit: int, column: int) -> tuple[float, Span | None]:
        """How strong a feature is in a unit, and on which token."""
        key = unit * len(self.readout) + column
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            return 0.0, None
        return float(self.values[at]), self.where[at]


class _Seen(NamedTuple):
    """Activations as columns, one entry each."""

    reading: Reading
    column: Ints
    """Index into the features that any rule looks at."""
    position: Ints
    value: Floats


class _Hit(NamedTuple):
    """The score of one detector on one unit; `share` is 0 in silence and 1 at the threshold."""

    detector: Detector
    units: _Units
    unit: int
    score: float
    threshold: float
    share: float


class _Terms:
    """Terms that look at the same place, findable by feature."""

    def __init__(self, column: Ints, owner: Ints, factor: Floats, features: int) -> None:
        order = np.argsort(column, kind="stable")
        self._owner, self._factor = owner[order], factor[order]
        self._first: Ints = np.searchsorted(column[order], np.arange(features + 1))

    def live(self, column: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
        """The terms of features that fire: index into `column`, owner, factor * value."""
        first, after = self._first[column], self._first[column + 1]
        source = np.repeat(np.arange(len(column)), after - first)
        before = np.cumsum(after - first) - (after - first)
        term = np.arange(len(source)) - before[source] + first[source]
        return source, self._owner[term], self._factor[term] * values[source]


class _Scores(NamedTuple):
    """The scores of the detectors that have a live term, unit by unit."""

    unit: Ints
    owner: Ints
    score: Floats


class _Rules:
    """Detectors that look at the same units. `size`, `bias` ... are by detector."""

    def __init__(self, detectors: Sequence[Detector], features: Ints) -> None:
        parts = [(owner, part) for owner, det in enumerate(detectors) for part in det.parts]
        numbers = np.array([part.feature for _, part in parts], dtype=np.intp)
        owner: Ints = np.array([owner for owner, _ in parts], dtype=np.intp)
        column: Ints = np.searchsorted(features, numbers)
        factor: Floats = np.array([_factor(part) for _, part in parts], dtype=np.float64)
        user: Bools = np.array([part.at == "user" for _, part in parts], dtype=np.bool_)
        self.detectors = detectors
        self._user = _Terms(column[user], owner[user], factor[user], len(features))
        self._readout = _Terms(column[~user], owner[~user], factor[~user], len(features))
        self.size: Ints = np.bincount(owner, minlength=len(detectors))
        self.bias: Floats = np.array([_bias(det) for det in detectors], dtype=np.float64)
        self.threshold: Floats = np.array([_threshold(d) for d in detectors], dtype=np.float64)
        self.summed: Bools = np.array(
            [isinstance(det.rule, Weighted) for det in detectors], dtype=np.bool_
        )

    def hits(self, units: _Units, near: int) -> tuple[list[_Hit], list[_Hit]]:
        """All that fires, and the `near` detectors that came closest without firing."""
        unit, owner, score = self.scores(units)
        if not len(score):
            return [], []
        threshold, bias = self.threshold[owner], self.bias[owner]
        shares = (score - bias) / (threshold - bias)
        fires = score >= threshold

        def hit(at: int) -> _Hit:
            detector, line = self.detectors[int(owner[at])], float(threshold[at])
            return _Hit(detector, units, int(unit[at]), float(score[at]), line, float(shares[at]))

        quiet = np.flatnonzero(~np.isin(owner, owner[fires]))
        # By falling share; units are in order already, and stay so where shares are alike.
        falling = quiet[np.argsort(-shares[quiet], kind="stable")]
        closest: dict[int, int] = {}
        for at in falling:
            if len(closest) == near:
                break
            closest.setdefault(int(owner[at]), int(at))
        return [hit(int(at)) for at in np.flatnonzero(fires)], [hit(at) for at in closest.values()]

    def scores(self, units: _Units) -> _Scores:
        """Score the detectors that have a live term.

        Unit and detector are made one number, so that sorting brings together what is to be added
        up: with two detectors, the terms of detector 1 in unit 3 have the key 3 * 2 + 1 = 7.
        """
        width, count = len(units.readout), len(self.detectors)
        source, owner, value = self._user.live(units.keys % max(width, 1), units.values)
        key = (units.keys // max(width, 1))[source] * count + owner
        fires = np.flatnonzero(units.readout)
        # Rules that look at the read-out have one unit, the whole text.
        _, ends, more = self._readout.live(fires, units.readout[fires])
        key, value = np.concatenate([key, ends]), np.concatenate([value, more])
        if not len(key):
            return _Scores(key, key, value)
        order = np.argsort(key, kind="stable")
        pairs, first = np.unique(key[order], return_index=True)
        unit, owner = np.divmod(pairs, count)
        sums = np.add.reduceat(value[order], first) + self.bias[owner]
        least = np.minimum.reduceat(value[order], first)
        least[np.diff(first, append=len(order)) < self.size[owner]] = 0.0
        return _Scores(unit, owner, np.where(self.summed[owner], sums, least))


class Ruleset:
    """Detectors of one lens, laid out for matching. Immutable; share it between threads."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        ordered = sorted(detectors, key=lambda detector: detector.id)
        numbers = {feature for detector in ordered for feature in detector.features}
        self.features: Ints = np.array(sorted(numbers), dtype=np.intp)
        """The features that any rule looks at, in rising order."""
        self._column = {int(feature): at for at, feature in enumerate(self.features)}
        # Feature -> column, -1 for those that no rule looks at, as is the one after the last.
        self._columns: Ints = np.full(max(numbers, default=-1) + 2, -1, dtype=np.intp)
        self._columns[self.features] = np.arange(len(self.features))
        self._by_word = _Rules([det for det in ordered if det.by_word], self.features)
        self._by_text = _Rules([det for det in ordered if not det.by_word], self.features)

    def detect(self, reading: Reading, *, near: int = 3) -> Detection:
        """Match every rule; of those that do not fire, name the `near` that came closest."""
        seen = self._seen(reading)
        fired, missed = self._by_word.hits(self._units(seen, _words(reading)), near)
        more = self._by_text.hits(self._units(seen, [None]), near)
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
        _, owners, scores = rules.scores(self._units(self._seen(reading), [None]))
        known = dict(zip(owners.tolist(), scores.tolist(), strict=True))
        return {
            detector.stamp: known.get(owner, _bias(detector))
            for owner, detector in enumerate(rules.detectors)
            if detector.reads_out
        }

    def _seen(self, reading: Reading) -> _Seen:
        """Lay out the activations of the features that any rule looks at."""
        acts = reading.activations[::-1]  # so that of equals the earliest comes last
        feature = np.array([act.feature for act in acts], dtype=np.intp)
        position = np.array([act.position for act in acts], dtype=np.intp)
        value = np.array([act.value for act in acts], dtype=np.float64)
        column = self._columns.take(feature, mode="clip")
        known = np.flatnonzero(column >= 0)
        return _Seen(reading, column[known], position[known], value[known])

    def _units(self, seen: _Seen, spans: Sequence[Span | None]) -> _Units:
        """Gather activations by unit."""
        reading, column, position, value = seen
        width = len(self.features)
        readout = np.zeros(width)
        last = position == reading.readout
        readout[column[last]] = value[last]
        unit = self._unit_of(reading, spans)[position]
        inside = np.flatnonzero(unit >= 0)
        key, position, value = (
            unit[inside] * width + column[inside],
            position[inside],
            value[inside],
        )
        # By key, and of those alike the strongest last, at the earliest token.
        order = np.lexsort((value, key))
        final = np.flatnonzero(np.diff(key[order], append=-1))
        best = order[final]
        places = {token.position: token.span for token in reading.tokens if token.span}
        where = [places[at] for at in position[best].tolist()]
        return _Units(spans, key[best], value[best], where, readout)

    def _unit_of(self, reading: Reading, spans: Sequence[Span | None]) -> Ints:
        """The unit of each position of the model's input; -1 where there is none."""
        units = np.full(reading.tokens[-1].position + 1, -1, dtype=np.intp)
        ends = [span.end for span in spans if span is not None]
        for token in reading.tokens:
            if token.span is not None:
                unit = bisect_right(ends, token.span.start)
                if _overlap(spans, unit, token.span):
                    units[token.position] = unit
        return units

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
        column = self._column[part.feature]
        if part.at == "user":
            value, span = hit.units.peak(hit.unit, column)
        else:
            value, span = float(hit.units.readout[column]), None
        return Evidence(
            feature=part.feature,
            at=part.at,
            value=value,
            span=span,
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
    if isinstance(part, Term):
        return part.weight
    factor = 1.0 / part.at_least
    # 1/49 * 49 is less than 1 in floating point, and 49 is at least 49.
    return factor if factor * part.at_least >= 1.0 else nextafter(factor, inf)


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
