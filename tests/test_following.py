"""An answer is held against the notes in its prompt, where the sums it shows can tell."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.following import checkable, follows, strays
from promptfix.library import load
from promptfix.records import Prompt
from promptfix.rewriting import rewrite
from promptfix.slots import FILLERS, SHOWN
from promptfix.slots.shown import Sum, sums
from promptfix.testing import finding
from tests.test_library import ROOT

LIBRARY = load(ROOT / "detectors", ROOT / "annotations")
PAIR = {"pair": "43 and 5"}
GROSS = {"word": "gross", "value": "144", "statement": "1 gross = 144 things"}
ONE = {"steps": "43, divided by the other", "operations": "quotient", "numbers": "43, 5"}
TWO = {"steps": "...", "operations": "sum, difference", "numbers": "40, 12, 5"}
TIMES = {"steps": "So many times so much", "operations": "product", "numbers": "26, 16"}
GAP = {"first": "$1,200", "second": "58"}
SOLD = {"verb": "peddled", "number": "14", "more": "fewer"}
SPOONS = (
    "Ivan carved 16 spoons and 5 bowls. He gave 7 spoons away. How many spoons does he have now?"
)


@pytest.mark.parametrize(
    ("name", "slots", "answer", "told"),
    [
        ("asked-pair", PAIR, "spoons: 43 - 5 = 38\nAnswer: 38", True),
        ("asked-pair", PAIR, "spoons: 5 + 43 = 48\nAnswer: 48", True),
        ("asked-pair", PAIR, "43 - 5 = 38\n38 + 7 = 45\nAnswer: 45", False),
        ("asked-pair", PAIR, "spoons: 43 - 7 = 36\nAnswer: 36", False),
        ("asked-pair", PAIR, "spoons: 43 - 5 = 37\nAnswer: 37", False),
        ("asked-pair", PAIR, "Answer: 38", None),
        ("given-pair", {"pair": "forty and 5"}, "43 - 5 = 38", None),
        ("steps-told", ONE, "43 / 5 = 8.6\nAnswer: 8.6", True),
        ("steps-told", ONE, "43 * 5 = 215\nAnswer: 215", False),
        ("steps-told", TWO, "40 + 12 = 52\n52 - 5 = 47\nAnswer: 47", True),
        ("steps-told", TWO, "40 - 5 = 35\n35 + 12 = 47\nAnswer: 47", False),
        ("steps-told", TWO, "40 + 12 = 52\nAnswer: 52", False),
        ("steps-told", ONE, "43 / 10 = 4.3\nAnswer: 4.3", False),
        ("steps-told", TWO, "40 + 12 = 52\n52 - 12 = 40\nAnswer: 40", False),
        ("steps-told", TIMES, "26 * 10 = 260\n26 * 6 = 156\n260 + 156 = 416\nAnswer: 416", True),
        ("steps-told", TIMES, "26 * 10 = 260\n26 * 5 = 130\n260 + 130 = 390\nAnswer: 390", False),
        ("asked-pair", PAIR, "43 * 5 = 215\nAnswer: 215", True),
        ("asked-pair", {"pair": "26 and 16"}, "26 * 10 = 260\n26 * 6 = 156\n260 + 156 = 416", True),
        ("unit-word-statement", GROSS, "2 * 144 = 288\n288 - 5 = 283\nAnswer: 283", True),
        ("unit-word-statement", GROSS, "2 * 12 = 24\nAnswer: 24", False),
        ("difference-pair", GAP, "1,200 - 58 = 1,142\nAnswer: 1142", True),
        ("difference-pair", GAP, "1200 + 58 = 1258\nAnswer: 1258", False),
        ("change-count", SOLD, "30 - 14 = 16\nAnswer: 16", True),
        ("change-count", SOLD, "30 + 14 = 44\nAnswer: 44", False),
        ("change-count", SOLD | {"number": "fourteen"}, "30 + 14 = 44", None),
        ("comparison-restated", {"restated": "a", "larger": "b"}, "30 + 14 = 44", None),
    ],
)
def test_sums_tell_whether_an_answer_does_what_its_note_says(
    name: str, slots: dict[str, str], answer: str, *, told: bool | None
) -> None:
    """The numbers, operations or values of the note, in sums that come out; None: none can tell."""
    annotation = next(a for a in LIBRARY.annotations if a.id == name)
    assert follows(annotation, slots, answer) is told


def test_sums_are_read_as_models_write_them() -> None:
    """Signs of print, separators of thousands, decimals, and results below nought."""
    written = "2 \u00d7 1,250 = 2,500; 9\u00f73 = 3\n5 - 8 = -3, then 1.5 x 2 = 3.0"
    assert [one.sign for one in sums(written)] == ["*", "/", "-", "*"]
    assert all(one.comes_out for one in sums(written))
    assert not Sum(Decimal(9), "/", Decimal(0), Decimal(0)).comes_out
    assert sums("What is 5 plus 8, or 12 = 12?") == ()


@given(st.text(max_size=200), st.sampled_from(sorted(SHOWN)))
def test_any_answer_can_be_judged(answer: str, filler: str) -> None:
    """Whatever a model writes: it follows, it strays, or nothing can tell."""
    slots = dict.fromkeys(FILLERS[filler].slots, "7") | {"more": "fewer", "operations": "sum"}
    annotation = next(a for a in LIBRARY.annotations if a.filler == filler)
    assert follows(annotation, slots, f"{answer}\n3 + 4 = 7") in (True, False, None)


def test_every_check_reads_slots_that_its_parser_fills() -> None:
    """Nothing is asked of a slot that is not there."""
    for filler, shown in SHOWN.items():
        slots = dict.fromkeys(FILLERS[filler].slots, "7") | {"more": "more", "operations": "sum"}
        named = FILLERS[filler].slots
        shown({slot: text for slot, text in slots.items() if slot in named}, sums("3 + 4 = 7"))


def test_a_repair_knows_whether_its_answer_strays() -> None:
    """Judged by the note in the prompt, and only where the note is one that asks for sums."""
    lens = next(iter(LIBRARY.lenses))
    repair = rewrite(
        Prompt(text=SPOONS), [finding("irrelevant-quantity")], LIBRARY, lens=lens, limit=1
    )
    assert repair
    assert checkable(repair, LIBRARY)
    assert not strays(repair, "spoons: 16 - 7 = 9\nAnswer: 9", LIBRARY)
    assert strays(repair, "spoons: 16 - 5 = 11\nAnswer: 11", LIBRARY)
    assert not strays(repair, "Nine are left.", LIBRARY)
