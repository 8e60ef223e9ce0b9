"""The stories that witnesses.py knows: which two numbers of a problem its question needs."""

import pytest

from promptfix.slots.counting import sort_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (
            (
                "9 cats were sitting in the barn. 23 cats came in while some ran off. "
                "Then there were 14 cats in the barn. How many more cats came in than ran off?"
            ),
            ["9", "14"],
        ),
        (
            (
                "Otto had 40 marbles. He has 28 marbles left after he gave equal numbers of "
                "marbles to his 4 cousins. How many marbles did Otto give to his cousins?"
            ),
            ["40", "28"],
        ),
        (
            (
                "There are 34 corks in a jar. Ida has 8 corks in a tin. Max takes 11 corks out of "
                "the jar. How many corks are left in the jar?"
            ),
            ["34", "11"],
        ),
        (
            (
                "They press 14 crates per day and each crate contains 33 apples. "
                "How many days will it take to press 70 crates of apples?"
            ),
            ["14", "70"],
        ),
    ],
)
def test_of_a_known_story_the_two_numbers_that_its_question_needs_count(
    text: str, numbers: list[str]
) -> None:
    found = sort_numbers(text)

    assert found is not None
    assert [quantity.number for quantity in found.counting] == numbers


@pytest.mark.parametrize(
    "text",
    [
        # What is there now is one of the compared numbers.
        (
            "9 cats were in the barn. 23 cats came in while some ran off. Then there were 14 cats "
            "in the barn. How many more cats came in than are still there?"
        ),
        # A few more came of which nothing is known.
        (
            "There were 15 pots on a shelf. Eva took off 4 and put on a few new ones. There are 38 "
            "pots on the shelf at present. How many new pots are there on the shelf?"
        ),
        # Both rates are of one kind, and either may be the one that is meant.
        (
            "Each box of pens costs 12 dollars. There is a discount of 3 dollars on each box. How "
            "many boxes of pens can you buy with 27 dollars?"
        ),
        # So many pupils in each room are a product of their own.
        (
            "The camp has 12 halls. There are 30 pupils in each hall of the camp. "
            "If there are 6 seats on each bus, how many buses are needed for the trip?"
        ),
    ],
)
def test_a_story_in_which_one_number_has_no_plain_part_is_passed_over(text: str) -> None:
    assert sort_numbers(text) is None
