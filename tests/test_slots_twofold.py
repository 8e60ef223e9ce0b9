"""The two operations of a problem with three numbers are told apart, or nothing is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.formats import Tables
from promptfix.slots.twofold import two_steps

TABLES = Tables()


def _of(text: str) -> tuple[str, str] | None:
    found = two_steps(text, None, TABLES)
    return (found["first"], found["second"]) if found else None


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (
            (
                "Nora had 40 shells. She found 12 shells and lost 5 shells. "
                "How many shells does she have now?"
            ),
            ("sum", "difference"),
        ),
        (
            (
                "Nora had 40 shells. She sold 12 of them and bought 5 new shells. "
                "How many shells does Nora still have?"
            ),
            ("difference", "sum"),
        ),
        (
            "Omar had 90 nails. He used 12 nails and lost 9 nails. How many nails are left?",
            ("difference", "difference"),
        ),
    ],
)
def test_two_changes_follow_each_other(text: str, pair: tuple[str, str]) -> None:
    assert _of(text) == pair


def test_changes_are_undone_where_the_start_is_asked() -> None:
    text = (
        "Ines lost 8 coins and gave away 5 coins. Now she has 20 coins. "
        "How many coins did she have at first?"
    )
    assert _of(text) == ("sum", "sum")


def test_an_untold_change_is_what_is_missing_at_the_end() -> None:
    text = (
        "Ines had 8 coins. She found 15 more coins and lost some. Then she had 20 coins left. "
        "How many coins did she lose?"
    )
    assert _of(text) == ("sum", "difference")


def test_a_changed_side_is_compared_last() -> None:
    text = (
        "7 ducks and 3 swans were on the pond. 9 more swans came to join them. "
        "How many more swans than ducks are on the pond?"
    )
    assert _of(text) == ("sum", "difference")


def test_three_amounts_asked_together_are_two_sums() -> None:
    text = (
        "Omar collected 7 stones in the wood, 3 stones by the lake and 8 stones at home. "
        "How many stones did Omar collect in all?"
    )
    assert _of(text) == ("sum", "sum")


def test_two_comparisons_are_walked_one_after_the_other() -> None:
    text = (
        "Ines has 30 stamps. Omar has 6 fewer stamps than Ines and 4 more stamps than Nora. "
        "How many stamps does Nora have?"
    )
    assert _of(text) == ("difference", "difference")


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (
            (
                "There are 12 shelves. Each shelf has 7 cups and 5 plates. "
                "How many cups and plates are there in all?"
            ),
            ("sum", "product"),
        ),
        (
            (
                "Nora has 9 trays of corks and 4 trays of caps. There are 6 pieces in each tray. "
                "How many pieces does Nora have?"
            ),
            ("sum", "product"),
        ),
    ],
)
def test_two_kinds_in_equal_groups_are_added_first(text: str, pair: tuple[str, str]) -> None:
    assert _of(text) == pair


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (
            (
                "Ida has 4 boxes with 6 pens in each box and 3 extra pens. How many pens does "
                "Ida have in all?"
            ),
            ("product", "sum"),
        ),
        (
            "Ida has 4 boxes. Each box holds 6 pens. She lost 3 pens. How many pens are left?",
            ("product", "difference"),
        ),
        (
            (
                "Ida has 8 boxes. She sold 3 boxes. Each box holds 6 pens. How many pens does "
                "she have now?"
            ),
            ("difference", "product"),
        ),
        (
            (
                "Ida baked 30 rolls and ate 6 rolls. She put 4 rolls in each bag. How many bags "
                "did she fill?"
            ),
            ("difference", "quotient"),
        ),
        (
            (
                "A school has 4 floors. Each floor has 6 rooms. Each room has 9 desks. How many "
                "desks does the school have?"
            ),
            ("product", "product"),
        ),
    ],
)
def test_one_size_with_something_beside_it_takes_two_steps(
    text: str, pair: tuple[str, str]
) -> None:
    """Things or groups beside the equal groups are added or taken away at their own level."""
    assert _of(text) == pair


@pytest.mark.parametrize(
    "text",
    [
        "There are 4 bags with 5 red figs and 6 blue ones in each. How many red figs are there?",
        "Ida has 4 boxes with 6 pens in each box and 3 loose pens. How many boxes does Ida have?",
        (
            "There are 4 bags with 5 figs and 6 nuts in each bag. How many figs and nuts are in a "
            "bag?"
        ),
    ],
)
def test_a_question_about_a_part_of_equal_groups_gets_nothing(text: str) -> None:
    """One kind of the things, the groups themselves, or a single group."""
    assert _of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        # two numbers, four numbers
        "Nora had 40 shells and found 12 shells. How many shells does she have now?",
        "Nora had 4 mugs. She got 2 mugs, lost 3 mugs and sold 1 mug. How many are left?",
        # a hidden number
        "Nora had 40 shells. She found 12 shells and lost half of 6. How many shells are left?",
        # an idle number
        "Nora had 40 shells. She sold 12 shells. She has 3 dogs. How many shells are left?",
        (
            "There are 12 shelves. Each shelf has 7 red cups and 5 blue cups. How many red cups "
            "are there in all?"
        ),
        (
            "Nora found 4 pins, Omar found 6 pins and Ines found 9 pins. How many pins did Omar "
            "and Ines find in all?"
        ),
        # an unknown verb
        "Nora had 40 shells. She found 12 shells and painted 5 shells. How many shells are left?",
        # a comparison of the two changes alone
        (
            "Nora had 40 shells. She lost 12 shells and found 5 new ones. How many more shells did "
            "she lose than those she found?"
        ),
        # nothing asked, or something behind the question
        "Nora had 40 shells. She found 12 shells and lost 5 shells.",
        "Nora had 40 shells. She found 12. How many shells are left? She lost 5 shells.",
    ],
)
def test_unclear_problems_get_nothing(text: str) -> None:
    assert _of(text) is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    two_steps(text, None, TABLES)
    two_steps(f"Ann had 3 {text} pins, got 4 and lost 5. How many {text}?", None, TABLES)
