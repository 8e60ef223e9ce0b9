"""The parsers fill slots from plain English, or not at all."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.formats import Sense, Tables
from promptfix.records import Span
from promptfix.slots import FILLERS, MOST
from promptfix.slots.lemmas import base, singular
from promptfix.slots.operations import operation
from promptfix.slots.words import quantities, spelled_runs

DATA = Path(__file__).parents[1] / "annotations/tables"
SENSES = {
    "devour": Sense(pos="verb", sense="to eat food quickly and hungrily"),
    "run": Sense(pos="verb", sense="to move fast on foot"),
    "dance": Sense(pos="verb", sense="to move to music"),
    "break": Sense(pos="verb", sense="to come apart in pieces"),
    "sharp": Sense(pos="adjective", sense="able to cut"),
    "house": Sense(pos="noun", sense="a building to live in"),
}
RARE = {
    "flense": Sense(pos="verb", sense="cut the fat off a whale"),
    "slops": Sense(pos="noun", sense="a weak and dirty soup"),
}
TABLES = Tables.model_validate(
    {
        name: json.loads((DATA / f"{name}.json").read_text("utf-8"))
        for name in ("units", "parts", "multiples", "fractions", "changes")
    }
).model_copy(update={"senses": SENSES, "rare": RARE})

COOKIES = (
    "Paco had 26 salty cookies and 17 sweet cookies. He ate 14 sweet cookies and 9 salty "
    "cookies. How many salty cookies did Paco have left?"
)
BAKER = (
    "Baker made 54 cakes and 143 pies. If he sold 68 cakes and 92 pies, how many more pies than "
    "cakes did baker sell?"
)
BLOCKS = (
    "Randy has 90 blocks. He used 89 blocks for a house and 63 blocks for a tower. How many more "
    "blocks did he use for the house than for the tower?"
)
KIDS = (
    "Ann met 8 kids on monday, 11 kids on tuesday and 9 kids on friday. How many more kids did "
    "she meet on tuesday than on friday?"
)
CASES: list[tuple[str, str, dict[str, str] | None]] = [
    (
        "unit-word",
        "Ann has two gross of pens. How many is that?",
        {"word": "gross", "value": "144"},
    ),
    ("unit-word", "He slept for a fortnight. How many days?", {"value": "14"}),
    ("unit-word", "Calculate half a dozen times 3.", {"word": "half dozen", "value": "6"}),
    ("unit-word", "Convert 3 fathoms to feet.", {"word": "fathom", "value": "6"}),
    ("unit-word", "She bought half a dozen eggs and went home.", None),
    ("unit-word", 'Is "dozen" meant literally here? A dozen of us came.', None),
    ("unit-word", "He scored in five games this year.", None),
    ("unit-word", "A gross is 7 pens here. Has Ann 2 gross?", None),
    ("unit-word", "A quartet of 4 women meets a trio. How many?", {"word": "trio"}),
    ("number-word", "She read forty-two pages. How many?", {"numbers": "forty-two is 42"}),
    (
        "number-word",
        "How many are two hundred and six bones?",
        {"numbers": "two hundred and six is 206"},
    ),
    ("number-word", "She read forty-two pages.", None),
    ("number-word", "She ate 3 and one more. How many?", None),
    (
        "number-word",
        "He came late. She has forty-two pens and ten caps. How many?",
        {"sentence": "She has 42 pens and 10 caps."},
    ),
    ("multiple", "Ann has 4, Tim thrice as many. How many?", {"statement": "thrice means 3 times"}),
    ("multiple", "There were 9. It tripled. How many?", {"word": "triple", "value": "3"}),
    ("multiple", "Ann has 4, Tim thrice as many.", None),
    ("multiple", "Tim has thrice as many. How many?", None),
    (
        "fraction",
        "One tenth of 50 lamps are lit. How many?",
        {"word": "a tenth of", "statement": "for a tenth, divide by 10"},
    ),
    ("fraction", "Half the 8 pens are red. How many?", {"value": "2"}),
    ("fraction", "He came 3 days later, as a third. How many?", None),
    ("part", "How many legs do 4 spiders have?", {"statement": "a spider has 8 legs"}),
    ("part", "How many flies do 4 spiders eat?", None),
    ("part", "A spider has 8 legs. How many legs do 3 spiders have?", None),
    ("roman", "He is at chapter XIV of 20. How many are left?", {"numeral": "XIV", "value": "14"}),
    ("roman", "What happened in World War II?", None),
    ("roman", "He is at chapter XIV of 20.", None),
    ("roman", "I take size XL, and he is no. V of 9. How many?", None),
    ("asked", COOKIES, {"noun": "salty cookies", "numbers": "26, 9"}),
    (
        "asked",
        BAKER,
        {"numbers": "68, 92"},
    ),
    (
        "asked",
        BLOCKS,
        {"numbers": "89, 63"},
    ),
    (
        "asked",
        "3 birds sat here. 6 storks and 2 more birds came. How many birds are here?",
        {"numbers": "3, 2"},
    ),
    ("asked", "Ed has 5 more pens than Al, 8 cups and 9 pens. How many pens has Al?", None),
    ("asked", "He ate 14 sweet and 9 salty cookies. How many salty cookies?", None),
    (
        "unasked",
        KIDS,
        {"others": "8 kids"},
    ),
    ("asked", "Sit down.", None),
    ("unasked", COOKIES, {"others": "17 sweet cookies, 14 sweet cookies"}),
    ("unasked", "5 boxes hold 8 pens each. How many pens?", None),
    (
        "difference",
        "Lena picked 26 red roses and 9 white roses. How many more red roses than white roses?",
        {"first": "26", "second": "9"},
    ),
    (
        "difference",
        "Ann has 12 marbles. Tom has 5 marbles. How many more marbles does Ann have than Tom?",
        {"first": "12", "second": "5"},
    ),
    ("difference", "Ann has 12 marbles. How many more does she need?", None),
    (
        "start-unknown",
        "Ken gave away 7 cards. Now he has 12 cards left. How many cards did he have at first?",
        {"end": "12", "change": "7", "effect": "smaller"},
    ),
    ("start-unknown", "Ken gave away 7 of 12 cards. How many cards are left?", None),
    ("change", "She gave 5 apples away. How many are left?", {"more": "fewer", "number": "5"}),
    ("change", "He found 3 coins. How many has he now?", {"verb": "found", "more": "more"}),
    ("change", "There are 3 coins.", None),
    ("change", "She gave 5 apples away and went home.", None),
    (
        "comparison",
        "Tom has 5 more marbles than Ann. Ann has 12.",
        {"restated": "Ann has 5 fewer marbles than Tom", "larger": "Tom"},
    ),
    (
        "comparison",
        "Bob is 4 years older than his sister.",
        {"restated": "his sister is 4 years younger than Bob", "larger": "Bob"},
    ),
    (
        "comparison",
        "The black dog weighs 3 pounds less than the brown dog.",
        {"restated": "the brown dog weighs 3 pounds more than The black dog"},
    ),
    ("comparison", "Sara has 3 times as many stickers as Tim.", {"larger": "Sara"}),
    ("comparison", "There are 7 more boys than girls here.", {"larger": "boys"}),
    ("comparison", "Ivy got four more riddles than Josh did.", {"larger": "Ivy"}),
    ("comparison", "It was more than enough.", None),
    ("each", "There are 5 boxes with 8 pencils each.", {"groups": "5", "size": "8"}),
    ("each", "Each box has 8 pencils. There are 5 boxes.", {"groups": "5", "size": "8"}),
    ("each", "She put 8 pencils in each of 5 boxes.", {"groups": "5", "size": "8"}),
    ("each", "He earns 9 dollars per hour and works 6 hours.", {"groups": "6", "size": "9"}),
    ("each", "A machine fills 150 cans every 8 minutes.", None),
    (
        "sense",
        'Is the word "devoured" used literally or metaphorically in this sentence? She devoured.',
        {"word": "devoured", "lemma": "devour", "sense": "to eat food quickly and hungrily"},
    ),
    ("sense", "The news *broke* late. Is the marked word a metaphor?", {"lemma": "break"}),
    ("sense", 'In the sentence "Her mind ran on", is the word "ran" literal?', {"lemma": "run"}),
    ("sense", 'Is the adjective "sharper" literal here? A sharper mind.', {"lemma": "sharp"}),
    ("sense", 'Is the word "sang" literal? He sang.', None),
    ("sense", "She devoured the novel.", None),
    ("sense", 'Is the word "flensed" literal? It flensed us.', None),
    (
        "rare-sense",
        'Is the word "flensed" literal? It flensed us.',
        {"lemma": "flense", "sense": "cut the fat off a whale"},
    ),
    ("rare-sense", 'Is the word "flensed" literal? To flense is to cut. It flensed us.', None),
    (
        "company",
        'Is the word "swallowed" literal or metaphorical? He swallowed the slops.',
        {"noun": "slops", "sense": "a weak and dirty soup"},
    ),
    (
        "company",
        'Is the word "filled" meant literally in this sentence? Slops filled the house.',
        {"noun": "slops"},
    ),
    ("company", 'Is the word "filled" literal? Joy filled the house.', {"noun": "house"}),
    ("company", 'Is the word "filled" literal? Joy filled her.', None),
    ("company", "Slops filled the house.", None),
    (
        "asked",
        "Ida has 36 figs and 6 nuts. She gives 9 girls the figs. How many figs does each girl get?",
        {"pair": "36 and 9"},
    ),
    (
        "asked",
        "Al has 63 cards. Bo gives Al 7 more. Bo has 13 nuts. How many cards does Al have?",
        {"pair": "63 and 7"},
    ),
    (
        "asked",
        "Al has 9 caps. Ann has 10 caps. Ann finds another 5 caps. How many caps does Ann have?",
        {"pair": "10 and 5"},
    ),
    (
        "asked",
        "5 red figs, 9 blue figs and 15 green figs are here. How many red and green figs are here?",
        {"pair": "15 and 5"},
    ),
    (
        "asked",
        "Bo had 4 figs. He lost 16 and found 8. How many more figs did he lose than he found?",
        {"pair": "16 and 8"},
    ),
    (
        "asked",
        "A man had 12 guests. While 5 guests left he got 4 new guests. How many guests has he?",
        None,
    ),
    (
        "two-numbers",
        "Tom has 4 eggs and buys 6. How many eggs has he?",
        {"pair": "6 and 4"},
    ),
    ("two-numbers", "Tom has 4 eggs and buys six. How many eggs has he?", None),
    ("two-numbers", "Tom buys 2 gross of eggs and eats 6. How many eggs has he?", None),
    ("two-numbers", "Tom has 9 eggs. Ann has 2 more than Tom. How many are there?", None),
    ("two-numbers", "He ate 9 eggs on Monday and 4 eggs fewer later. How many did he eat?", None),
    (
        "two-numbers",
        "Tom has 4 dollars and saves 9 dollars. How much money has he?",
        {"pair": "9 and 4"},
    ),
    ("two-numbers", "Tom walks 4 miles and then 9 feet. How far is that?", None),
    ("two-numbers", "A shelf is 4 feet long, another 9 feet. How many inches is that?", None),
    ("two-numbers", "Tom has 4 pairs of shoes and 9 boots. How many shoes are there?", None),
    ("two-numbers", "Each of 4 hens lays 6 eggs. How many eggs is that?", None),
    (
        "two-numbers",
        "Mo shares 24 figs among 6 girls. How many figs does each girl get?",
        {"pair": "24 and 6"},
    ),
    ("two-numbers", "Tom has 4 eggs, 5 nuts and 6 figs. How many is that?", None),
    (
        "two-numbers",
        "Al had 42 figs. He bequeathed 9 figs. How many figs has he?",
        {"pair": "42 and 9"},
    ),
    ("two-numbers", "Al packed 33 caps and bequeathed 16 caps. How many caps are there?", None),
    (
        "steps",
        "Al had 42 figs. He ate 9 of them. How many figs are left?",
        {"steps": "42 less the other", "operations": "difference", "numbers": "42, 9"},
    ),
    (
        "steps",
        "Al had 42 figs. He found 12 figs and lost 5 figs. How many figs does he have now?",
        {
            "steps": "First put two together, then take one from the other",
            "operations": "sum, difference",
            "numbers": "42, 12, 5",
        },
    ),
    (
        "steps",
        "Al shares twelve figs evenly among 3 friends. How many figs does each get?",
        {"steps": "12, divided by the other", "operations": "quotient", "numbers": "12, 3"},
    ),
    ("steps", "Al packed 33 caps and bequeathed 16 caps. How many caps are there?", None),
    ("two-numbers", "Tom has 4 eggs and buys 6 dozen. How many eggs has he?", None),
]


@pytest.mark.parametrize(("name", "text", "expected"), CASES)
def test_a_filler_fills_its_slots(name: str, text: str, expected: dict[str, str] | None) -> None:
    """The slots hold what the text says; a text of another kind fills none."""
    filled = FILLERS[name].fill(text, None, TABLES)
    if expected is None:
        assert filled is None
    else:
        assert filled is not None
        assert expected.items() <= filled.items()
        assert set(filled) == FILLERS[name].slots


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("fraction", "A tenth of 50 pens are red. How many?", "tenth"),
        ("unit-word", "Half a dozen pens and 3 caps. How many?", "dozen"),
        ("part", "How many players have 3 soccer teams?", "soccer"),
        ("number-word", "Ten of two hundred and six. How many?", "hundred"),
        ("roman", "Chapter IX of 12. How many are left?", "IX"),
        ("multiple", "It tripled.", None),
    ],
)
def test_a_note_is_about_one_word(name: str, text: str, word: str | None) -> None:
    """Of several words it is the longest: detectors look at single words."""
    about = FILLERS[name].about
    assert about is not None
    found = about(text, TABLES)
    assert (found.of(text) if found else None) == word


def test_a_finding_about_a_word_is_answered_about_that_word() -> None:
    """With a span, only the unit word there is taken, also one that is too common otherwise."""
    text = "Two gross of pens last a year. How many months is that?"
    at = Span(start=text.index("year"), end=text.index("year") + 4)
    fill = FILLERS["unit-word"].fill
    assert (fill(text, at, TABLES) or {})["word"] == "year"
    assert (fill(text, None, TABLES) or {})["word"] == "gross"
    assert fill(text, Span(start=0, end=3), TABLES) is None
    assert fill(text.replace("months", "days"), at, TABLES) is None


def test_a_note_about_a_word_never_says_what_kind_of_use_it_is() -> None:
    """No annotation for metaphor names an answer, and no sense that it may tell does."""
    for path in sorted(DATA.parent.glob("*.json")):
        template: str = json.loads(path.read_text("utf-8")).get("template", "").lower()
        assert not any(word in template for word in ("figurativ", "literal", "metaphor"))
    for name in ("senses", "rare"):
        for entry in json.loads((DATA / f"{name}.json").read_text("utf-8")).values():
            told: str = entry["sense"].lower()
            assert not any(word in told for word in ("figurativ", "literal", "metaphor"))


@given(st.text(), st.sampled_from(sorted(FILLERS)))
def test_any_text_can_be_parsed(text: str, name: str) -> None:
    """No text makes a parser fail, and the same text gives the same slots."""
    first = FILLERS[name].fill(text, None, TABLES)
    assert first == FILLERS[name].fill(text, None, TABLES)


def test_numbers_and_what_they_count() -> None:
    """Quantities have the words behind them, money its dollars, ratios are none."""
    found = quantities("He paid $1,200 for 3 old red cars, 5% off, and thirty-one of the 40 tyres.")
    assert [(q.number, q.noun) for q in found] == [
        ("$1,200", "dollars"),
        ("3", "old red cars"),
        ("thirty-one", ""),
        ("40", "tyres"),
    ]


def test_numbers_in_words() -> None:
    """Spelled numbers have their values."""
    said = [value for _, value in spelled_runs("three hundred and five, a hundred, ninety-nine")]
    assert said == [305, 99]


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("dancing", "dance"),
        ("running", "run"),
        ("ran", "run"),
        ("devours", "devour"),
        ("BROKEN", "break"),
    ],
)
def test_base_forms(word: str, form: str) -> None:
    """Inflected forms lead to their base among the known words."""
    assert base(word, SENSES) == form
    assert base("xyzzy", SENSES) is None


@pytest.mark.parametrize(
    ("word", "form"), [("boxes", "box"), ("people", "person"), ("ladies", "lady"), ("bus", "bus")]
)
def test_singulars(word: str, form: str) -> None:
    """Plurals lead to their singular."""
    assert singular(word) == form


@pytest.mark.parametrize(
    "text",
    [
        "Ron bought 4 packs of gum with 5 pieces each. He had 7 pieces. How many pieces has he?",
        "Ida put 3 cards on 8 pages each. She has 6 cards left. How many cards had she?",
        "Ida baked 3 pies from every bag of 9 apples. Al baked 4 pies. How many pies is that?",
        "There are 6 hens, 4 cups and 9 cups. How many cups are there for the hens?",
        "In total Ann had 8 red caps, 4 red caps and 6 blue caps dyed red. How many red caps?",
    ],
)
def test_a_number_that_may_be_needed_is_not_left_out(text: str) -> None:
    """Where a number hangs together with one that counts, or is of its kind, nothing is said."""
    assert FILLERS["asked"].fill(text, None, TABLES) is None
    assert FILLERS["unasked"].fill(text, None, TABLES) is None


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (
            (
                "9 guests went sailing and 8 guests went skating at noon. 5 guests went"
                " sailing at night."
                " How many guests went sailing in all?"
            ),
            "9 and 5",
        ),
        (
            (
                "Ida read 7 pages of prose, 3 pages of verse and 9 more pages of drama."
                " How many more pages of prose than drama did Ida read?"
            ),
            "9 and 7",
        ),
        (
            (
                "Bo bought 30 oak planks and 24 pine planks. He saws 6 oak planks and 4 pine"
                " planks a day."
                " How many days will the pine planks last?"
            ),
            "24 and 4",
        ),
        (
            (
                "Al has 12 crates of figs and 9 crates of nuts. There are 8 tins in each crate."
                " How many tins of nuts has Al?"
            ),
            "9 and 8",
        ),
        (
            (
                "Ann had 32 red hats and 8 blue hats. She sold some hats to Bo and now has 21"
                " red hats and 5 blue hats left."
                " How many more red hats than blue hats does Ann have?"
            ),
            "21 and 5",
        ),
        (
            (
                "Ann has 3 fewer figs and 5 more nuts than Bo. Bo has 8 figs and 6 nuts."
                " How many figs does Ann have?"
            ),
            "8 and 3",
        ),
        (
            (
                "Ann has 3 fewer figs than Bo who has 7 more figs than Cy. Bo has 9 figs."
                " How many more figs does Ann have than Cy?"
            ),
            "7 and 3",
        ),
        (
            (
                "Ida wants to sort her nuts into piles of 4. She has 20 nuts, 12 figs and 8"
                " pens."
                " How many piles will there be?"
            ),
            "20 and 4",
        ),
        (
            (
                "Ed passed his figs and nuts to his 6 aunts. If he had 24 figs and 30 nuts,"
                " how many figs did each aunt get?"
            ),
            "24 and 6",
        ),
        (
            (
                "6 crows and 2 owls sat here. 3 more owls came."
                " How many more crows than owls are here?"
            ),
            None,
        ),
        (
            (
                "There are 4 halls in each of the 5 wings. Each hall has 9 lamps."
                " How many lamps are there?"
            ),
            None,
        ),
    ],
)
def test_numbers_are_told_apart_by_what_is_said_of_them(text: str, pair: str | None) -> None:
    """By kind, deed or time, by what each holds, or by whom they compare; else nothing is said."""
    filled = FILLERS["asked"].fill(text, None, TABLES)
    assert (filled["pair"] if filled else None) == pair


def test_two_numbers_are_said_to_count_only_if_two_do() -> None:
    """Of three numbers that count the note with "two" says nothing; the fourth may be left out."""
    text = "Al has 9 figs, 5 figs, 3 figs and 8 cups. How many figs has he?"
    assert FILLERS["asked"].fill(text, None, TABLES) is None
    unasked = FILLERS["unasked"].fill(text, None, TABLES)
    assert unasked is not None
    assert unasked["others"] == "8 cups"


def test_a_tool_that_stands_behind_with_is_left_out() -> None:
    """What follows a number that counts, behind "with", is not what it is to be multiplied by."""
    text = "Al drew 23 maps with 2 pens. He sold 8 maps. How many maps has he not sold?"
    filled = FILLERS["asked"].fill(text, None, TABLES)
    assert filled is not None
    assert filled["pair"] == "23 and 8"


@pytest.mark.parametrize(
    "text",
    [
        "Ida had 9 red figs and 5 dry figs. She lost 4. How many more red figs than dry figs?",
        "Ann has 12 figs. Tom has 5 figs. Bo gets 4 figs. How many more figs has Ann than Tom?",
        "Ann had 12 and Tom had 5. Bo had 4 cups. How many more figs had Ann than Tom?",
    ],
)
def test_two_numbers_are_not_compared_if_a_third_may_change_one(text: str) -> None:
    """A third number without a noun, or of the same things, leaves open what is compared."""
    assert FILLERS["difference"].fill(text, None, TABLES) is None


@pytest.mark.parametrize(
    "text",
    [
        "Ann has 5 figs and Tom has 12 figs. How many more figs has Tom than Ann?",
        "A lamp costs 5 dollars. A vase costs 12. How much less does the lamp cost than the vase?",
    ],
)
def test_of_two_numbers_compared_the_larger_is_the_first(text: str) -> None:
    """In whatever order they are told: so the difference is taken."""
    filled = FILLERS["difference"].fill(text, None, TABLES)
    assert filled == {"first": "12", "second": "5"}


def test_a_number_of_other_things_does_not_hinder_a_comparison() -> None:
    """What a third number counts is named, and is neither side's."""
    text = (
        "Ida has 9 red figs, 5 dry figs and 4 cups. How many more red figs than dry figs has she?"
    )
    assert FILLERS["difference"].fill(text, None, TABLES) == {"first": "9", "second": "5"}


@pytest.mark.parametrize("middle", [" " * 4000, "1" * 4000, "more " * 4000, "times " * 4000])
def test_a_long_text_without_a_comparison_is_soon_read(middle: str) -> None:
    """A hostile text returns: no search starts from every one of its characters."""
    assert FILLERS["comparison"].fill(f"How many 5{middle}x?", None, TABLES) is None


def test_a_comparison_behind_another_clause_is_found() -> None:
    """A comparison begins where a clause does, not only where the text does."""
    text = "Al sat, and there he read. Ida has 5 more figs than Bo. How many figs has Ida?"
    filled = FILLERS["comparison"].fill(text, None, TABLES)
    assert filled is not None
    assert filled["restated"] == "Bo has 5 fewer figs than Ida"


@pytest.mark.parametrize(
    "text",
    [
        "Al has 9 five-dollar bills and 6 one-dollar bills. How much money is that?",
        "Ida made 10 two-point shots and 4 three-point shots. How many points did she get?",
        "There are 11 cows and 7 hens. How many legs do the cows have?",
        "If a flight takes 8 hours, and the plane has 66 seats, how many minutes does it take?",
        "A trio, 9 fiddlers and 4 pipers played. How many people is that?",
        "A bed is 9 feet long and 4 feet wide. How many feet of wire go around it?",
        "Al is 12 and walks 300 yards to school. How many yards is it there and back?",
        "One of the twins got 9 books and 4 games, the other the same. How many gifts is that?",
        "Milk is $9 a month, or $99 for the whole year at once. How much does one save in a year?",
    ],
)
def test_a_hidden_number_makes_a_problem_more_than_plain(text: str) -> None:
    """Two numbers in digits are not all if a word, a part or a unit brings another."""
    assert FILLERS["two-numbers"].fill(text, None, TABLES) is None


def test_a_unit_that_is_asked_for_hides_nothing() -> None:
    """Nickels that are counted as nickels need no cents."""
    text = "Al has 9 nickels. He finds 4 nickels. How many nickels has he?"
    filled = FILLERS["two-numbers"].fill(text, None, TABLES)
    assert filled is not None
    assert filled["pair"] == "9 and 4"


@pytest.mark.parametrize(
    "text",
    [
        "Al had 9 figs. His aunt gave him 7 figs. How many figs has Al?",
        "Al had 9 figs. Ida sent Al 7 figs. How many figs has Al?",
        "Al had 9 figs. Ida gave 7 figs to Al. How many figs has Al?",
        "Al saw 5 flies with 6 legs. How many legs is that?",
        "A score of 9 beats 5. How many points is that?",
    ],
)
def test_a_gift_or_a_noun_does_not_tell_what_becomes_smaller(text: str) -> None:
    """What is given to the one asked about makes his number larger, and "5 flies" are no verb."""
    assert FILLERS["change"].fill(text, None, TABLES) is None


def test_a_gift_to_another_makes_a_number_smaller() -> None:
    """The question is about the giver."""
    text = "Al had 9 figs. He gave 7 figs to Ida. How many figs has Al?"
    filled = FILLERS["change"].fill(text, None, TABLES)
    assert filled is not None
    assert filled["more"] == "fewer"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("part", "The volleyball team had 9 players. 2 were ill. How many players were well?"),
        ("part", "There are 6 chairs with 3 legs each. How many legs are there?"),
        ("part", "A wagon lost a wheel, so it has three wheels. How many wheels have 2 wagons?"),
        ("unit-word", "Each quire contains exactly 20 sheets. How many sheets are 6 quires?"),
        ("unit-word", "The quartet had five members. How many members are in 2 of these?"),
        ("unit-word", "A gross was one hundred to her. How many pens are in 3 gross?"),
    ],
)
def test_nothing_is_said_against_the_text(name: str, text: str) -> None:
    """Where the text itself says how many, a table's number is not told."""
    assert FILLERS[name].fill(text, None, TABLES) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("part", "There are 6 chairs and 2 dogs. How many legs are there?"),
        ("unit-word", "Ann buys a gross of one kind of pen and 5 more. How many is that?"),
    ],
)
def test_other_numbers_explain_no_word(name: str, text: str) -> None:
    """A number of something else leaves a word to be told."""
    assert FILLERS[name].fill(text, None, TABLES)


@pytest.mark.parametrize("word", ["gro\u017f\u017f", "m\u0130llennium", "m\u0131llennium"])
def test_letters_of_other_alphabets_are_no_table_word(word: str) -> None:
    """A word that only a loose reading of case makes one of the table fills nothing."""
    assert FILLERS["unit-word"].fill(f"How many pens are 3 {word}?", None, TABLES) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("What do six hundred and four hundred make?", [600, 400]),
        ("between one thousand and two thousand and ten birds", [1000, 2010]),
        ("Room seven twelve is shut.", [7, 12]),
        ("The red one eleven", [1, 11]),
        ("Three million two hundred thousand and six", [3_200_006]),
        ("Eighteen hundred and twelve", [1812]),
        ("Two hundred hundred", [200]),
        ("A hundred and five, a thousand two hundred", []),
        ("twenty-twenty, one-two-three", []),
    ],
)
def test_numbers_side_by_side_are_not_added_up(text: str, values: list[int]) -> None:
    """What is no single number in words is split where it goes wrong, or not read."""
    assert [value for _, value in spelled_runs(text)] == values


@pytest.mark.parametrize(("word", "form"), [("sharpest", "sharp"), ("sharper", "sharp")])
def test_adjectives_are_compared(word: str, form: str) -> None:
    """-er and -est lead from an adjective to its base."""
    assert base(word, SENSES) == form


@pytest.mark.parametrize("word", ["runner", "dancer", "breakest", "Runner"])
def test_only_adjectives_are_compared(word: str) -> None:
    """-er and -est make no verb or noun of the table from another word."""
    assert base(word, SENSES) is None
    assert base(word.lower(), {**SENSES, word.lower(): SENSES["run"]}) == word.lower()


@pytest.mark.parametrize("word", ["number", "liver", "litter"])
def test_nouns_that_end_like_comparatives_are_none(word: str) -> None:
    """A noun that happens to be an adjective and -er has no entry by that adjective."""
    known = dict.fromkeys(["numb", "live", "lit"], SENSES["sharp"])
    assert base(word, known) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fraction", "In the second half the Hawks made 21 points. How many were that?"),
        ("multiple", "Ed hit 4 doubles and two triples. How many hits were that?"),
        ("multiple", "A double-decker has 60 seats. How many have 3 of them?"),
        ("multiple", "Ann ate a double scoop and 3 wafers. How many scoops were that?"),
        ("roman", "An IV drip has 300 ml. How many ml are in 2 of them?"),
        ("roman", "He hung up 3 of the IV bags. How many were left?"),
    ],
)
def test_a_table_word_in_another_phrase_is_none(name: str, text: str) -> None:
    """Within some phrases a word does not stand for its number."""
    assert FILLERS[name].fill(text, None, TABLES) is None


@pytest.mark.parametrize(
    "text",
    [
        "How many points did they score?",
        "How many goals did the Hawks score in 3 games?",
        "She scores 5 goals. How many are 2 more?",
        "If players score 4 goals each, how many are that?",
    ],
)
def test_whoever_scores_has_no_twenty(text: str) -> None:
    """A score is 20 things as a noun only."""
    at = text.index("score")
    fill = FILLERS["unit-word"].fill
    assert fill(text, Span(start=at, end=at + 5), TABLES) is None


@pytest.mark.parametrize(
    ("name", "text", "at", "word"),
    [
        ("unit-word", "How many eggs are one and a half dozen?", None, "dozen"),
        ("unit-word", "Ed eats 3 pies and half a dozen figs. How many?", None, "half dozen"),
        ("unit-word", "How many eggs are two score and 3?", "score", "score"),
        ("unit-word", "Ed has 5 figs. How many more are three score?", "score", "score"),
        ("unit-word", "Ed had 90 figs. How many did Al eat if he ate two score?", "score", "score"),
        ("unit-word", "How many figs did Al get from two score figs?", "score", "score"),
        ("unit-word", "How many cents are 7 dimes?", "dimes", "dime"),
        (
            "unit-word",
            "9 dimes are here, 7 dimes are gone. How many dimes are left?",
            "dimes",
            None,
        ),
        ("multiple", "A pond of 9 frogs doubles. How many frogs is that?", None, "double"),
        ("multiple", "A herd of 7 doubles every year. How many is that?", None, "double"),
        ("fraction", "Half the 6 men left first. How many stayed?", None, "half of"),
    ],
)
def test_a_table_word_in_its_own_phrase_is_told(
    name: str, text: str, at: str | None, word: str | None
) -> None:
    """What is refused in one phrase is still told in others."""
    span = Span(start=text.index(at), end=text.index(at) + len(at)) if at else None
    assert (FILLERS[name].fill(text, span, TABLES) or {}).get("word") == word


PARTNERS = [
    ("Kim walks 1 lap in 4 minutes. How many minutes does she need for 6 laps?", "6 and 4"),
    (
        (
            "A mill grinds 12 bags of rye and 7 bags of oats per hour."
            " How many bags of oats does it grind in 6 hours?"
        ),
        "7 and 6",
    ),
    (
        (
            "They took 50 dollars in the first 4 hours and 20 dollars in the last 3 hours."
            " How much did they make per hour in the first 4 hours?"
        ),
        "50 and 4",
    ),
    (
        (
            "A play has 2 acts and lasts 90 minutes. The second act lasts 40 minutes."
            " How many minutes does the first act last?"
        ),
        "90 and 40",
    ),
    ("Jo fixed 14 lamps, sold 9 and lent 5 lamps. How many lamps were sold or lent?", "9 and 5"),
    (
        "Gus had 9 nuts. Lia had 4 nuts. Gus found 3 more nuts. How many nuts did Gus have then?",
        "9 and 3",
    ),
    (
        (
            "Ted has 8 more cups than Kai. Kai broke 3 of his cups. Ted has 20 cups."
            " How many more cups does Ted have than Kai now?"
        ),
        "8 and 3",
    ),
    (
        (
            "Ted has 8 more cups than Kai. Kai gave Ted 3 cups. Ted has 20 cups."
            " How many more cups does Ted have than Kai now?"
        ),
        None,
    ),
    (
        (
            "The shop makes 4 dollars off each cap. They sold a total of 50 caps."
            " They sold 20 caps in June. How much money did they make from selling caps in May?"
        ),
        None,
    ),
    (
        (
            "A wheel has 18 seats. Each seat holds 5 guests. 4 seats are broken."
            " How many guests can ride the wheel?"
        ),
        None,
    ),
    (
        (
            "Eva gave figs to her 4 dogs. She ate 10 figs and shared the rest."
            " Each dog got 2 figs. How many figs did she have?"
        ),
        None,
    ),
]


@pytest.mark.parametrize(("text", "pair"), PARTNERS)
def test_numbers_that_belong_together_are_found(text: str, pair: str | None) -> None:
    """By a rate, a part, a deed or an owner that the question names; never without a third."""
    filled = FILLERS["asked"].fill(text, None, TABLES)
    assert (filled["pair"] if filled else None) == pair


@pytest.mark.parametrize(
    "text",
    [
        "24 figs are shared equally among 4 boys and 2 girls. How many figs does each child get?",
        "Ann sold 9 cups, and twice as many on Friday. Then 5 cups and 3 plates. How many cups?",
        "A lamp costs 9 dollars, a vase costs 5. Ann buys 3 lamps. How many dollars does she pay?",
        "Ann has 9 figs. Tom has 5 figs. Tom gets 4 figs. How many more figs has Ann than Tom?",
        "Ann has 9 figs. Tom has 5 figs. Ann gives Bo 4 figs. How many more has Ann than Tom?",
        "8 boys and 6 girls are in a bus. 3 boys get off. How many more boys than girls are in it?",
    ],
)
def test_no_two_numbers_are_named_where_a_third_is_needed(text: str) -> None:
    """Others have a share, a number hides in a word, or what is compared is changed."""
    assert FILLERS["asked"].fill(text, None, TABLES) is None
    assert FILLERS["difference"].fill(text, None, TABLES) is None


def test_a_text_with_many_numbers_is_no_word_problem() -> None:
    """In a table of numbers nothing is looked for: to weigh each against each takes too long."""
    problem = (
        "Ann has 12 figs, Tom has 5 figs and Bo has 3 cups. How many more figs has Ann than Tom?"
    )
    table = "".join(f"{n} cups, " for n in range(MOST - 2))
    for filler in ("asked", "difference"):
        assert FILLERS[filler].fill(problem, None, TABLES) is not None
        assert FILLERS[filler].fill(f"{table}. {problem}", None, TABLES) is None


OPERATIONS = [
    ("quotient", "Each jar holds 9 buttons. Ann has 54 buttons. How many jars does she need?"),
    ("quotient", "A hall has 96 seats in 8 rows. How many seats are in each row?"),
    ("quotient", "Pens come in packs of 4. Tom wants 36 pens. How many packs does he buy?"),
    ("quotient", "A ticket costs 7 dollars. The show took in 84 dollars. How many tickets sold?"),
    ("quotient", "Bo rode 60 miles in 5 hours. How fast did Bo ride?"),
    ("quotient", "If Bo rode 60 miles at 12 miles per hour, how long did Bo ride?"),
    ("quotient", "She read 5 pages every day. The book has 50 pages. How many days is it?"),
    ("product", "Each child gets 3 sweets. There are 12 children. How many sweets is that?"),
    ("product", "Bo rode for 5 hours at 12 miles per hour. How far did Bo ride?"),
    ("product", "Each mug costs $2.50. How much do 6 mugs cost?"),
    ("product", "Bo dug 4 times. He found 3 worms each time. How many worms did he find?"),
    ("product", "A mat is 7 feet long and 4 feet wide. How many square feet does it cover?"),
    (
        "product",
        "A train pulls 9 wagons. Each wagon has 8 axles. How many axles is that altogether?",
    ),
    ("product", "They pick 4 tubs per day. Each tub holds 9 figs. How many figs are that per day?"),
    ("quotient", "5 divers share 35 pearls equally. How many pearls does each diver get?"),
    ("quotient", "There are 45 guests. Each boat has 9 seats. How many boats are needed?"),
    ("quotient", "A press prints 8 cards a minute. How long does it take to print 72 cards?"),
    ("quotient", "Ana has 48 dollars. Kites cost 6 dollars each. How many kites can she buy?"),
    ("quotient", "7 caps cost 63 dollars. What is the price of one cap?"),
    (
        "difference",
        "Some birds sat there. 7 more came. Now there are 31 altogether. How many before?",
    ),
    ("difference", "30 pupils came, 12 of them girls. How many boys came?"),
    ("difference", "Vera is 14 years older than Ines. Vera is 43. How old is Ines?"),
    ("sum", "Ole has 12 fewer shells than Liv. Ole has 30 shells. How many shells has Liv?"),
    ("sum", "There are 40 more girls than boys. There are 200 boys. How many girls are there?"),
]
UNTOLD_OPERATIONS = [
    "Tom has 5 bags with 20 marbles in each. How many bags does Tom have?",
    "A ticket costs 7 dollars. Tom is 14 years old. How many tickets does he buy?",
    "Ann has 5 more apples than Bob. Bob has 12 pears. How many apples does Ann have?",
    "There are 24 seats in each row. 8 seats are broken. How many rows are there?",
    "30 pupils came, 12 of them girls. How many of them were girls?",
    "Tom has some red and 5 blue pens, 12 pens in all. How many blue pens has Tom?",
    "Ann's robot is 7 seconds faster than Bo's. Bo's took 15 seconds. How many did Ann's take?",
    "Vera is 14 years older than Ines. Vera is 43. How old are they together?",
    "Each pack has 6 pens. Tom has 12 pens and gives 6 away. How many packs is that?",
    "Each jar holds 9 buttons. Ann has 50 buttons. How many jars does she fill?",
    "She ate 3 figs and 4 plums. How many more plums did she eat?",
    "Each crate has 6 pears and 5 plums. How many pieces of fruit have 8 crates?",
    "Each crate has 6 ripe pears and 5 hard pears. How many ripe pears have 8 crates?",
    "She read 5 pages every day. The book has 50 pages, she has 9 hats. How many days is it?",
    "There are 45 guests and 9 hosts. Each boat has 9 seats. How many boats are needed?",
    "Ana shares 48 figs equally with her 6 cousins and herself. How many figs does each get?",
    "It takes 4 masons 6 hours to build a wall. How many hours does each mason need?",
    "Ana had 63 dollars and bought 7 caps. How much does each cap cost?",
]


@pytest.mark.parametrize(("name", "text"), OPERATIONS)
def test_two_numbers_are_joined_as_the_question_asks(name: str, text: str) -> None:
    """Shares, equal groups, ways, the other part of a whole, the other side of a comparison."""
    assert operation(text, None, TABLES) == {"operation": name}


@pytest.mark.parametrize("text", UNTOLD_OPERATIONS)
def test_no_operation_is_named_where_the_words_leave_it_open(text: str) -> None:
    """A number that is only looked up, one of other things, or a third step."""
    assert operation(text, None, TABLES) is None
