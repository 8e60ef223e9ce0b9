"""Selection finds what is there, calibration keeps its budget, answers are asked once."""

import json

import numpy as np
import pytest

from promptfix.mining.calibration import calibrate, harm_bound
from promptfix.mining.outcomes import AnswerCache
from promptfix.mining.selection import choose, fold_of
from promptfix.records import Answer


def _noise(seed, prompts=400, columns=300):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(prompts, columns)), 0).astype(np.float32)
    return rng, x, [f"g{i}" for i in range(prompts)]


def test_selection_finds_the_columns_that_matter():
    """Two columns that make repairs likely are chosen out of 300, with positive weights."""
    rng, x, groups = _noise(0)
    y = rng.random(len(x)) < 1 / (1 + np.exp(-(2.5 * x[:, 17] + 2.5 * x[:, 42] - 3)))
    choice = choose(x, y, groups)
    assert choice is not None
    assert set(choice.columns) >= {17, 42}
    assert all(choice.weights[choice.columns.index(c)] > 0 for c in (17, 42))


def test_selection_finds_hardly_anything_in_noise():
    """Under shuffled outcomes at most a few of 20 runs choose anything."""
    found = 0
    for seed in range(20):
        rng, x, groups = _noise(seed)
        found += choose(x, rng.random(len(x)) < 0.2, groups) is not None
    assert found <= 5


def test_selection_without_enough_repairs_chooses_nothing():
    """Three repairs are too few to learn from."""
    _, x, groups = _noise(1)
    y = np.zeros(len(x), dtype=bool)
    y[:3] = True
    assert choose(x, y, groups) is None


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
    """A second run asks nothing that is on disk; a last line cut short is asked again."""
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
