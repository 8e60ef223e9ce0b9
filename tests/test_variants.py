"""Problems with other numbers: what they keep, and when there are none."""

import json
import re
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.variants import renumbered, value_of, variants
from promptfix.tasks import load, masked

ROW = {
    "id": "apples",
    "question": "Tom had 26 red and 17 green apples and ate 9 red ones. How many red ones has he?",
    "equation": "( 26 - 9 )",
    "answer": "17",
}


@pytest.mark.parametrize(
    ("equation", "value"),
    [("(2+3)*4", 20), ("7/2", Fraction(7, 2)), ("1.5*4", 6), ("1/0", None), ("2**9", None)],
)
def test_equations_are_reckoned_exactly(equation, value):
    """The four operations and brackets; whatever else is no equation."""
    assert value_of(equation) == value


@pytest.mark.parametrize("equation", ["__import__('os')", "x+1", "True", "-3", "", "(1,)", "1+"])
def test_an_equation_is_never_run(equation):
    """What is not numbers and operations has no value."""
    assert value_of(equation) is None


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_a_variant_is_the_same_problem(seed):
    """Its words, the order of its numbers by size, and an equation that gives its answer."""
    made = renumbered(ROW, Random(seed))
    assert masked(made["question"]) == masked(ROW["question"])
    old, new = (list(map(int, re.findall(r"\d+", r["question"]))) for r in (ROW, made))
    assert sorted(range(3), key=old.__getitem__) == sorted(range(3), key=new.__getitem__)
    assert Fraction(made["answer"]) == value_of(made["equation"]) == new[0] - new[2] > 0


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "18"},
        {"equation": "( 26 - 8 )"},
        {"question": ROW["question"].replace("26", "1,026"), "equation": "1026 - 9"},
        {"question": ROW["question"].replace("17", "1.5")},
        {"equation": "26 - y"},
    ],
)
def test_a_problem_that_its_equation_does_not_solve_has_no_variant(change):
    """A wrong answer, a number from elsewhere, numbers with commas or fractions."""
    assert list(variants(ROW | change, 3)) == []


def test_rows_of_variants_are_marked(tmp_path):
    """They have ids of their own, fall into the group of their problem, and are no originals."""
    made = list(variants(ROW, 5))
    assert len({row["question"] for row in made} - {ROW["question"]}) == len(made) > 1
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (ROW, *made)))
    items = load(file)
    assert [item.variant for item in items] == [False, *[True] * len(made)]
    assert len({item.group for item in items}) == 1
    assert len({item.id for item in items}) == len(items)
