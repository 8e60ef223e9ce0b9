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
    ("difference", "Vera had 31 corks. She gave 12 to Ole. How many does she have left?"),
    ("difference", "Vera ate 12 plums. If she had 31 plums initially, how many plums are left?"),
    ("difference", "Vera has 12 corks. How many does she need to get to have 31 corks?"),
    ("difference", "Vera is 31 years old. Ole is 12 years old. How much older is Vera than Ole?"),
    ("difference", "A hat costs 6 dollars. Vera pays with 10 dollars. How much change is due?"),
    ("difference", "There are 31 corks. 12 corks are old and the rest are new. How many are new?"),
    ("sum", "There are 31 larks and 12 crows on a wire. How many birds are there in all?"),
    ("sum", "Vera had some corks. She lost 12. Now she has 31 corks. How many had she at first?"),
    ("sum", "12 goats got on a raft. Initially 31 goats were on it. How many are on it now?"),
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
    "Vera had 31 corks. She gave Ole 12 corks. How many corks does Ole have now?",
    "Vera had 31 corks in a box. She found 12 corks in a bag. How many corks are in the bag?",
    "Vera is 31 years old. Ole is 12 years older. How much older is Ole than Vera?",
    "There are 6 shelves and 12 crates of hats. How many hats are there in all?",
    "A tree was 31 feet tall. It grew 12 feet a year. How tall is the tree now?",
    "There were 31 goats. 12 goats left and some came back. How many goats are there now?",
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
