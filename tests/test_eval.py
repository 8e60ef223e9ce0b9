"""The evaluation's figures are what they are called, and its arms send what they say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval import arms, bench_pipeline, headline, plots, stats
from eval.answering import Asker, Said
from eval.breakdown import by_kind, by_lemma, by_training, reliability
from eval.gates import own_scores
from eval.items import Sets
from eval.mini_abilities import lemmatised
from eval.misleading import reached
from eval.probes import bag, learnt, searched
from eval.results import arm_row, gate_row, summary
from eval.run import never_wrong
from eval.tables import TABLES, evaluation, gates
from promptfix.formats import Term
from promptfix.library import load
from promptfix.mining.cause import auroc
from promptfix.mining.outcomes import AnswerCache
from promptfix.mining.search import Half
from promptfix.pipeline import Pipeline
from promptfix.records import Sampling
from promptfix.rewriting import OPEN
from promptfix.tasks import Item, item_of, metaphor_prompt
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors

ROOT = Path(__file__).resolve().parent.parent
GROSS = "Ann has a gross of pens and uses 5. How many are left?"
DOZEN = "Bob has a dozen eggs and eats 5. How many are left?"
PLAIN = "Eve has 12 eggs and eats 5. How many are left?"


def _items(*prompts):
    return [Item(str(n), "math", p, "7", str(n), p) for n, p in enumerate(prompts)]


def _sets(right):
    items = _items(*[f"{PLAIN} {n}" for n in range(len(right))])
    half = len(right) // 2
    rows = {"a": np.arange(half), "b": np.arange(half, len(right))}
    return Sets("math", items, rows, {}, {}, [])


def _said(right):
    return Said(["Answer: 7" if r else "Answer: 1" for r in right], np.array(right), 10)


@pytest.fixture
def pipeline():
    """A detector that fires on the word gross, and the library's annotations."""
    rule = detector("word", parts=[Term(feature=1, weight=1.0, at="user")])
    library = with_detectors(load(ROOT / "detectors", ROOT / "annotations"), rule)
    return Pipeline(FakeMicroscope(on_words={"gross": {1: 2.0}}), FakeModel(), library)


def test_the_macro_average_weighs_sets_and_not_items():
    """One right of one and none of three are a half."""
    sets = {"a": np.array([0]), "b": np.array([1, 2, 3])}
    assert stats.macro(np.array([True, False, False, False]), sets) == 0.5


def test_the_gain_is_within_its_interval_and_paired():
    """A gain on the same items has a narrower interval than their accuracies alone would give."""
    rng = np.random.default_rng(0)
    plain = rng.random(400) < 0.5
    better = plain | (rng.random(400) < 0.1)
    sets = {"a": np.arange(200), "b": np.arange(200, 400)}
    value, (low, high) = stats.gain(better, plain, sets)
    assert low < value < high
    assert low > 0
    assert high - low < 0.07
    assert stats.gain(better, plain, sets) == (value, (low, high))


def test_mcnemar_looks_at_changed_answers_only():
    """Nine better and one worse are unlikely by chance; no change at all is certain."""
    plain = np.array([False] * 9 + [True] + [True] * 50)
    arm = np.array([True] * 9 + [False] + [True] * 50)
    assert stats.mcnemar(arm, plain) == pytest.approx(0.0215, abs=1e-3)
    assert stats.mcnemar(plain, plain) == 1.0


def test_f1_counts_silence_as_the_other_label():
    """Two of three found, one wrongly claimed."""
    said = ["m", "m", None, "m"]
    assert stats.f1(said, ["m", "m", "m", "l"], "m") == pytest.approx(2 / 3)
    assert stats.f1([None], ["m"], "m") == 0.0


def test_a_gate_never_chooses_what_cannot_be_annotated():
    """The highest scores among those that can."""
    chosen = stats.at_rate(np.array([3.0, 2.0, 1.0]), np.array([False, True, True]), 1)
    assert chosen.tolist() == [False, True, False]


def test_arms_send_what_they_say(pipeline):
    """Promptfix notes what it fires on, template-only all that can be, shuffled another kind."""
    items = _items(GROSS, DOZEN, PLAIN)
    looked = arms.look(pipeline, items)
    assert looked.flagged == [True, False, False]
    assert looked.by[0] == "unknown-unit-word"
    kinds = arms.in_force(pipeline, "math")
    assert set(kinds) == {"unknown-unit-word"}
    template = arms.texts_of(arms.template_notes(pipeline, items, kinds))
    assert [text is not None for text in template] == [True, True, False]
    assert template[0] == looked.sent[0]
    other = arms.shuffled(looked, items, pipeline.library, seed=0)
    assert other[0] is not None
    assert other[0].startswith(GROSS + OPEN)
    assert other[0] != looked.sent[0]
    assert other[1:] == [None, None]
    assert arms.reread(items)[0].count(GROSS) == 2
    assert arms.gated(["x", "y", "z"], looked.flagged) == ["x", None, None]


def test_what_strays_from_its_note_counts_as_the_plain_answer_does(pipeline, tmp_path):
    """As in the pipeline, and both answers' tokens are counted."""

    class Answers(FakeModel):
        def answer_many(self, prompts, **_):
            return [self.answer(prompt) for prompt in prompts]

    def say(text):
        return "2 * 12 = 24\nAnswer: 24" if "[Note:" in text else "Answer: 288"

    items = [replace(item, gold="288") for item in _items(GROSS, PLAIN)]
    asker = Asker.__new__(Asker)
    asker._greedy = AnswerCache(Answers(say), tmp_path / "answers.jsonl")
    asker.tokens = lambda prompts, _: len(prompts)
    looked = arms.look(pipeline, items)
    said = asker.repaired(items, looked.repairs, pipeline.library)
    assert said.texts == ["Answer: 288"] * 2
    assert (said.right.tolist(), said.tokens, said.withdrawn) == ([True, True], 3, 1)


def test_what_strays_is_asked_in_other_words_first(pipeline, tmp_path):
    """As in the pipeline: nothing is withdrawn if that answer does what the note says."""

    class Answers(FakeModel):
        def answer_many(self, prompts, **_):
            return [self.answer(prompt) for prompt in prompts]

    def say(text):
        return "2 * 144 = 288\nAnswer: 288" if "read 144" in text else "2 * 12 = 24\nAnswer: 24"

    notes = [
        a.model_copy(update={"again": "For {word} read {value}."})
        for a in pipeline.library.annotations
        if a.filler == "unit-word"
    ]
    library = replace(pipeline.library, annotations=tuple(notes))
    asker = Asker.__new__(Asker)
    asker._greedy = AnswerCache(Answers(say), tmp_path / "answers.jsonl")
    asker.tokens = lambda prompts, _: len(prompts)
    items = [replace(item, gold="288") for item in _items(GROSS, PLAIN)]
    looked = arms.look(replace(pipeline, library=library), items)
    said = asker.repaired(items, looked.repairs, library)
    assert (said.right.tolist(), said.tokens, said.withdrawn) == ([True, False], 3, 0)


def test_the_gate_scores_the_word_that_a_note_speaks_of(pipeline):
    """1 fires; a finding on a word that the note is not about, and no note at all, are 0."""
    (rule,) = pipeline.library.detectors
    by_word = with_detectors(pipeline.library, rule.model_copy(update={"scope": "lexical"}))
    about_words = Pipeline(pipeline.microscope, pipeline.model, by_word)
    items = _items(GROSS, DOZEN, PLAIN, "Is a trio of pens less than a gross, or how many more?")
    notes = arms.template_notes(about_words, items, ["unknown-unit-word"])
    assert own_scores(about_words, notes).tolist() == [2, 0, 0, 0]


def test_where_no_detector_may_edit_every_note_is_written(pipeline):
    """The control of notes everywhere then takes all kinds of the task."""
    assert arms.templates(pipeline, "math") == ["unknown-unit-word"]
    every = {a.misunderstanding for a in pipeline.library.annotations if a.task == "metaphor"}
    assert arms.templates(pipeline, "metaphor") == sorted(every)


def test_leaks_are_gold_numbers_that_only_the_note_says():
    """A number of the prompt may be said again; the answer may not be new."""
    items = _items(PLAIN, PLAIN)
    assert arms.digits({0: "[Note: 12 eggs]", 1: "[Note: 7 eggs]"}, items) == ["1"]


def test_without_its_question_a_problem_is_its_story():
    """The question is cut off; what is a question only is left out."""
    whole, cut = arms.without_question(_items(PLAIN, "How many are 3 and 4?"))
    assert [item.prompt for item in cut] == ["Eve has 12 eggs and eats 5."]
    assert [item.prompt for item in whole] == [PLAIN]


def test_a_row_counts_flips_on_all_and_on_flagged_items():
    """Three turned right, one turned wrong, and which of them were flagged."""
    plain = _said([False, False, False, True, True, True, False, True])
    arm = _said([True, True, True, True, False, True, False, True])
    flagged = [True, True, False, False, True, False, False, False]
    row = arm_row(arm, plain, flagged, _sets(plain.right))
    assert (row["wrong_to_right"], row["right_to_wrong"]) == (3, 1)
    assert row["flagged"] == {"wrong_to_right": 2, "right_to_wrong": 1, "n": 3}
    assert row["gain"] == pytest.approx(0.25)
    assert row["per_set"]["a"] == {"n": 4, "right": 4}


def test_what_was_done_is_told_by_kind_and_by_word():
    """Kinds of note that training had apart from new ones; words that mining saw apart too."""
    plain, fixed = _said([False, True, False, True]), _said([True, False, False, True])
    looked = type("Looked", (), {"by": ["word-company", "literal-reading", None, None]})
    kinds = by_kind(fixed, plain, looked)
    assert kinds["word-company"] == {
        "n": 1,
        "trained": False,
        "wrong_to_right": 1,
        "right_to_wrong": 0,
    }
    assert kinds["literal-reading"]["trained"]
    assert kinds["literal-reading"]["right_to_wrong"] == 1
    sets = _sets(plain.right)
    sets.mined.append(sets.items[0])
    words = by_lemma(fixed, plain, sets)
    assert sum(part["n"] for row in words.values() for part in row.values()) == 4


def test_the_gain_is_told_apart_for_kinds_of_note_that_training_had():
    """Each part is what would be gained if only notes of those kinds were written."""
    plain, fixed = _said([False, True, False, True]), _said([True, False, True, True])
    looked = type("Looked", (), {"by": ["literal-reading", "literal-reading", "new", None]})
    found = by_training(fixed, plain, looked, _sets(plain.right))
    flipped = ("n", "wrong_to_right", "right_to_wrong")
    assert [found["trained"][key] for key in flipped] == [2, 1, 1]
    assert [found["new"][key] for key in flipped] == [1, 1, 0]


def test_a_word_and_its_forms_are_one_group():
    """In a set whose file names no lemmas, too."""
    marked = (("He assumed it.", "assumed"), ("She assumes so.", "assumes"))
    items = [item_of(word, metaphor_prompt(text, word), "literal") for text, word in marked]
    assert len({item.group for item in items}) == 2
    assert {item.group for item in lemmatised(items)} == {"assume"}


def test_a_gate_is_told_by_tenths_of_its_score():
    """From the lowest to the highest; what cannot be annotated is in none."""
    scores = np.array([3.0, 1, 2, -np.inf])
    hit = np.array([True, False, False, True])
    rows = reliability(scores, hit, ~hit)
    assert [row["score"] for row in rows] == [1, 2, 3]
    assert [row["repaired"] for row in rows] == [0, 0, 1]
    assert [row["harmed"] for row in rows] == [1, 1, 0]


def test_the_best_placebo_is_the_best_one():
    """Its name, its accuracy and the gain over it."""
    plain = _said([False] * 4 + [True] * 4)
    said = {
        "promptfix": _said([True] * 8),
        "generic": _said([True] * 2 + [False] * 2 + [True] * 4),
        "re2": _said([False] * 8),
    }
    found = summary(plain, said, np.ones(8, dtype=bool), _sets(plain.right))
    assert found["best_placebo"] == {"name": "generic", "value": 0.75}
    assert found["gain"] == 0.5
    assert found["gain_over_placebo"] == 0.25
    assert set(headline.KEYS) <= set(found)


def test_a_text_classifier_learns_words():
    """What words tell is found on other texts; a gate of noise has no use for the labels."""
    texts = [f"{'red' if n % 2 else 'blue'} thing number {n}" for n in range(80)]
    x, y = bag(texts), np.array([n % 2 == 1 for n in range(80)])
    scores = learnt(x[:60], y[:60], x[60:], texts[:60])
    assert auroc(scores, y[60:]) == 1.0


def test_the_search_of_mining_scores_other_prompts():
    """As a rival's gate: the rule that it finds is applied to prompts that it did not see."""
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=(400, 30)), 0).astype(np.float32)
    uplift = (rng.random(400) < np.where(x[:, 7] > 0.8, 0.9, 0.02)).astype(np.int8)
    half = Half(x[:300], uplift[:300], [f"g{n}" for n in range(300)])
    scores = searched(half, x[300:])
    assert auroc(scores, uplift[300:] > 0) > 0.8


def test_tables_and_plots_are_made_from_a_result(tmp_path, monkeypatch):
    """A result in the form of run.py gives a table with every arm and charts with their labels."""
    plain = _said([False, False, True, True])
    arm = _said([True, False, True, True])
    sets = _sets(plain.right)
    looked = type("Looked", (), {"flagged": [True, False, False, False]})
    found = summary(plain, {"promptfix": arm}, arm.right, sets) | {
        "arms": {"promptfix": arm_row(arm, plain, looked.flagged, sets)},
        "gates": {"dense": gate_row(np.array([2.0, 1, 0, -np.inf]), arm, plain, looked, sets)},
    }
    (tmp_path / "math.json").write_text(json.dumps(found))
    monkeypatch.setattr("eval.tables.RESULTS", tmp_path)
    assert "**promptfix**" in evaluation("math")
    assert "+25.0" in evaluation("math")
    assert "dense" in gates("math")
    assert {"math", "metaphor", "math-gates"} <= set(TABLES)
    assert "promptfix" in plots.gains(found)
    found["gates"]["sae"] = found["gates"]["dense"]
    assert "score 2.00, n 1" in plots.reliability(found)
    assert plots.flips(found).count("<rect") == 2


def test_a_note_is_true_if_the_answer_can_be_reached_as_it_says():
    """In the order of the steps, with all of the numbers and no other."""
    steps = {"operations": "sum, quotient", "every": "12 and 8 and 4"}
    assert 5.0 in reached("wrong-steps", steps)
    assert 14.0 not in reached("wrong-steps", steps)
    assert reached("difference-asked", {"first": "9", "second": "two"}) == [7.0, -7.0]
    assert 18.0 in reached("extra-step", {"pair": "9 and 2"})


def test_the_ceiling_of_all_gates_repairs_what_can_be_and_harms_nothing():
    """It knows what each note does, and speaks of no prompt for which none can be made."""
    plain = Said(["a"] * 5, np.array([0, 1, 1, 0, 0], dtype=bool), 9)
    noted = Said(["b"] * 5, np.array([1, 0, 1, 0, 1], dtype=bool), 9)
    scores = never_wrong(noted, plain, ["note", "note", "note", "note", None])
    assert scores.tolist() == [1, -1, 0, 0, -np.inf]


def test_the_headline_has_exactly_its_keys(tmp_path, monkeypatch):
    """What was not measured is null and never a number."""
    monkeypatch.setattr("eval.headline.RESULTS", tmp_path)
    found = headline.headline(ROOT)
    assert found["math"] is None
    assert found["mini_2"] is None
    assert found["false_fire_rate"] is None
    named = "detectors_tested detectors_trusted kinds_measured falsification_survival"
    named += " validated_features validated_features_random false_fire_rate mini_2 math metaphor"
    assert set(named.split()) | {"seeds", "hashes"} == set(found)
    assert found["detectors_trusted"] <= found["detectors_tested"] or not found["detectors_tested"]


def test_the_benchmark_times_what_it_says():
    """Its prompts are quiet, repaired and withdrawn by the library that ships."""
    pipeline = Pipeline.load()
    asked = (bench_pipeline.QUIET, bench_pipeline.NOISY, bench_pipeline.STRAYING)
    sampling = Sampling(max_tokens=bench_pipeline.TOKENS)
    done = [pipeline.answer(text, sampling=sampling).action for text in asked]
    assert done == ["none", "repaired", "withdrawn"]
