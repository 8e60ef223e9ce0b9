"""Injection, rewording and editing the residual stream tell a word detector from another."""

import re
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promptfix.chat import encode
from promptfix.microscope import Microscope
from promptfix.mining import cause
from promptfix.mining.cause import ablation, auroc, edited, flips, steering
from promptfix.mining.falsification import (
    STRATEGIES,
    inject,
    injections,
    reworded,
    shift,
    top_grams,
)
from promptfix.mining.ordinary import KINDS, ordinary
from promptfix.mining.paraphrase import RULES, names, numbers, order, paraphrases, synonyms, voice
from promptfix.mining.scoring import Scorer, features, on_words
from promptfix.mining.selection import Choice
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt, Span
from promptfix.sae import Sae
from promptfix.tasks import Item
from tests.tiny import save_model, save_sae

NEUTRAL = [f"We walked to the station on day {n} and talked about music." for n in range(40)]


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    """A random model with its SAE and a microscope that holds all features."""
    folder = tmp_path_factory.mktemp("lens")
    network = load_network(save_model(folder / "model"))
    sae = Sae.load(save_sae(folder / "sae"))
    return network, sae, Microscope(network, sae, "tiny")


def _says(*words):
    """A scorer that counts words, as a pure token detector would, with a little noise."""

    def score(texts):
        noise = np.random.default_rng(0).normal(0, 0.1, len(texts))
        return np.array([sum(t.count(w) for w in words) for t in texts]) + noise

    return score


def test_a_token_detector_is_driven_by_its_top_tokens():
    """Its own words in neutral prompts make it fire, in whichever way they are put in."""
    made = injections(_says("gross"), 1.0, {1: ["gross"], 2: [], 3: []}, NEUTRAL, 0)
    assert len(made) == len(STRATEGIES)
    assert all(i.fired == 40 and i.effect > 0.8 and i.p_value < 0.01 for i in made)


def test_a_detector_of_something_else_is_not():
    """Words that it does not look at leave its score where it was."""
    made = injections(_says("left"), 1.0, {1: ["gross"], 2: ["a gross"], 3: []}, NEUTRAL, 0)
    assert len(made) == 2 * len(STRATEGIES)
    assert all(i.fired == 0 and i.effect < 0.5 for i in made)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_injection_puts_the_grams_in(strategy):
    """As many grams as asked for, and but for `replace` all words of the text."""
    text = inject("one two three four", ["X"], 2, strategy, Random(1))
    assert text.count("X") == 2 or (strategy == "replace" and text.count("X") >= 1)
    if strategy != "replace":
        assert [w for w in text.split() if w != "X"] == ["one", "two", "three", "four"]


def test_shift_is_cohens_d():
    """A shift by one standard deviation is 1; no shift of constant scores is 0."""
    rng = np.random.default_rng(0)
    effect, p_value = shift(rng.normal(1, 1, 4000), rng.normal(0, 1, 4000))
    assert effect == pytest.approx(1.0, abs=0.08)
    assert p_value < 1e-6
    assert shift(np.ones(5), np.ones(5)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("rule", "text", "made"),
    [
        (voice, "Tom bought 5 apples. How many?", "5 apples were bought by Tom. How many?"),
        (order, "Tom has 5 pens. How many pens?", "How many pens? Tom has 5 pens."),
        (
            order,
            'Is the word "cut" used literally or metaphorically in this sentence? He cut it.',
            'He cut it. Is the word "cut" used literally or metaphorically in this sentence?',
        ),
        (synonyms, "He bought them in all.", "He purchased them altogether."),
        (voice, "It rained.", None),
        (names, "The cat slept.", None),
        (numbers, "No digits.", None),
    ],
)
def test_rewording(rule, text, made):
    """Each rule says the same in other words, or nothing."""
    assert rule(text, Random(0)) == made


def test_names_and_numbers_change_alike_wherever_they_stand():
    """A person stays one person; numbers keep their order of size."""
    text = "Tom has 12 pens. Tom gave 5 pens to Ann."
    renamed = names(text, Random(0))
    assert renamed is not None
    assert "Tom" not in renamed
    assert len(set(re.findall(r"^\w+|(?<=\. )\w+", renamed))) == 1
    counted = numbers(text, Random(0))
    assert counted is not None
    first, second = map(int, re.findall(r"\d+", counted))
    assert first > second > 5


@given(st.text(max_size=120))
def test_rewording_takes_any_text(text):
    """No rule breaks on any text, and what it gives is another text."""
    assert all(new != text for new in paraphrases(text, 0))
    assert len(paraphrases(text, 0)) <= len(RULES)


def test_rewording_is_counted_by_rewordings():
    """A detector of one wording stops, one of what stays goes on."""
    firing = ["Tom bought 5 apples. How many apples?", "Ann has 7 pens. How many pens?"]
    stays, stops = _says("How many"), _says("bought")
    assert reworded(stays, 0.5, firing, 0).kept == reworded(stays, 0.5, firing, 0).prompts > 4
    assert reworded(stops, 0.5, firing, 0).kept < reworded(stops, 0.5, firing, 0).prompts


def test_ordinary_prompts_are_filled_and_many():
    """No slot is left open, and equal seeds give equal prompts."""
    some = [next(s) for s in [ordinary(1)] for _ in range(500)]
    assert some[:20] == [next(s) for s in [ordinary(1)] for _ in range(20)]
    assert len(set(some)) > 400
    assert not any(re.search(r"\{[a-z]+\}", text) for text in some)
    assert len(KINDS) >= 40


def test_a_scorer_scores_as_detection_does(lens):
    """The score of a mined rule is that of the rule in the library on the same reading."""
    from promptfix.detection import Ruleset
    from promptfix.formats import Term
    from promptfix.testing import detector

    _, _, microscope = lens
    text = "Tom has 12 apples and buys a gross of eggs."
    x = features(microscope, [text])[0]
    user, readout = int(x[:64].argmax()), int(x[64:].argmax())
    choice = Choice((user, 64 + readout), (0.5, 2.0), conflict=False, gain=1, screened=2)
    score = Scorer(microscope, choice)([text])[0]
    parts = [
        Term(feature=user, weight=0.5, at="user"),
        Term(feature=readout, weight=2, at="readout"),
    ]
    rule = detector("mined", parts=parts, threshold=score - 1e-4)
    (found,) = Ruleset([rule]).detect(microscope.read(Prompt(text=text)).reading).findings
    assert found.score == pytest.approx(score, rel=1e-4)


def test_words_are_seen_as_word_by_word_detection_sees_them(lens):
    """Peaks on one word are what a lexical detector gets for it; where there is none, nothing."""
    from promptfix.detection import Ruleset
    from promptfix.formats import Term
    from promptfix.testing import detector

    _, _, microscope = lens
    text = "He buys a gross of eggs."
    word = Span(start=text.index("gross"), end=text.index("gross") + 5)
    seen = on_words(microscope, [text, text], [word, None])
    assert not seen[1].any()
    alone = on_words(microscope, ["gross"], [Span(start=0, end=5)])
    assert alone[0] == pytest.approx(features(microscope, ["gross"])[0][:64], abs=1e-4)
    feature = int(seen[0].argmax())
    rule = detector(
        "word", parts=[Term(feature=feature, weight=1.0, at="user")], threshold=0.01, lexical=True
    )
    found = Ruleset([rule]).detect(microscope.read(Prompt(text=text)).reading).findings
    mine = next(f for f in found if f.span == word)
    assert mine.score == pytest.approx(seen[0][feature], rel=1e-4)


def test_top_grams_are_words_of_the_texts(lens):
    """Grams of one to three tokens, cut from the texts."""
    _, _, microscope = lens
    texts = ["Tom has 12 apples. How many are left?", "Ann has 7 apples. How many are left?"] * 2
    x = features(microscope, texts)
    choice = Choice((int(x[:, :64].sum(0).argmax()),), (1.0,), conflict=False, gain=1, screened=1)
    grams = top_grams(microscope, choice, texts)
    assert grams[1]
    assert all(gram in " ".join(texts) for some in grams.values() for gram in some)


def test_ablation_takes_a_feature_out_where_it_is_looked_at_and_nowhere_else(lens):
    """The residual changes along the decoder row, only at the positions given, and comes back."""
    network, sae, microscope = lens
    prompt = Prompt(text="Tom has 12 apples.")
    positions = encode(network.tokenizer, prompt).looked_at
    ((_, before),) = microscope.residuals([prompt])
    feature = int(sae.encode(before).sum(0).argmax())
    with edited(network, sae, positions, ablation([feature])):
        ((_, after),) = Microscope(network, sae, "edited").residuals([prompt])
    moved = before - after
    row = sae.weights["W_dec"][feature]
    values = sae.encode(before)[:, feature]
    assert torch.allclose(moved, values[:, None] * row, atol=1e-3)
    ((_, again),) = microscope.residuals([prompt])
    assert torch.equal(again, before)


def test_steering_raises_a_feature_to_a_level(lens):
    """Where it is lower it is raised; where it is higher it stays."""
    _, _, _ = lens
    found = torch.tensor([[0.0, 5.0], [9.0, 5.0]])
    assert steering({0: 4.0})(found).tolist() == [[4.0, 5.0], [9.0, 5.0]]


def test_flips_are_counted_against_the_plain_answers(lens, monkeypatch):
    """An edit that changes nothing flips nothing; what turns right is repaired, wrong is harmed."""
    monkeypatch.setattr(cause, "correct", lambda answer, gold: answer == gold)
    network, sae, _ = lens
    prompts = [f"Tom has {n} apples." for n in range(3)]
    said = LocalModel(network).answer_many([Prompt(text=p) for p in prompts], max_tokens=4)
    items = [
        Item(str(n), "math", prompt, answer.text, "g", "t")
        for n, (prompt, answer) in enumerate(zip(prompts, said, strict=True))
    ]
    right = np.ones(3, dtype=bool)
    same = flips(network, sae, items, right, lambda found: found, 4)
    assert (same.asked, same.repaired, same.harmed) == (3, 0, 0)
    mended = flips(network, sae, items, ~right, lambda found: found, 4)
    assert (mended.asked, mended.repaired, mended.harmed) == (3, 3, 0)
    lost = flips(network, sae, items, right, torch.zeros_like, 4)
    assert lost.harmed > 0
    assert lost.repaired == 0


def test_a_fall_that_goes_with_repair_predicts_it():
    """1 where every repair fell further, 0.5 without a difference, None without repairs."""
    fall = np.array([3.0, 2.0, 1.0, 0.5])
    assert auroc(fall, np.array([True, True, False, False])) == 1.0
    assert auroc(np.ones(4), np.array([True, False, True, False])) == 0.5
    assert auroc(fall, np.zeros(4, dtype=bool)) is None
