"""What the words of a problem suggest where no rule tells."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from promptfix.formats import Tables
from promptfix.mini import joining
from promptfix.slots.likely import NAMES, Cues, features, likely, marked, places, read
from promptfix.slots.operations import operation
from promptfix.slots.steps import steps
from promptfix.slots.words import quantities

ROOT = Path(__file__).resolve().parent.parent
CUES = Cues(frozenset({"left"}), {"eat": "smaller"})


@pytest.mark.parametrize(
    "text",
    [
        "Vera has 31 corks, 12 pins and 4 hats. How many corks and pins does she have?",
        "Vera has 31 corks. How many corks does she have?",
        "Vera has 31 corks and Ole has 12.",
        "How many are 31 and 12" + " and then some more of the same" * 20 + "?",
        "",
    ],
)
def test_nothing_is_suggested_but_for_two_numbers_and_a_short_question(text: str) -> None:
    """One number, three, no question, a long text, none."""
    assert likely(text) is None


def test_one_story_has_the_same_features_with_other_people_and_things() -> None:
    """Names, nouns and pronouns give way to marks; what is done and the sizes stay."""
    one = "Vera had 31 corks. She ate 12 of them. How many corks are left?"
    other = "Igor had 31 beads. He ate 12 of them. How many beads are left?"
    kept = [features(marked(text), quantities(text), (0, 1), CUES) for text in (one, other)]
    assert np.array_equal(*kept)
    turned = "Vera had 12 corks. She ate 31 of them. How many corks are left?"
    assert not np.array_equal(kept[0], features(marked(turned), quantities(turned), (0, 1), CUES))


def test_a_suggestion_is_mostly_right_on_stories_that_were_never_trained_on() -> None:
    """Of 400 held-out problems at least a quarter is told, and of these few wrongly."""
    told = [(likely(one.text), one.label) for one in joining.held_out(400)]
    right = [NAMES.index(name) == label for name, label in told if name]
    assert len(right) > 100
    assert sum(right) > 0.85 * len(right)


def test_a_suggestion_fills_the_note_on_the_steps_where_rules_are_silent() -> None:
    """The same slots as a rule's: what is done, its name, the numbers."""
    text = "Vera keeps 31 corks in a tin, of which 12 are red. What number of corks is not red?"
    assert operation(text, None, Tables()) is None
    told = {"steps": "31 less the other", "operations": "difference", "numbers": "31, 12"}
    assert steps(text, None, Tables()) == told


def test_what_is_learnt_is_what_is_read(tmp_path: Path) -> None:
    """A file of weights gives the chances that the network gave, but for its rounding."""
    some = joining.gather(240, seed=1)
    cues = joining.cues_of(some, ROOT / "annotations/tables/changes.json")
    found = [features(one.marks, one.given, one.pair, cues) for one in some]
    keys = joining.shared(found, [n % 60 for n in range(len(some))])
    known = [places(one, keys) for one in found]
    net = joining.fit(known, np.array([one.label for one in some]), len(keys))
    tensors, metadata = joining.packed(net, keys, cues)
    save_file(tensors, tmp_path / "likely.safetensors", metadata)
    weights = read(str(tmp_path / "likely.safetensors"))
    assert weights.cues.words == cues.words
    assert json.loads(metadata["cues"])[1] == dict(weights.cues.effects)
    net.eval()
    for one, at in zip(found, known, strict=True):
        logits = net([at])[0].detach().double().numpy()
        odds = np.exp(logits - logits.max())
        assert weights.chances(one) == pytest.approx(odds / odds.sum(), abs=0.02)
