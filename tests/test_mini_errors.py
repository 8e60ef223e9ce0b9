"""The error census: what is wrong with an answer is told from the item's own equation."""

import pytest

from eval.mini_errors import kind

PROMPT = "Tom has 8 red and 5 green apples. He eats 3 red ones. How many red apples are left?"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("red apples left: 8 - 4 = 4", "a number that is not in the prompt"),
        ("red apples left: 8 - 3 = 5\n5 + 5 = 10", "too many sums"),
        ("red apples left", "too few sums"),
        ("red apples left: 8 - 5 = 3", "wrong numbers"),
        ("red apples left: 8 + 3 = 11", "wrong operation"),
        ("red apples left: 8 + 5 = 13", "wrong numbers and operation"),
        ("red apples left: 3 - 8 = 5", "the right sum, in the wrong order or miscalculated"),
    ],
)
def test_each_kind_of_error_is_told(said, expected):
    """One wrong answer of each kind is put under its kind."""
    assert kind(PROMPT, "( 8.0 - 3.0 )", said) == expected


def test_a_product_worked_out_by_digits_is_one_sum():
    """Its parts are no numbers from nowhere, and no sums too many."""
    said = "43 * 20 = 860\n43 * 3 = 129\n860 + 129 = 989\n989 + 8 = 997"
    assert kind("43 packs of 23 and 8 more.", "( ( 43 * 23 ) - 8 )", said) == "wrong operation"


def test_decimals_are_told_apart_by_value():
    """12.50 in the prompt is 12.5 in the equation."""
    said = "12.50 - 2.50 = 11.00"
    expected = "the right sum, in the wrong order or miscalculated"
    assert kind("It cost $12.50, and $2.50 came off.", "( 12.5 - 2.5 )", said) == expected


def test_what_is_no_number_is_in_no_sum():
    """Mini writes "3.75.50" at times; the census goes on."""
    said = "8 - 3 = 3.75.50\n8 - 4 = 4"
    assert kind(PROMPT, "( 8.0 - 3.0 )", said) == "a number that is not in the prompt"


def test_results_of_earlier_sums_are_not_foreign():
    """A second sum may use what the first one gave."""
    said = "apples left: 8 + 5 = 13\n13 - 3 = 10"
    assert kind(PROMPT, "( ( 8 + 5 ) + 3 )", said) == "wrong operation"
