"""Selection finds what is there, calibration keeps its budget, answers are asked once."""

import json

import numpy as np
import pytest

from promptfix.evidence import harm_bound
from promptfix.mining.calibration import calibrate, served, together
from promptfix.mining.conflicts import Pairs, conflict
from promptfix.mining.files import write_text
from promptfix.mining.outcomes import AnswerCache
from promptfix.mining.readings import _line
from promptfix.mining.search import Half, Search, settle
from promptfix.mining.selection import Choice, Screen, fold_of, folds_of, weighted
from promptfix.records import Answer
from promptfix.tasks import DataError


def _noise(seed, prompts=400, columns=300):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(prompts, columns)), 0).astype(np.float32)
    return rng, x, folds_of([f"g{i}" for i in range(prompts)])


def _sparse(seed, prompts=600, columns=80):
    """Columns that fire on a third of the prompts, as features do."""
    rng, x, folds = _noise(seed, prompts, columns)
    return rng, np.where(rng.random(x.shape) < 0.66, x, 0).astype(np.float32), folds


def _choose(x, y, folds):
    return weighted(x, y, folds, Screen(x), limit=4)


def test_selection_finds_the_columns_that_matter():
    """Two columns that make repairs likely are chosen out of 300, with positive weights."""
    rng, x, folds = _noise(0)
    y = rng.random(len(x)) < 1 / (1 + np.exp(-(2.5 * x[:, 17] + 2.5 * x[:, 42] - 3)))
    choice = _choose(x, y, folds)
    assert choice is not None
    assert set(choice.columns) >= {17, 42}
    assert all(choice.factors[choice.columns.index(c)] > 0 for c in (17, 42))


def test_selection_finds_hardly_anything_in_noise():
    """Under shuffled outcomes at most a few of 20 runs choose anything."""
    found = 0
    for seed in range(20):
        rng, x, folds = _noise(seed)
        found += _choose(x, rng.random(len(x)) < 0.2, folds) is not None
    assert found <= 5


def test_selection_without_enough_repairs_chooses_nothing():
    """Three repairs are too few to learn from."""
    _, x, folds = _noise(1)
    y = np.zeros(len(x), dtype=bool)
    y[:3] = True
    assert _choose(x, y, folds) is None
    assert conflict(x, y, folds, Pairs(x)) is None


def test_a_conflict_is_found_where_neither_feature_tells_anything_alone():
    """Repairs where exactly both fire: the pair is found among all pairs, one of each half."""
    rng, x, folds = _sparse(3)
    user, readout = x[:, 5] > 0, x[:, 40 + 11] > 0
    likely = np.where(user & readout, 0.8, np.where(user ^ readout, 0.02, 0.15))
    choice = conflict(x, rng.random(len(x)) < likely, folds, Pairs(x))
    assert choice is not None
    assert choice.conflict
    assert choice.columns == (5, 51)
    fires = choice.scores(x) > 0
    assert (fires == (user & readout)).all()


def _half(x, uplift):
    """Prompts that can all be annotated."""
    return Half(x, uplift, np.ones(len(uplift), dtype=bool))


def test_outcomes_are_shuffled_among_prompts_that_can_be_annotated():
    """The others keep theirs, none, so that the null knows as well as the search where they are."""
    rng = np.random.default_rng(0)
    uplift = np.array([1, 1, 0, 0, 0, 0], dtype=np.int8)
    can = np.array([True, True, True, True, False, False])
    half = Half(np.zeros((6, 1), dtype=np.float32), uplift, can)
    shuffles = [half.shuffled(rng).uplift for _ in range(20)]
    assert all(some.sum() == 2 and not some[4:].any() for some in shuffles)
    assert any(some[:2].sum() < 2 for some in shuffles)


def test_a_rule_is_quiet_where_no_note_can_be_made():
    """Whatever it would repair: its threshold leaves at most a tenth of those prompts firing."""
    scores = np.r_[np.full(10, 2.0), np.full(10, 6.0), np.arange(40) / 8].astype(np.float32)
    can = np.arange(60) < 20
    uplift = np.where(can, 1, 0).astype(np.int8)
    choice = Choice((0,), (1.0,), conflict=False, gain=1.0, screened=1)
    half = Half(scores[:, None], uplift, can)
    made, least = settle(choice, half, 60, 0.5)
    assert (scores[~can].astype(float) >= least).mean() <= 0.1
    assert made.threshold >= least > 2
    assert made.repaired == 10


def test_other_words_do_not_raise_the_least_threshold():
    """A rule learns from them; one loud word among those of a prompt does not silence it."""
    scores = np.r_[np.full(20, 4.0), np.full(10, 1.0), np.full(20, 9.0)].astype(np.float32)
    can = np.arange(50) < 20
    choice = Choice((0,), (1.0,), conflict=False, gain=1.0, screened=1)
    uplift = can.astype(np.int8)
    made, least = settle(choice, Half(scores[:, None], uplift, can, beside=20), 30, 0.5)
    assert 1 < least < 4
    assert made.repaired == 20
    assert settle(choice, Half(scores[:, None], uplift, can), 30, 0.5)[0] is None
    assert Half(scores[:, None], uplift, can, 20).shuffled(np.random.default_rng(0)).beside == 20


def test_the_null_is_matched_by_a_detector_made_of_noise_only():
    """Shuffled outcomes match what noise gives, and never what a real feature gives."""
    rng, x, _ = _noise(2, 500, 120)
    groups = [f"g{i}" for i in range(250)]
    uplift = (rng.random(500) < np.where(x[:, 9] > 0.8, 0.8, 0.02)).astype(np.int8)
    half, other = _half(x[:250], uplift[:250]), _half(x[250:], uplift[250:])
    search = Search(half, groups)
    choice = search.best()
    real = calibrate(choice.scores(other.x), other.uplift, 2000, 0.01)
    null = search.null(other, real, runs=19, budget=0.01, seed=0)
    assert (null.runs, null.matched) == (19, 0)
    nothing = calibrate(np.array([1.0]), np.array([1], dtype=np.int8), 2000, 0.01)
    assert search.null(other, nothing, runs=19, budget=0.01, seed=0).matched == null.found


def test_the_null_is_the_same_for_the_same_seed():
    """Shuffling depends on the seed alone."""
    rng, x, _ = _noise(4, 300, 60)
    uplift = (rng.random(300) < 0.3).astype(np.int8)
    search = Search(_half(x[:150], uplift[:150]), [f"g{i}" for i in range(150)])
    real = calibrate(np.array([1.0]), np.array([1], dtype=np.int8), 300, 0.5)
    runs = [search.null(_half(x[150:], uplift[150:]), real, 9, 0.5, seed=5) for _ in range(2)]
    assert runs[0] == runs[1]


def test_calibration_keeps_harm_within_the_budget():
    """The threshold is the best whose bound on the harm of all prompts is in budget."""
    scores = np.arange(12.0, 0.0, -1)
    uplift = np.array([1, 1, 1, 1, -1, 1, 1, 1, 1, 1, 0, 0], dtype=np.int8)
    strict = calibrate(scores, uplift, prompts=350, budget=0.01)
    loose = calibrate(scores, uplift, prompts=1000, budget=0.01)
    assert strict is not None
    assert (strict.repaired, strict.harmed) == (4, 0)
    assert 8.0 < strict.threshold < 9.0
    assert loose is not None
    assert (loose.repaired, loose.harmed) == (9, 1)
    assert loose.harm_at_most <= 0.01


def test_calibration_wants_four_repairs_for_each_harm():
    """A threshold that repairs three and harms one is passed over for a stricter one."""
    found = calibrate(np.array([5.0, 4, 3, 2]), np.array([1, 1, -1, 1], dtype=np.int8), 5000, 0.01)
    assert found is not None
    assert (found.repaired, found.harmed) == (2, 0)


def test_calibration_abstains():
    """Where annotating harms as often as it helps, or only silence scores, nothing fires."""
    assert calibrate(np.array([2.0, 1.0]), np.array([-1, 1], dtype=np.int8), 500, 0.01) is None
    assert calibrate(np.array([0.0, 0.0]), np.array([1, 1], dtype=np.int8), 500, 0.01) is None


def test_equal_scores_are_never_split():
    """A threshold falls between scores, so prompts that look alike are treated alike."""
    found = calibrate(np.ones(6), np.array([1, 1, -1, 1, 1, 0], dtype=np.int8), 2000, 0.01)
    assert found is not None
    assert (found.annotated, found.repaired, found.harmed) == (6, 4, 1)


def test_the_harm_of_all_detectors_together_is_bounded():
    """Two detectors that keep the budget alone and not together: one of them gets stricter."""
    uplift = np.zeros((2, 1000), dtype=np.int8)
    scores = np.full((2, 1000), -np.inf)
    for row, first in enumerate((0, 500)):
        scores[row, first : first + 60] = np.arange(60, 0, -1)
        uplift[row, first : first + 60] = 1
        uplift[row, first + 50 : first + 54] = -1
    alone = [calibrate(s[s > 0], u[s > 0], 1000, 0.01) for s, u in zip(scores, uplift, strict=True)]
    assert [c.harmed for c in alone] == [4, 4]
    at = together(scores, uplift, [c.threshold for c in alone], 0.01)
    repaired, harmed = served(scores, uplift, at)
    assert (repaired, harmed) == (106, 4)
    assert harm_bound(harmed, 1000) <= 0.01


def test_a_prompt_gets_the_note_of_the_first_detector_that_fires():
    """What a later detector would have done to the same prompt does not count."""
    scores = np.array([[2.0, 0.5], [2.0, 2.0]])
    uplift = np.array([[1, 1], [-1, -1]], dtype=np.int8)
    assert served(scores, uplift, [1.0, 1.0]) == (1, 1)


def test_a_detector_that_only_harms_stays_off():
    """No threshold is better than any that does harm."""
    scores, uplift = np.array([[3.0, 2.0]]), np.array([[-1, -1]], dtype=np.int8)
    assert together(scores, uplift, [1.0], 0.9) == [None]


@pytest.mark.parametrize(
    ("harmed", "prompts", "expected"), [(0, 300, 0.00994), (3, 1000, 0.00773), (10, 10, 1.0)]
)
def test_harm_bound(harmed, prompts, expected):
    """One-sided 95 % bounds as tabled."""
    assert harm_bound(harmed, prompts) == pytest.approx(expected, abs=2e-4)


def test_folds_depend_on_the_group_alone():
    """Variants of one item fall on the same side."""
    assert fold_of("a") == fold_of("a")
    assert len({fold_of(f"g{i}") for i in range(100)}) == 5


class _Counting:
    """Answers with the length of the prompt and counts what it is asked."""

    def __init__(self):
        self.asked = []

    def answer_many(self, prompts, *, max_tokens, batch, progress):
        del max_tokens, batch
        self.asked += [p.text for p in prompts]
        progress(len(prompts))
        fixed = {"finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}
        return [Answer(text=str(len(p.text)), **fixed) for p in prompts]


def test_answers_are_asked_once_and_survive_a_torn_file(tmp_path):
    """A second run asks nothing that is on disk; a last line cut short is asked again, once."""
    file = tmp_path / "cache" / "answers.jsonl"
    model = _Counting()
    assert AnswerCache(model, file).answers(["a", "bb", "a"]) == ["1", "2", "1"]
    assert sorted(model.asked) == ["a", "bb"]
    lines = file.read_text().splitlines()
    assert all(json.loads(line) for line in lines)
    file.write_text(lines[0] + "\n" + lines[1][:10])
    again = _Counting()
    assert AnswerCache(again, file).answers(["a", "bb"]) == ["1", "2"]
    assert len(again.asked) == 1
    third = _Counting()
    assert AnswerCache(third, file).answers(["a", "bb"]) == ["1", "2"]
    assert third.asked == []


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path):
    """Where no more than 100 bytes can be written, the old file stays and no other is left."""
    import resource

    file = tmp_path / "a.json"
    write_text(file, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DataError, match="make room"):
            write_text(file, "new" * 100)
        with pytest.raises(DataError, match="goes on where it stopped"):
            AnswerCache(_Counting(), tmp_path / "answers.jsonl").answers(
                ["a" * n for n in range(1, 10)]
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "answers.jsonl"]


def test_a_reading_always_says_something():
    """A feature that fires on no word, or after texts without a common one, is told too."""
    texts = ["one two", "three four"]
    seen = [(1.0, "", text) for text in texts]
    assert _line(seen, "user", texts) == "on the space between words"
    assert _line(seen, "readout", texts) == "at the read-out, after texts that share no word"
    assert _line([(1.0, "gross", texts[0])], "user", texts) == 'on the words "gross"'
