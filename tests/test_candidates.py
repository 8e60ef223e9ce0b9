"""From outcomes to rules: what a rule learns from, and what it is held against."""

from dataclasses import replace

import numpy as np
import pytest

from promptfix.formats import Annotation
from promptfix.mining.candidates import candidates
from promptfix.mining.halves import Sample
from promptfix.mining.outcomes import Answered
from promptfix.tasks import Item
from promptfix.testing import PROVENANCE

NOTE = Annotation(
    id="note",
    version=1,
    misunderstanding="extra-step",
    task="math",
    placement="end",
    template="Just {pair}.",
    filler="two-numbers",
    provenance=PROVENANCE,
)


def _items(n):
    return [
        Item(id=str(i), task="math", prompt=f"p{i}", gold="1", group=f"g{i}", text="")
        for i in range(n)
    ]


def test_a_prompt_that_stays_wrong_says_nothing_for_or_against_a_rule():
    """What is chosen first tells repairs from harms, not what can be moved from what cannot."""
    rng, n = np.random.default_rng(1), 1600
    can, wrong, moved = (rng.random(n) < share for share in (0.6, 0.75, 0.3))
    x = np.where(rng.random((n, 60)) < 0.3, rng.random((n, 60)) + 0.5, 0).astype(np.float32)
    x[:, 7] = np.where(wrong, rng.random(n) < 0.95, rng.random(n) < 0.05) * can
    x[:, 8] = moved * can
    turned = moved & (rng.random(n) < np.where(wrong, 0.8, 0.4))
    answered = Answered(
        plain=~wrong,
        fillable={"note": can},
        pointed={"note": np.zeros(n, dtype=bool)},
        noted={"note": np.where(can & turned, wrong, ~wrong)},
    )
    found = candidates(Sample(_items(n), [NOTE], answered, x), "math", 39, lambda _: None)
    assert [one.choice.columns[0] for one in found.kept] == [7]
    assert found.together.repaired > 10 * max(found.together.harmed, 1)


@pytest.mark.parametrize(("share", "lexical"), [(0.9, True), (0.4, False)])
def test_a_rule_about_a_word_goes_before_one_about_the_text(share, lexical):
    """Even where it predicts less, since it says where the trouble is; not if it hardly knows."""
    rng, n = np.random.default_rng(2), 1600
    told, loud, right = (rng.random(n) < share for share in (0.5, 0.3, 0.4))
    x = np.where(rng.random((n, 80)) < 0.3, 1.0, 0).astype(np.float32)
    words = x[:, :40].copy()
    x[:, 9], words[:, 9] = 0, np.where(rng.random(n) < share, loud, rng.random(n) < 0.3) & ~told
    x[:, 5] = loud & told
    repaired = loud & ~right
    answered = Answered(
        plain=right,
        fillable={"note": told},
        pointed={"note": ~told},
        noted={"note": right | repaired},
    )
    sample = Sample(_items(n), [NOTE], answered, x, {"note": words})
    found = candidates(sample, "math", 39, lambda _: None)
    assert [one.lexical for one in found.kept] == [lexical]
    assert found.kept[0].choice.columns[0] == (9 if lexical else 5)


def test_variants_are_learnt_from_and_never_counted():
    """Counts, thresholds and bounds are of originals; a problem and its variants stay together."""
    rng, n = np.random.default_rng(4), 4000
    right, told = rng.random(n) < 0.5, rng.random(n) < 0.5
    x = np.where(rng.random((n, 40)) < 0.3, 1.0, 0).astype(np.float32)
    x[:, 3] = told & ~right
    items = [
        replace(item, group=f"g{i // 4}", variant=i % 4 > 0) for i, item in enumerate(_items(n))
    ]
    answered = Answered(
        plain=right,
        fillable={"note": np.ones(n, dtype=bool)},
        pointed={"note": np.zeros(n, dtype=bool)},
        noted={"note": right | told},
    )
    sample = Sample(items, [NOTE], answered, x)
    held = sample.held("math")
    assert len({items[i].group for i in np.flatnonzero(held)}) * 4 == held.sum()
    (kept,) = candidates(sample, "math", 39, lambda _: None).kept
    original = np.arange(n) % 4 == 0
    mended = told & ~right
    assert kept.calibrated.prompts == (held & original).sum()
    assert kept.calibrated.repaired == (held & original & mended).sum()
    assert kept.selection.repaired == (~held & mended).sum()
