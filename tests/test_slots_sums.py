"""Sums and differences that a story of one step tells."""

import pytest

from promptfix.formats import Tables
from promptfix.slots.operations import operation

LARGER, SMALLER = ("find", "get"), ("lose", "give", "eat")
EFFECTS = {v: {"effect": "larger"} for v in LARGER} | {v: {"effect": "smaller"} for v in SMALLER}
TABLES = Tables.model_validate({"changes": EFFECTS})
TOLD = [
    ("difference", "Vera had 31 corks. She lost 12 corks. How many corks does Vera have now?"),
    ("sum", "Vera had 31 corks. She found 12 more corks. How many corks does Vera have now?"),
    ("sum", "Vera has 31 corks. Ole gives Vera 12 more. How many corks does Vera have now?"),
    ("difference", "Ole takes 12 corks away. Vera had 31 corks. How many corks are left?"),
    ("difference", "There were 31 plums. 12 plums were eaten. How many plums are left?"),
    ("difference", "Vera has 31 corks. Ole takes 12 away. How many corks will Vera have?"),
    (
        "sum",
        "Ole had some corks. He lost 12 corks. Now he has 31. How many corks had Ole at first?",
    ),
    (
        "difference",
        "Vera had 31 plums. She ate some. Now she has 12 plums. How many plums did Vera eat?",
    ),
    ("sum", "Vera found 31 corks. Ole found 12 corks. How many corks did they find in all?"),
    ("quotient", "There are 36 corks. They are sorted into 9 heaps. How big is each heap?"),
    (
        "sum",
        "Ole made 9 hats. Vera made 5 more than the number of hats Ole made. How many by Vera?",
    ),
]
UNTOLD = [
    "Vera had 31 corks. Ole found 12 corks. How many corks does Vera have now?",
    "Vera had 31 corks. She lost 12 corks. How many corks did Vera lose?",
    "Vera had 31 corks. She lost 12 pins. How many corks does Vera have now?",
    "Vera had 31 corks. She lost half of them and 12 more. How many corks has she left?",
    "Vera has 31 corks. Vera gives Ole 12 more. How many corks does Ole have?",
    "Vera found 31 corks. Ole lost 12 corks. How many corks do they have in all?",
]


@pytest.mark.parametrize(("name", "text"), TOLD)
def test_a_change_or_a_whole_is_told_where_the_verbs_leave_no_doubt(name: str, text: str) -> None:
    """What is after a change, what was before it, how large it was, and a whole of two parts."""
    assert operation(text, None, TABLES) == {"operation": name}


@pytest.mark.parametrize("text", UNTOLD)
def test_no_change_is_told_of_another_owner_or_thing_or_question(text: str) -> None:
    """The number that changes must be the one that is asked for."""
    assert operation(text, None, TABLES) is None
