"""A detector's status is what its numbers say, here and in the library that ships."""

import shutil
from pathlib import Path

import pytest

from promptfix.errors import LibraryError
from promptfix.evidence import beats_lookup, doubts, earned, reasons
from promptfix.formats import Status
from promptfix.library import check, load
from promptfix.measures import (
    Bound,
    Count,
    Falsification,
    Injection,
    Measurement,
    Null,
    Outcomes,
    Paraphrase,
    Source,
    Tally,
)

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = load(ROOT / "detectors", ROOT / "annotations")
CASES = Tally(fire=Count(n=6, fired=4), quiet=Count(n=6, fired=0), fired={})


def _outcomes(repaired, harmed, annotated=50, prompts=2000):
    return Outcomes(prompts=prompts, annotated=annotated, repaired=repaired, harmed=harmed)


def _injection(effect, p_value=0.001):
    return Injection(
        grams=1, strategy="append", prompts=50, fired=0, effect=effect, p_value=p_value
    )


def _tried(**changes):
    usual = {
        "injections": (_injection(0.1),),
        "paraphrase": Paraphrase(prompts=10, kept=8),
        "lookup": _outcomes(20, 15, 300),
    }
    return Falsification(**(usual | changes))


def _measurement(**changes):
    usual = {
        "detector": "a-b@1",
        "lens": "fake",
        "annotation": "a@1",
        "calibration": _outcomes(20, 1),
        "harm": Bound(at_most=0.003, confidence=0.95),
        "null": Null(runs=39, found=4, matched=0),
        "falsification": _tried(),
        "source": Source(command="a test", data={}, seeds=(0,)),
    }
    return Measurement(**(usual | changes))


def test_a_detector_that_survives_everything_is_trusted():
    """Repairs, bounded harm, a null that matches nothing, quiet under injection, cases passed."""
    assert earned(_measurement(), CASES, lexical=False) is Status.trusted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"calibration": _outcomes(2, 0)}, "too few repairs"),
        ({"calibration": _outcomes(40, 14, 60)}, "harm is not bounded"),
        ({"null": Null(runs=39, found=9, matched=2)}, "shuffled outcomes"),
    ],
)
def test_doubts_keep_a_detector_experimental(changes, reason):
    """Each doubt alone is enough, and is named."""
    measurement = _measurement(**changes)
    assert earned(measurement, CASES, lexical=False) is Status.experimental
    assert any(reason in doubt for doubt in doubts(measurement, CASES))


def test_failed_cases_keep_a_detector_experimental():
    """Firing more often where it should be quiet speaks against any number."""
    failed = Tally(fire=Count(n=6, fired=1), quiet=Count(n=6, fired=3), fired={})
    assert earned(_measurement(), failed, lexical=False) is Status.experimental


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"falsification": None}, "never tried to falsify"),
        ({"null": None}, "never held against shuffled outcomes"),
        ({"falsification": _tried(injections=(_injection(0.9),))}, "top tokens"),
        ({"falsification": _tried(injections=())}, "no tokens were injected"),
        ({"falsification": _tried(paraphrase=Paraphrase(prompts=10, kept=4))}, "other words"),
        ({"falsification": _tried(paraphrase=None)}, "no paraphrase"),
        ({"falsification": _tried(lookup=_outcomes(40, 2, 200))}, "wherever the note"),
    ],
)
def test_what_did_not_survive_stays_measured(changes, reason):
    """A detector that is not broken in each way is not trusted, and the reason is named."""
    measurement = _measurement(**changes)
    assert earned(measurement, CASES, lexical=False) is Status.measured
    assert any(reason in why for why in reasons(measurement, CASES, lexical=False))


def test_a_strong_but_insignificant_injection_does_not_break_a_detector():
    """An effect counts only if it is more than chance."""
    tried = _tried(injections=(_injection(2.0, p_value=0.2),))
    assert earned(_measurement(falsification=tried), CASES, lexical=False) is Status.trusted


def test_a_lexical_detector_has_to_stay_quiet_on_all_its_minimal_pairs():
    """Token injection says nothing against it; a quiet case that it fires on does."""
    measurement = _measurement(falsification=_tried(injections=(), paraphrase=None))
    assert earned(measurement, CASES, lexical=True) is Status.trusted
    loud = Tally(fire=Count(n=6, fired=4), quiet=Count(n=6, fired=1), fired={})
    assert earned(measurement, loud, lexical=True) is Status.measured


def test_the_lookup_rule_is_beaten_by_more_repairs_or_by_being_inadmissible():
    """A rule that harms too much is no rival; one that repairs more is."""
    assert beats_lookup(_tried(lookup=_outcomes(60, 30, 400)), _outcomes(5, 0))
    assert beats_lookup(_tried(lookup=_outcomes(10, 1, 400)), _outcomes(12, 1))
    assert not beats_lookup(_tried(lookup=_outcomes(12, 1, 400)), _outcomes(12, 1))


def test_a_harm_weighs_four_repairs_where_a_detector_is_held_against_its_lookup_rule():
    """Three more repairs do not pay for one more harm, five do."""
    assert beats_lookup(_tried(lookup=_outcomes(15, 2, 400)), _outcomes(12, 1))
    assert not beats_lookup(_tried(lookup=_outcomes(17, 2, 400)), _outcomes(12, 1))


@pytest.mark.parametrize("detector", LIBRARY.detectors, ids=lambda d: d.id)
def test_the_statuses_that_ship_are_those_of_the_numbers(detector):
    """Every detector has the status that its measurement and its cases earn."""
    recording = LIBRARY.recordings.get((detector.misunderstanding, detector.lens))
    cases = recording.detectors.get(detector.stamp) if recording else None
    measurement = LIBRARY.measurements[detector.id]
    lexical = detector.scope == "lexical"
    assert detector.status is earned(measurement, cases, lexical=lexical)


@pytest.mark.parametrize("measurement", LIBRARY.measurements.values(), ids=lambda m: m.detector)
def test_the_bounds_that_ship_are_those_of_the_counts(measurement):
    """The bound on harm is recomputed from the counts."""
    from promptfix.evidence import CONFIDENCE, harm_bound

    seen = measurement.calibration
    bound = harm_bound(seen.harmed, seen.prompts)
    assert measurement.harm.confidence == CONFIDENCE
    assert measurement.harm.at_most == pytest.approx(bound, abs=1e-6)


@pytest.fixture
def copied(tmp_path):
    """A copy of the library, to spoil."""
    for name in ("detectors", "annotations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("earned", "claimed"),
    [(Status.measured, Status.trusted), (Status.experimental, Status.measured)],
)
def test_a_status_that_the_numbers_do_not_earn_is_a_problem(copied, earned, claimed):
    """`promptfix check` names a detector that calls itself more than it is."""
    detector = next(d for d in LIBRARY.detectors if d.status is earned)
    file = copied / "detectors" / detector.misunderstanding / f"{detector.id}.json"
    file.write_text(file.read_text().replace(f'"{earned.value}"', f'"{claimed.value}"'))
    with pytest.raises(LibraryError, match=f"{claimed.value}, but"):
        check(copied / "detectors", copied / "annotations")


def test_a_note_that_a_detector_was_not_measured_with_is_a_problem(copied):
    """Without its figures another note of the kind would be made, and nothing would say so."""
    (file,) = (copied / "annotations/measured").glob("unit-word-statement.*.json")
    file.unlink()
    with pytest.raises(LibraryError, match="measured with the note unit-word-statement@1"):
        check(copied / "detectors", copied / "annotations")
