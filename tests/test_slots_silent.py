"""Where a note would say something false of a problem, the parsers say nothing."""

import json
from pathlib import Path

import pytest

from promptfix.formats import Tables
from promptfix.slots import FILLERS

DATA = Path(__file__).parent.parent / "annotations" / "tables"
TABLES = Tables.model_validate(
    {
        name: json.loads((DATA / f"{name}.json").read_text("utf-8"))
        for name in ("units", "parts", "multiples", "fractions", "changes")
    }
)


def _fill(name: str, text: str) -> dict[str, str] | None:
    return FILLERS[name].fill(text, None, TABLES)


@pytest.mark.parametrize(
    "text",
    [
        "A bush had 30 figs. Ida picked 12. How many figs are still on the bush?",
        "A kiosk had 30 mugs. Guests bought 12 mugs. How many mugs does the kiosk have now?",
        "Al has 30 cards to write. He wrote 12 cards. How many are left to write?",
        "Ida had $30 in a jar. She withdrew $12 from the bank. How much is in the jar now?",
        "A club had 30 maps. Hikers returned 12 maps. How many maps does the club have now?",
        "Al was given 12 figs. How many figs does Al have?",
        "Al sold 12 figs to Ida. How many figs does Ida have?",
        "Ida had 30 figs. She found 12 of them in a bag. How many figs does she have?",
    ],
)
def test_a_change_is_not_told_from_the_wrong_side(text: str) -> None:
    """What one picks, buys or gets, another has less of; and a part of what is there is no gain."""
    assert _fill("change", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "The fever of 104 fell to 99. How many degrees is that?",
        "A club grew to 500. How many are new?",
        "Al won by 7 points. How many points did he have?",
        "A rope is cut into 6 pieces. How long is each if the rope is 12 feet long, and how many?",
        "A bus arrives at 7 o'clock. How many hours is that from noon?",
        "Al sold it for $12. How many dollars did he gain?",
    ],
)
def test_a_number_behind_a_preposition_is_no_change(text: str) -> None:
    """It is where a change leads, when it is, or what is paid for it."""
    assert _fill("change", text) is None


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Ida had 30 figs. She picked 12 figs. How many figs does Ida have now?", "more"),
        ("There are 30 figs here. Al put 12 more figs here. How many are here now?", "more"),
        ("A fee was 30 cents. It rose by 12 cents. How much is it now?", "more"),
        ("There were 30 maps in a box. Al put 12 maps in the box. How many are in it now?", "more"),
        ("Ida had $30 in the bank. She withdrew $12. How much is left in the bank?", "fewer"),
        ("Al has sent 12 cards. How many cards are left?", "fewer"),
    ],
)
def test_a_change_is_told_from_the_side_that_is_asked_about(text: str, more: str) -> None:
    filled = _fill("change", text)
    assert filled is not None
    assert filled["more"] == more


@pytest.mark.parametrize(
    "text",
    [
        "A bush had 30 figs. 12 figs were picked. How many figs are on the bush now?",
        "A club had 30 maps. 12 maps were borrowed. How many maps does the club have now?",
        "Ida had 30 bulbs. She planted 12 bulbs. How many bulbs does she have now?",
        "Ida had 30 logs. She added 12 logs to the fire. How many logs does she have now?",
        "Ida had 30 dimes. She withdrew 12 dimes from the bank. How many dimes has she now?",
        "Al had 30 nuts. He was given 12 nuts. How many nuts does he have now?",
        "Al had 30 nuts. 12 nuts were sent to him. How many nuts does he have now?",
        "Ida sold 12 nuts to Al. Al had 30 nuts. How many nuts does Al have now?",
        "Al has 30 nuts, 12 of which are ripe. How many nuts does Al have in total?",
        "Al saw 30 kites, 12 of them green. How many kites did he see in all?",
        "Al bought 30 kites and 12 were green. How many kites did he buy in all?",
        "Al has 30 kites. 8 are green and 5 are blue. How many kites does he have altogether?",
        "There are 9 vans. 3 vans are old. Each van seats 4 people. How many people can sit?",
        "Ida and her 3 cousins have 6 kites each. How many kites do they have?",
        "Ida and 4 cousins share 20 kites equally. How many kites does each get?",
        "Al has -3 points. He gets 8 points. How many points does he have now?",
    ],
)
def test_no_steps_are_told_where_a_number_plays_another_part(text: str) -> None:
    """Something is done to things by others, a gift is received, or a part is not a second one."""
    assert _fill("steps", text) is None


@pytest.mark.parametrize(
    ("text", "operations"),
    [
        ("Al had 30 nuts. 12 nuts were given away. How many nuts are left?", "difference"),
        ("Al had 30 nuts. 12 nuts were eaten. How many nuts are left?", "difference"),
        ("Al had 30 nuts. He sold 12 of the nuts. How many nuts are left?", "difference"),
        ("Al saw 30 larks. Ida saw 12 larks. How many larks did they see in all?", "sum"),
    ],
)
def test_steps_are_told_of_what_goes_and_of_two_parts(text: str, operations: str) -> None:
    filled = _fill("steps", text)
    assert filled is not None
    assert filled["operations"] == operations


@pytest.mark.parametrize(
    "text",
    [
        "Al has 12 nuts. His sister has 9 nuts and 5 cups. How many nuts does his sister have?",
        (
            "Al read 12 tales and 9 poems on monday and 5 tales on friday. "
            "How many tales did he read on monday?"
        ),
        "Al had 12 nuts and 5 cups. He bought 9 nuts. How many nuts did he buy?",
        "Al ran 5 laps of 2 miles. Bo ran 7 miles. How many more miles did Al run than Bo?",
        (
            "A club had 30 larks and 12 owls. 4 larks flew out. "
            "How many more larks than owls were there then?"
        ),
        "A shop sold 12 red pots, 9 blue pots and 5 pans. How many more pots than pans were sold?",
    ],
)
def test_two_numbers_do_not_count_where_one_or_three_do(text: str) -> None:
    """The question is about one owner, time or deed; or a side is a product, or changed."""
    assert _fill("asked", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Al had 12 nuts and his sister had 9 nuts. How many nuts does his sister have?",
        "Al types 40 words a minute. How many words does he type in 2 hours?",
        "Al and 4 cousins shared 20 nuts. How many nuts did each get?",
        "It was -3 degrees, then 8 degrees. How many degrees is the gap?",
    ],
)
def test_two_numbers_are_not_all_where_one_counts_or_three_do(text: str) -> None:
    """One is asked for, a unit has to be turned into another, or one more shares."""
    assert _fill("two-numbers", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "30 pupils were on a trip. 12 were girls. How many more girls than boys were there?",
        "Al has 30 nuts, 12 of them sweet. How many more sour nuts than sweet nuts does he have?",
        "Ida has 9 figs, 4 more than Al. How many more figs does Ida have than Al?",
        "Al saved $4 a week for 6 weeks. Bo saved $9. How much more did Al save than Bo?",
    ],
)
def test_a_part_a_gap_or_a_rate_is_no_side_of_a_comparison(text: str) -> None:
    assert _fill("difference", text) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unit-word", "His gross pay is $50 and the tax $8. How much is left?"),
        ("unit-word", "A hen pecks at 5 seeds a minute. How many seeds are that in 3 minutes?"),
        ("unit-word", "The Twins won 4 games of 9. How many games were lost?"),
        ("multiple", "Al doubled back after 6 miles. How many miles is that?"),
        ("multiple", "Al plays doubles tennis with 3 others. How many play?"),
        ("multiple", "The triple jump went 9 feet. How many inches is that?"),
        ("roman", "The nurse hung IV fluids, 5 bags. How many is that?"),
        ("roman", "Size XX shirts cost $9. How much are 3?"),
    ],
)
def test_a_word_in_another_sense_stands_for_no_number(name: str, text: str) -> None:
    assert _fill(name, text) is None
