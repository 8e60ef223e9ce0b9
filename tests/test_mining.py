"""Selection finds what is there, calibration keeps its budget, answers are asked once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptfix.evidence import LEAST_RATIO, harm_bound
from promptfix.library import load as load_library
from promptfix.mining.calibration import calibrate, cautious, served, together
from promptfix.mining.conflicts import Pairs, conflict
from promptfix.mining.files import write_text
from promptfix.mining.outcomes import AnswerCache, measure
from promptfix.mining.readings import _line
from promptfix.mining.search import STAYS, Half, Search
from promptfix.mining.selection import Choice, Screen, fold_of, folds_of, told, weighted
from promptfix.records import Answer
from promptfix.tasks import DataError, Item

ROOT = Path(__file__).parents[1]


def _noise(seed, prompts=400, columns=300):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(prompts, columns)), 0).astype(np.float32)
    return rng, x, folds_of([f"g{i}" for i in range(prompts)])


def _sparse(seed, prompts=600, columns=80):
    """Columns that fire on a third of the prompts, as features do."""
    rng, x, folds = _noise(seed, prompts, columns)
    return rng, np.where(rng.random(x.shape) < 0.66, x, 0).astype(np.float32), folds


def _choose(x, y, folds):
    return weighted(x, y, np.ones(len(y)), folds, Screen(x), limit=4)


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
    assert conflict(x, y, np.ones(len(y)), folds, Pairs(x)) is None


def test_a_conflict_is_found_where_neither_feature_tells_anything_alone():
    """Repairs where exactly both fire: the pair is found among all pairs, one of each half."""
    rng, x, folds = _sparse(3)
    user, readout = x[:, 5] > 0, x[:, 40 + 11] > 0
    likely = np.where(user & readout, 0.8, np.where(user ^ readout, 0.02, 0.15))
    choice = conflict(x, rng.random(len(x)) < likely, np.ones(len(x)), folds, Pairs(x))
    assert choice is not None
    assert choice.conflict
    assert choice.columns == (5, 51)
    fires = choice.scores(x) > 0
    assert (fires == (user & readout)).all()


def _half(x, uplift, each=1):
    """Prompts that can all be annotated, in groups of so many."""
    return Half(x, uplift.astype(np.int8), [f"g{i // each}" for i in range(len(uplift))])


def test_what_a_note_changes_counts_more_than_what_stays_right():
    """Of two columns, the one that tells repairs from harms is chosen first."""
    rng, x, _ = _sparse(5, 900)
    uplift = rng.choice([1, -1, 0], size=900, p=[0.2, 0.1, 0.7])
    x[:, 3] = np.where(uplift > 0, 1, np.where(uplift < 0, 0, rng.random(900) < 0.6))
    x[:, 4] = np.where(uplift == 0, 0, rng.random(900) < 0.7)
    half = _half(x, uplift)
    assert set(half.weights[uplift == 0]) == {STAYS}
    assert Search(half).best().columns[0] == 3


def test_variants_are_shuffled_in_one_piece():
    """A group gets the outcomes of one other of about its size: variants still share their fate."""
    rng = np.random.default_rng(0)
    sizes = [4, 5, 6, 7, 2, 3, 2]
    uplift = np.repeat([1, -1, 0, 1, 1, 0, -1], sizes).astype(np.int8)
    half = Half(
        np.zeros((29, 1), dtype=np.float32), uplift, list(np.repeat(list("abcdefg"), sizes))
    )
    pieces = [np.split(half.shuffled(rng).uplift, np.cumsum(sizes)[:-1]) for _ in range(60)]
    assert all(len(set(piece.tolist())) == 1 for some in pieces for piece in some)
    # None keeps its own for want of another of its very size, and small ones get small ones'.
    assert [{int(some[n][0]) for some in pieces} for n in range(7)] == [{1, -1, 0}] * 7
    half = Half(half.x, np.repeat([1, 1, 1, 1, -1, -1, -1], sizes).astype(np.int8), half.groups)
    assert all((half.shuffled(rng).uplift == half.uplift).all() for _ in range(9))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_scores_tell_between_nothing_and_all_there_is_to_know(rows):
    """At most the entropy of the outcomes; nothing where high scores are not the repaired ones."""
    scores = np.array([float(score) for score, _ in rows])
    y, w = np.array([right for _, right in rows]), np.ones(len(rows))
    rate = y.mean()
    entropy = -sum(len(y) * p * np.log(p) for p in (rate, 1 - rate) if p)
    assert 0 <= told(scores, y, w) <= entropy + 1e-9
    assert told(scores, y, w) * told(-scores, y, w) == 0
    assert told(scores * 7, y, w) == pytest.approx(told(scores, y, w), abs=1e-6)


def test_scores_that_part_repairs_from_the_rest_tell_more_than_noise():
    """And what counts little changes little."""
    rng = np.random.default_rng(3)
    y = rng.random(300) < 0.5
    clear, noise = y + rng.random(300), rng.random(300)
    assert told(clear, y, np.ones(300)) > 100
    assert told(noise, y, np.ones(300)) < 10
    wrong, little = np.r_[clear, np.full(300, 9.0)], np.r_[np.ones(300), np.full(300, 1e-6)]
    both = np.r_[y, np.zeros(300, dtype=bool)]
    assert told(wrong, both, little) > told(wrong, both, np.ones(600))


def test_the_null_is_matched_by_a_rule_that_knows_nothing_only():
    """Shuffled outcomes tell as much as noise does, and never as much as a real feature."""
    rng, x, _ = _noise(2, 500, 120)
    uplift = (rng.random(500) < np.where(x[:, 9] > 0.8, 0.8, 0.02)).astype(np.int8)
    search, other = Search(_half(x[:250], uplift[:250])), _half(x[250:], uplift[250:])
    real = search.best()
    null = search.null(other, real, runs=19, seed=0)
    assert (null.runs, null.matched) == (19, 0)
    nothing = replace(real, columns=(11,), factors=(1e-9,))
    assert search.null(_half(x[250:] * 0, uplift[250:]), nothing, 19, seed=0).matched == 19


def test_a_note_that_always_helps_needs_a_rule_that_knows_where():
    """Who fires everywhere repairs as much and tells nothing, and what is told is compared."""
    rng, x, _ = _noise(6, 600, 60)
    uplift = np.where(rng.random(600) < 0.9, 1, -1)
    x[:, 7] = np.where(uplift > 0, rng.random(600) < 0.9, rng.random(600) < 0.3)
    search, other = Search(_half(x[:300], uplift[:300])), _half(x[300:], uplift[300:])
    real = search.best()
    assert told(np.ones(300), other.repaired, other.weights) == 0
    assert told(real.scores(other.x), other.repaired, other.weights) > 5
    assert search.null(other, real, runs=39, seed=1).matched == 0


def test_the_null_is_the_same_for_the_same_seed():
    """Shuffling depends on the seed alone."""
    rng, x, _ = _noise(4, 300, 60)
    uplift = rng.random(300) < 0.3
    search, real = Search(_half(x[:150], uplift[:150])), Choice((1,), (1.0,), False, 1.0, 1)
    runs = [search.null(_half(x[150:], uplift[150:]), real, 9, seed=5) for _ in range(2)]
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
    at = together(scores, uplift, 0.01)
    repaired, harmed = served(scores, uplift, at)
    assert (repaired, harmed) == (106, 4)
    assert harm_bound(harmed, 1000) <= 0.01


def test_too_few_prompts_cannot_show_that_harm_is_bounded():
    """No threshold keeps the bound on 200 prompts that people wrote, so nothing fires."""
    rng = np.random.default_rng(0)
    scores = rng.random((2, 1000))
    uplift = rng.choice(np.array([-1, 0, 1], dtype=np.int8), (2, 1000), p=[0.04, 0.76, 0.2])
    assert together(scores, uplift, 0.01, np.arange(1000) < 200) == [None, None]


def test_thresholds_that_overdraw_the_budget_on_other_prompts_get_stricter():
    """Of detectors that know nothing, some thresholds look better where they were set."""

    def true_harm(at):
        return sum(0.05 * 200 * (1 - one) for one in at if one is not None) / 2000

    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        scores, uplift = np.full((8, 2000), -np.inf), np.zeros((8, 2000), dtype=np.int8)
        for row in range(8):
            here = slice(200 * row, 200 * (row + 1))
            scores[row, here] = rng.random(200)
            uplift[row, here] = rng.choice([-1, 0, 1], 200, p=[0.05, 0.55, 0.4])
        at = cautious(scores, uplift, 0.01, rng.integers(0, 5, 2000))
        found.append([true_harm(together(scores, uplift, 0.01)), true_harm(at)])
        assert served(scores, uplift, [np.inf if a is None else a for a in at])[0] > 20
    careless, careful = np.mean(found, axis=0)
    assert careful < 0.95 * careless


def test_repairs_that_outweigh_harm_only_where_thresholds_were_set_are_not_taken():
    """Two repairs for each harm whatever the score: by chance some thresholds show four."""
    rng = np.random.default_rng(1)
    scores, uplift = np.full((6, 3000), -np.inf), np.zeros((6, 3000), dtype=np.int8)
    for row in range(6):
        here = slice(100 * row, 100 * (row + 1))
        scores[row, here] = rng.random(100)
        uplift[row, here] = rng.choice([-1, 0, 1], 100, p=[0.1, 0.7, 0.2])
    careless = [np.inf if at is None else at for at in together(scores, uplift, 0.01)]
    repaired, harmed = served(scores, uplift, careless)
    assert repaired >= LEAST_RATIO * harmed
    assert cautious(scores, uplift, 0.01, rng.integers(0, 5, 3000)) == [None] * 6


def test_generated_prompts_make_no_room_for_harm_to_others():
    """Four harms keep the bound on 1,000 prompts, but not on the 400 of them that people wrote."""
    uplift, scores = np.zeros((1, 1000), dtype=np.int8), np.full((1, 1000), -np.inf)
    scores[0, :50] = np.arange(50, 0, -1)
    uplift[0, :50] = 1
    uplift[0, [9, 19, 29, 39]] = -1
    written = np.arange(1000) < 400
    assert served(scores, uplift, together(scores, uplift, 0.01)) == (46, 4)
    assert served(scores, uplift, together(scores, uplift, 0.01, written)) == (9, 0)
    assert served(scores, uplift, together(scores, uplift, 0.01, ~written)) == (46, 4)
    assert served(scores, uplift, together(scores, uplift, 0.01, written & False)) == (46, 4)


def test_no_detector_uses_up_the_budget_that_another_needs_more():
    """Of two, the first repairs 6 and harms 4 more below a point; the second 40 for 4."""
    uplift, scores = np.zeros((2, 1000), dtype=np.int8), np.full((2, 1000), -np.inf)
    scores[0, :40], scores[1, 500:560] = np.arange(40, 0, -1), np.arange(60, 0, -1)
    uplift[0, :36], uplift[0, 30:34] = 1, -1
    uplift[1, 500:560], uplift[1, 520:524] = 1, -1
    at = together(scores, uplift, 0.01)
    assert served(scores, uplift, at) == (30 + 56, 4)


def test_no_detector_lives_on_the_repairs_of_others():
    """One that repairs 5 and harms 2 fires where it does better, whoever else fires."""
    uplift, scores = np.zeros((2, 2000), dtype=np.int8), np.full((2, 2000), -np.inf)
    scores[0, :100], scores[1, 500:507] = 1.0, [5, 4, 3, 2, 2, 2, 2]
    uplift[0, :100], uplift[1, 500:507] = 1, [1, 1, -1, 1, 1, 1, -1]
    at = together(scores, uplift, 0.01)
    assert served(scores, uplift, at) == (102, 0)


def test_a_prompt_gets_the_note_of_the_first_detector_that_fires():
    """What a later detector would have done to the same prompt does not count."""
    scores = np.array([[2.0, 0.5], [2.0, 2.0]])
    uplift = np.array([[1, 1], [-1, -1]], dtype=np.int8)
    assert served(scores, uplift, [1.0, 1.0]) == (1, 1)


def test_a_detector_that_only_harms_stays_off():
    """No threshold is better than any that does harm."""
    scores, uplift = np.array([[3.0, 2.0]]), np.array([[-1, -1]], dtype=np.int8)
    assert together(scores, uplift, 0.9) == [None]


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


def test_an_answer_that_strays_from_its_note_is_no_outcome_of_the_note(tmp_path):
    """The plain one counts, as it would be given; another model's answers are taken as they are."""

    class Strays(_Counting):
        def answer_many(self, prompts, **how):
            said = "2 * 144 = 287\nAnswer: 24"
            answers = super().answer_many(prompts, **how)
            texts = [said if "[Note:" in p.text else "Answer: 288" for p in prompts]
            return [a.model_copy(update={"text": t}) for a, t in zip(answers, texts, strict=True)]

    library = load_library(ROOT / "detectors", ROOT / "annotations")
    (note,) = (a for a in library.annotations if a.id == "unit-word-statement")
    prompt = "A shop has two gross of pencils. How many pencils is that?"
    items = [Item("a", "math", prompt, "288", "a", prompt)]
    cache = AnswerCache(Strays(), tmp_path / "answers.jsonl")
    assert measure(items, [note], library, cache).uplift(note.id).tolist() == [0]
    assert measure(items, [note], library, cache, checked=False).uplift(note.id).tolist() == [-1]


def test_where_an_answer_strays_the_one_to_other_words_is_the_outcome(tmp_path):
    """If it does as the note says; the words have the first note's slots."""

    class Turns(_Counting):
        def answer_many(self, prompts, **how):
            said = {"]": "Answer: 24", "gross.]": "2 * 144 = 288\nAnswer: 288"}
            answers = super().answer_many(prompts, **how)
            ends = [p.text.split(" ")[-1] for p in prompts]
            texts = [said.get(end, "2 * 12 = 24\nAnswer: 24") for end in ends]
            return [a.model_copy(update={"text": t}) for a, t in zip(answers, texts, strict=True)]

    library = load_library(ROOT / "detectors", ROOT / "annotations")
    (first,) = (a for a in library.annotations if a.id == "unit-word-equation")
    prompt = "A shop has two gross of pencils. How many pencils is that?"
    items = [Item("a", "math", prompt, "288", "a", prompt)]
    cache = AnswerCache(Turns(), tmp_path / "answers.jsonl")
    assert measure(items, [first], library, cache).uplift(first.id).tolist() == [0]
    both = first.model_copy(update={"again": "Read {value} for gross."})
    assert measure(items, [both], library, cache).uplift(first.id).tolist() == [1]
    other = first.model_copy(update={"again": "For {word} read {value}."})
    assert measure(items, [other], library, cache).uplift(first.id).tolist() == [0]


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
