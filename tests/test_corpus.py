"""The generator of mini's corpus: right, varied and seeded, and nothing held out slips in."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.formats import Tables
from promptfix.library import load as load_library
from promptfix.mini import heldout, heldout_senses, heldout_words, leaks
from promptfix.mini.corpus import deciding, fitting, glossed, metaphor, notes, words
from promptfix.mini.corpus.disguise import disguised
from promptfix.mini.corpus.draws import work, worked_out
from promptfix.mini.corpus.formulas import formula
from promptfix.mini.corpus.mix import Mixture
from promptfix.mini.corpus.planted import nouns, planted
from promptfix.mini.corpus.scene import Scene, scene
from promptfix.mini.corpus.schemas import Schema
from promptfix.mini.corpus.stories import HELD_OUT, STORIES, TRAINING
from promptfix.mini.corpus.surface import problem, spin
from promptfix.mini.corpus.swapped import counted, swapped
from promptfix.mini.corpus.worked import Worked, asked_phrase, for_training, read, retold
from promptfix.slots import FILLERS
from promptfix.slots.operations import operation
from promptfix.tasks import correct, metaphor_prompt

ROOT = Path(__file__).resolve().parent.parent


def _evaluated(step):
    left, right = step.split(" = ")
    exact = re.sub(r"[\d.]+", lambda number: f"Fraction('{number[0]}')", left)
    value = eval(exact, {"__builtins__": {}, "Fraction": Fraction})  # noqa: S307 - our own sums
    return value == Fraction(right)


@pytest.mark.parametrize("seed", range(60))
def test_problems_are_right(seed):
    """Every sum holds, every choice is made, and the last sum gives the answer."""
    rng = Random(seed)
    for _ in range(20):
        item = problem(rng)
        assert all(_evaluated(step) for step in item.steps)
        assert correct(item.solution, item.answer)
        assert "{" not in item.text
        assert "|" not in item.text
        if item.steps:
            assert item.steps[-1].endswith(f"= {item.answer}")


def test_formulas_compute_and_say_nothing_else():
    """Arithmetic, comparison and `pick` are known; a formula never runs as a program."""
    values = {"a": 7, "n": 2}
    assert formula("a*n+3")(values, Random(0)) == 17
    assert formula("a/n")(values, Random(0)) == 3.5
    assert formula("a%n")(values, Random(0)) == 1
    assert formula("a>n+2")(values, Random(0))
    assert {formula("pick(4,5,7)")(values, Random(seed)) for seed in range(40)} == {4, 5, 7}
    for text in ("__import__('os')", "a.n", "a**n", "a!=n", "1 <", "pick()"):
        with pytest.raises(ValueError, match="formula"):
            formula(text)


def test_every_schema_can_be_told():
    """No schema is impossible to draw."""
    for schema in (*TRAINING, *HELD_OUT):
        assert problem(Random(1), schema).text


def test_held_out_stories_are_never_trained_on():
    """Held-out and training schemas share no name, and together are all stories."""
    trained, held = {s.name for s in TRAINING}, {s.name for s in HELD_OUT}
    assert not trained & held
    assert {s.name for s in STORIES} <= trained | held
    assert len(held) >= 20
    rng = Random(0)
    assert {problem(rng).schema for _ in range(3000)} <= trained


def test_the_stream_is_a_function_of_its_seed():
    """Equal seeds give equal documents, others do not."""
    mixture = Mixture(None)
    first, again, other = (list(islice(mixture.stream(s), 30)) for s in (4, 4, 5))
    assert first == again
    assert first != other


def test_problems_hardly_repeat():
    """Of two thousand problems nearly all differ in more than their numbers."""
    rng = Random(0)
    texts = {re.sub(r"\d+", "#", problem(rng).text) for _ in range(2000)}
    assert len(texts) > 1900


def test_note_wordings_share_no_8_gram_with_shipped_annotations():
    """What mini learns as a note is never worded as an annotation that ships."""

    def grams(text, size=8):
        tokens = re.findall(r"[a-z']+|\{\w+\}", text.lower())
        return {tuple(tokens[i : i + size]) for i in range(max(0, len(tokens) - size + 1))}

    rng = Random(3)
    seen = set()
    for _ in range(4000):
        seen |= grams(notes.annotated(rng)[0]) | grams(deciding.decided(rng)[0])
    shipped = set().union(*map(grams, _templates()))
    assert len(_templates()) >= 10
    assert not seen & shipped


@pytest.fixture(scope="module")
def documents():
    """Twelve thousand documents of the mixture, as it is without the data sets."""
    return list(islice(Mixture(None).stream(3), 12_000))


def test_no_shipped_annotation_stands_in_a_training_prompt(documents):
    """Whatever its slots hold; a template of one or two words is anybody's."""
    prompts = [d.prompt for d in documents if d.prompt]
    text, looked_for = "\n".join(prompts).lower(), 0
    for template in _templates():
        fixed = re.split(r"\{\w+\}", template.rstrip(".").lower())
        if len(re.findall(r"[a-z']+", " ".join(fixed))) > 2:
            looked_for += 1
            # A slot at either end could be any text.
            wording = r"[^\[\]\n]{1,60}?".join(map(re.escape, filter(None, fixed)))
            assert not re.search(wording, text), template
    assert looked_for >= 10


def _templates():
    files = [f for f in (ROOT / "annotations").glob("*.json") if not f.name.endswith("schema.json")]
    annotations = [json.loads(file.read_text("utf-8")) for file in files]
    return [words for one in annotations for words in (one["template"], one.get("again")) if words]


def test_a_noted_unit_word_is_computed_with():
    """A problem with a made-up unit word is answered with the value that its note gives."""
    rng = Random(0)
    for _ in range(200):
        text, item = notes.unit_word(rng)
        (value, _), *_ = item.quantities
        assert re.search(rf"\b{value}\b", text) or words.spell(value) in text
        assert all(_evaluated(s) for s in item.steps)


def test_the_lexicon_marks_one_word_in_every_sentence():
    """Each word has sentences of both kinds with one marked word, and a sense without a label."""
    entries = metaphor.lexicon()
    assert len(entries) >= 450
    for entry in entries:
        assert len(entry.literal) >= 5
        assert len(entry.figurative) >= 5
        assert not re.search("literal|figurat|metaphor", entry.sense)
        for frame in (*entry.literal, *entry.figurative):
            assert len(re.findall(r"\*[^*]+\*", frame)) == 1
            assert set(re.findall(r"\{(\w+)\}", frame)) <= set(metaphor.classes())


def test_metaphor_cases_are_even_and_answer_their_label():
    """Labels are balanced and the reply says the label."""
    rng = Random(2)
    cases = [metaphor.case(rng) for _ in range(600)]
    assert 250 < sum(c.label for c in cases) < 350
    assert all(c.solution.endswith("metaphorical" if c.label else "literal") for c in cases)


def test_a_note_that_decides_is_kept_to():
    """Where the question is left out, the answer is what the note says of two of the numbers."""
    rng, undecided = Random(3), 0
    for _ in range(400):
        text, item = deciding.decided(rng)
        assert all(_evaluated(step) for step in item.steps)
        if item.schema == "undecided":
            undecided += 1
            a, sign, b = re.match(r"(\d+) (.) (\d+)", item.steps[0]).groups()
            words_ = {"+": "add|plus|total|together", "-": "take|subtract|less|minus|apart"}
            wanted = words_ | {"*": "times|multiply|groups", "/": "divide|share|over"}
            assert re.search(wanted[sign], text.lower())
            assert a in text
            assert b in text
    assert undecided > 40


def test_a_note_that_overrules_the_text_is_kept_to():
    """Of two numbers the answer makes what the note says, of more it takes the two it names."""
    said = {"+": "together|add|total|how much in all|plus", "-": "from|subtract|apart|away|minus"}
    said |= {"*": "multipl|times|product", "/": "divi|share|quotient"}
    said["-"] += "|difference"
    rng, two, more = Random(5), 0, 0
    for _ in range(1500):
        text, item = deciding.decided(rng)
        if item.schema != "overruled":
            continue
        assert all(_evaluated(step) for step in item.steps)
        assert item.text in text
        note = text.replace(item.text, "").lower()
        a, sign, b = re.match(r"(\d+) (.) (\d+)", item.steps[0]).groups()
        if len(set(re.findall(r"\d+", item.text))) == 2:
            two += 1
            assert re.search(said[sign], note)
        elif len(item.steps) == 1:
            more += 1
            assert {a, b} <= set(re.findall(r"\d+", note))
    assert two > 30
    assert more > 30


@pytest.mark.parametrize(
    "sums",
    [
        ("8 - 3 = 5",),
        ("30 - 6 = 24", "24 * 3 = 72"),
        ("48/2", "48+24"),
        ("2*3", "6+1", "7-2"),
    ],
)
def test_a_hint_never_says_a_result(sums):
    """It may name the steps, their kind and the numbers to take; never what comes out."""
    rng = Random(0)
    for _ in range(200):
        note = deciding.hint(sums, rng)
        assert note
        assert not re.search(r"= |\b(5|24|72)\b", note)


def test_a_sense_that_does_not_fit_is_always_noted():
    """A sentence of any text: its word's own sense is literal, that of another word is not."""
    sentences = ["The tired horse carried a heavy bag over the bridge in the rain."]
    rng, labels = Random(1), set()
    own = {entry.sense for _, entry in fitting.known_words(sentences[0])}
    for _ in range(300):
        item = fitting.fitting(sentences, rng)
        sense = item.solution.split("\n")[0].split(" = ")[1]
        assert (sense in own) == (not item.label)
        assert not item.label or sense in item.prompt
        labels.add(item.label)
    assert labels == {0, 1}


def test_a_sentence_without_known_words_cannot_be_asked_for():
    """It is said, not looked for without end."""
    with pytest.raises(ValueError, match="no word of the lexicon"):
        fitting.fitting(["Xyzzy plugh."], Random(0))


@pytest.fixture
def dictionary(tmp_path):
    """A small data folder with a dictionary in WordNet's form, and one sentence kept for mining."""
    rows = [
        ("scythe", "verb.contact", "cut grass with a long blade", "She scythed the long grass."),
        ("scythe", "verb.social", "end many things at once", "the firm scythed two hundred jobs"),
        ("scythe", "verb.social", "end many things at once", "the king scythed every old tax"),
        ("ratify", "verb.social", "agree to a thing in form", "The council ratified the plan."),
    ]
    (tmp_path / "text").mkdir()
    (tmp_path / "metaphor").mkdir()
    told = [
        {"words": [w], "pos": "verb", "lex": kind, "definition": sense, "examples": [example]}
        for w, kind, sense, example in rows
    ]
    lines = "".join(json.dumps(row) + "\n" for row in told)
    (tmp_path / "text" / "wordnet-glosses.jsonl").write_text(lines, "utf-8")
    mined = json.dumps({"sentence": "The king scythed every old tax ."}) + "\n"
    (tmp_path / "metaphor" / "moh-rest.jsonl").write_text(mined, "utf-8")
    return tmp_path


def test_a_bodily_word_in_a_social_sense_is_a_metaphor(dictionary):
    """Its basic sense is the bodily one; a word without one is meant as it says."""
    examples = glossed.read(dictionary)
    assert [one.sentence for one in examples[1]] == ["The firm scythed two hundred jobs."]
    assert examples[1][0].basic == "cut grass with a long blade"
    assert {one.word for one in examples[0]} == {"scythe", "ratify"}


def test_a_dictionary_case_is_answered_by_the_sense_that_its_note_tells(dictionary):
    """A note with the example's own meaning makes it literal, and one with another's does not."""
    examples, rng = glossed.read(dictionary), Random(2)
    seen = set()
    for _ in range(200):
        case = glossed.glossed(examples, rng)
        assert correct(case.solution, ("literal", "metaphorical")[case.label])
        told = case.solution.split(" = ")[1].split("\n")[0]
        if told in case.prompt and "jobs" in case.prompt:
            assert case.label == int(told != "end many things at once")
            seen.add(case.label)
    assert seen == {0, 1}


def test_a_disguised_word_is_noted():
    """Its prompt holds the word that stands for another, and the basic sense."""
    rng = Random(5)
    for _ in range(100):
        item = disguised(rng)
        sense = item.solution.split("\n")[0].split(" = ")[1]
        assert sense in item.prompt
        assert item.word in item.prompt.lower()


def test_held_out_items_are_right_in_form():
    """The mining items are questions with numbers as answers, unit words with whole ones."""
    stories, units = list(heldout.stories(30, 1)), list(heldout.unit_words(60, 1))
    rows = [*stories, *units]
    whole = [row for row in stories if not re.search(r"\d\.\d", row["question"])]
    assert len(whole) > 20
    assert all(row["answer"].isdigit() for row in whole)
    assert all(re.fullmatch(r"\d+(\.\d+)?", row["answer"]) for row in stories)
    assert all(row["answer"].isdigit() for row in units)
    assert all(row["question"].strip() for row in rows)
    assert any("gross" in row["question"] for row in rows)


@pytest.mark.parametrize("kind", heldout_words.KINDS)
def test_held_out_words_can_be_noted(kind: str):
    """Every problem that turns on a word is one that a note can be made for.

    But where the text itself counts some of the parts: there it may have told them all. And of the
    differences some: of three numbers the words do not always tell which two are compared.
    """
    library = load_library(ROOT / "detectors", ROOT / "annotations")
    notes = [a for a in library.annotations if a.misunderstanding == kind]
    count = 20 * len(heldout_words.KINDS)
    rows = [r for r in heldout_words.word_problems(count, 1) if r["kind"] == kind]
    assert len(rows) == 20
    digits = r"\d+(\.\d+)?" if kind == "spelled-number" else r"\d+"  # stories may have prices
    assert all(re.fullmatch(digits, row["answer"]) for row in rows)
    parts = re.compile(r"\d+ (?:\w+ )?(?:of \w+ )?(?:legs|arms|wheels|strings|sides|players)")
    needed = [r["question"] for r in rows if r["needed"] and not parts.search(r["question"])]
    assert len(needed) > 8
    noted = [any(library.fill(note, text, None) for note in notes) for text in needed]
    assert sum(noted) >= len(needed) * (0.3 if kind == "difference-asked" else 1)


def test_problems_of_one_step_are_told_in_many_ways_and_the_parser_is_right_where_it_speaks():
    """Shares, equal groups and wholes, by stories that were written without the parser."""
    fill = operation
    rows = list(heldout_words.operation_problems(600, 3))
    wanted = {"shares": "quotient", "products": "product", "wholes": "difference"}
    assert len({row["group"] for row in rows}) > 150
    found = [(fill(row["question"], None, Tables()), row["group"].split()[0]) for row in rows]
    spoken = [(made["operation"], wanted[name]) for made, name in found if made]
    assert len(spoken) > 100
    assert all(said == meant for said, meant in spoken)


def test_a_rare_verb_alone_tells_whether_a_number_grows():
    """Every such problem can be noted, and the note has the direction that the answer has."""
    tables = load_library(ROOT / "detectors", ROOT / "annotations").tables
    rows = list(heldout_words.change_problems(400, 3))
    assert len({row["group"] for row in rows}) > 40
    for row in rows:
        filled = FILLERS["change"].fill(row["question"], None, tables)
        assert filled is not None
        assert filled["verb"] == row["group"]
        sign = 1 if filled["more"] == "more" else -1
        before = int(row["answer"]) - sign * int(filled["number"])
        assert str(before) in re.findall(r"\d+", row["question"])


@pytest.mark.parametrize("mined", [True, False])
def test_a_sentence_with_a_rare_word_can_be_noted(mined: bool):
    """The note on its word has the sense of the table, and training knows no such word."""
    tables = load_library(ROOT / "detectors", ROOT / "annotations").tables
    fillers = {"unknown-sense": FILLERS["rare-sense"], "unknown-company": FILLERS["company"]}
    known = {entry.word for entry in metaphor.lexicon()} | set(tables.senses)
    for row in heldout_senses.sentences(mined=mined):
        prompt = metaphor_prompt(row["sentence"], row["target"])
        filled = fillers[row["kind"]].fill(prompt, None, tables)
        assert filled is not None, prompt
        assert filled["sense"] == tables.rare[row["lemma"]].sense, prompt
        assert row["lemma"] not in known


def test_rare_words_for_measuring_are_not_mined():
    """And both parts hold as much of either verdict, within a tenth."""
    mined, held = (list(heldout_senses.sentences(mined=some)) for some in (True, False))
    assert not {row["lemma"] for row in mined} & {row["lemma"] for row in held}
    for rows in (mined, held):
        assert len(rows) > 400
        assert abs(sum(row["label"] for row in rows) / len(rows) - 0.5) < 0.1


def test_parts_are_spoken_of_where_they_play_no_part_too():
    """Some of these problems come to the sum or the difference of two numbers that they hold."""
    rows = [r for r in heldout_words.word_problems(700, 1) if r["kind"] == "unstated-number"]
    given = [[int(n) for n in re.findall(r"\d+", row["question"])] for row in rows]
    near = [
        int(row["answer"]) in {sign * b + a for a in some for b in some for sign in (1, -1)}
        for row, some in zip(rows, given, strict=True)
    ]
    assert 0.2 < sum(near) / len(near) < 0.5


@pytest.mark.parametrize("number", range(1, 40))
def test_roman_numerals_are_read_as_they_are_written(number: int):
    """What the generator writes, the parser reads."""
    text = f"Chapter {heldout_words.roman(number)} of 50. How many come after it?"
    found = FILLERS["roman"].fill(text, None, Tables())
    assert (found or {}).get("value") == (None if number in (1, 5, 10) else str(number))


@pytest.mark.parametrize("number", range(2, 100))
def test_numbers_in_words_are_read_as_they_are_written(number: int):
    """What the generator spells, the parser reads."""
    written = heldout_words.spelled(number)
    found = FILLERS["number-word"].fill(f"She has {written} caps. How many?", None, Tables())
    assert found == {"numbers": f"{written} is {number}", "sentence": f"She has {number} caps."}


def test_spin_keeps_equal_choices_alike():
    """A choice without an empty option falls the same way wherever it stands in one problem."""
    for seed in range(20):
        a, b = spin("(cat|dog) and (cat|dog)", Random(seed), {}).split(" and ")
        assert a == b


def test_overlap_counts_number_masked_6_grams():
    """A text with other numbers is the same text; a different one is not."""
    known = leaks.union(["Tom has 5 red apples and buys 7 more apples today."])
    assert leaks.overlap("Tom has 9 red apples and buys 2 more apples today.", known) == 1
    assert leaks.overlap("A train leaves the station at noon with many people.", known) == 0


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("How many red marbles does Tom have left?", "red marbles"),
        ("How much money did she spend?", "money"),
        ("How much did she pay for it?", ""),
        ("Who won?", ""),
    ],
)
def test_asked_phrase(question, phrase):
    """The words between "how many" and the verb."""
    assert asked_phrase(question) == phrase


def test_about_half_of_the_worked_items_are_for_training():
    """The split of GSM8K's training items is by hash and even."""
    share = sum(for_training(f"gsm8k-train-{i}") for i in range(2000)) / 2000
    assert 0.45 < share < 0.55


@pytest.mark.parametrize("seed", range(30))
def test_a_real_problem_told_again_is_still_right(seed):
    """Fresh numbers stand in the question and in the sums alike, and every sum holds."""
    question = "Sarah had 12 hats. She bought 3 times as many as Tom, who has 9. How many now?"
    told = retold(Worked(question, ("3*9", "12+27")), Random(seed))
    steps = [line.split(": ")[-1] for line in told.reply.splitlines()[:-1]]
    assert all(_evaluated(step) for step in steps)
    assert told.reply.endswith(f"Answer: {steps[-1].split(' = ')[1]}")
    times, toms = re.findall(r"\d+", told.question)[1:]
    assert told.sums[0] == f"{times}*{toms}"


def test_a_problem_with_odd_numbers_keeps_them():
    """Fractions, percentages and years are parts of the wording."""
    question = "In 1999 a tree grew 2/3 of 9 feet and lost 50% of that. How many feet are left?"
    worked = Worked(question, ("9*2/3", "6/2"))
    assert all(retold(worked, Random(seed)) == worked for seed in range(20))


TALE = "Near the ships she counted the sails, and all the gulls cried over her boats."


SHOP = Schema(
    "shop",
    ("{N} bought a kite for {$a} and {n} balls for {$b} each.",),
    ("How much did {he} pay for the balls?",),
    ("n*b",),
    "dollars",
    point="ab",
)
WALK = Schema(
    "walk",
    ("{N} walked {a} miles and ran {b} miles past {c} houses.",),
    ("How far was that?",),
    ("a+b",),
    "miles",
)


@pytest.mark.parametrize("seed", range(40))
def test_amounts_have_decimals_and_counts_have_none(seed):
    """Prices and miles may be told with a decimal point, balls and houses never."""
    rng = Random(seed)
    texts = [problem(rng, schema, distract=0) for schema in (SHOP, WALK) for _ in range(20)]
    assert any("." in item.answer for item in texts)
    assert not all("." in item.answer for item in texts)
    for item in texts:
        assert all(_evaluated(step) for step in item.steps)
        assert item.solution.endswith(f"= {item.answer}\nAnswer: {item.answer}")
        assert not re.search(r"\d\.\d+ (houses|balls)", item.text)


def test_a_decimal_keeps_its_places():
    """As many of them are written as the number with the most has; a whole number stays whole."""
    values = {"a": Decimal("12.50"), "b": Decimal("2.5"), "c": 20, "n": 4}
    told = [
        work(replace(SHOP, steps=(step,)), values, Random(0))
        for step in ("a+b", "c-b", "n*a", "a/b")
    ]
    assert [str(result) for _, result in told[:3]] == ["15.00", "17.5", "50.00"]
    assert told[3] == (("12.50 / 2.5 = 5",), 5)
    with pytest.raises(ValueError, match=r"3\.125"):
        work(replace(SHOP, steps=("a/n",)), values, Random(0))


def test_an_amount_is_multiplied_by_the_digits_of_the_whole_number():
    """Whichever stands first; two amounts are multiplied at once."""
    lines = ["1.25 * 30 = 37.50", "1.25 * 4 = 5.00", "37.50 + 5.00 = 42.50"]
    assert worked_out("1.25 * 34", Decimal("42.50")) == lines
    assert worked_out("34 * 1.25", Decimal("42.50")) == lines
    assert worked_out("1.5 * 2.5", Decimal("3.75")) == ["1.5 * 2.5 = 3.75"]


def test_a_percentage_is_written_in_digits():
    """Where small numbers are spelled out, too: never "five%"."""
    told = Scene(Random(0), {}, {}, {"a": 5}, spell=1.0, pronouns=0.0)
    assert told.render("{a}% of {a} hens") == "5% of five hens"


@given(st.integers(13, 999), st.integers(13, 999))
def test_a_large_product_is_worked_out_by_its_digits(a, b):
    """Each line multiplies by one digit and holds; the last one gives the product."""
    lines = worked_out(f"{a} * {b}", a * b)
    assert all(_evaluated(line) for line in lines)
    assert lines[-1].endswith(f" = {a * b}")
    for line in lines[:-1]:
        assert re.fullmatch(r"\d+ \* [1-9]0* = \d+", line)


def test_an_answer_begun_the_wrong_way_round_is_put_right(documents):
    """The false start is read and not answered for; what follows is the sum as it should be."""
    begun = [d for d in documents if d.begun]
    assert len(begun) > 20
    for document in begun:
        less, more = map(int, re.search(r": (\d+) - (\d+) =$", document.begun).groups())
        assert more > less
        turned = f" -{more - less}\n{more} - {less} = {more - less}\nAnswer: {more - less}"
        assert document.reply == turned


def test_real_problems_in_decimals_are_worked_too(tmp_path):
    """Marked sums with decimals, and book problems that one sum over decimals answers."""
    (tmp_path / "math").mkdir()
    question = "Pens cost $.5 each. How much do 3 pens and a pad for $2 cost?"
    marked = {"question": question, "solution": "<<.5*3=1.5>> <<1.5+2=3.5>>", "answer": "3.5"}
    names = (f"g-{n}" for n in range(100))
    row = {"id": next(name for name in names if for_training(name))} | marked
    (tmp_path / "math" / "gsm8k-train.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    book = {"question": "Ann had $9.75 and spent $2.50. How much is left?", "answer": "7.25"}
    (tmp_path / "math" / "openstax-train.jsonl").write_text(json.dumps(book) + "\n", "utf-8")
    first, second = read(tmp_path)
    assert first.sums == ("0.5*3", "1.5+2")
    assert first.reply.endswith("0.5 * 3 = 1.5\n1.5 + 2 = 3.5\nAnswer: 3.5")
    assert second.sums == ("9.75-2.50",)
    assert second.reply.endswith("9.75 - 2.50 = 7.25\nAnswer: 7.25")


@pytest.mark.parametrize("seed", range(60))
def test_a_pronoun_is_used_only_where_it_is_understood(seed):
    """With two of one gender in a story a question names the one that it asks for."""
    about = scene(Random(seed))
    about.pronouns = 1
    name, gender = about.names["M"]
    about.render("{N} has 3 caps.")
    about.render("{M} has 4.")
    asked = about.render("How many does {M} have? Is {M's} cap like {N's}?")
    if gender == about.names["N"][1]:
        assert asked.startswith(f"How many does {name} have?")
    else:
        assert re.match(r"How many does s?he have\? Is (his|her) cap", asked)
    assert asked.endswith(f"{about.names['N'][0]}'s?")


def test_animals_stay_animals():
    """A story that counts several kinds under one name is told of its own things."""
    zoo = replace(COOKIES, facts=("{a} cats and {b} dogs.",), asks=("How many animals are there?",))
    assert all(swapped(zoo, Random(seed)) == zoo for seed in range(30))


@pytest.mark.parametrize("seed", range(40))
def test_numbers_planted_in_prose_are_asked_for_rightly(seed):
    """Each planted number stands before its noun, and the answer follows from those asked for."""
    item = planted(TALE, Random(seed))
    counts = {noun: int(n) for n, noun in re.findall(r"(\d+) ([a-z]+)", item.prompt)}
    assert 2 <= len(counts) <= 4
    assert set(counts) <= set(nouns(TALE)) == {"ships", "sails", "gulls", "boats"}
    *sums, answer = item.solution.split("\n")
    said = int(answer.removeprefix("Answer: "))
    if " = " in sums[0]:
        left, sign, right = re.search(r"(\d+) ([-+]) (\d+)", sums[0]).groups()
        assert {int(left), int(right)} <= set(counts.values())
        assert said == int(left) + int(right) * (1 if sign == "+" else -1)
    else:
        assert said == counts[sums[0]]


COOKIES = Schema(
    "cookies",
    ("{N} baked {a} sugar cookies, put a cookie aside, and filled {b} jars in {c} hours.",),
    ("How many cookies were in each jar?",),
    ("a/b",),
    "cookies in a jar",
)


def test_a_story_told_of_other_things_is_the_same_story():
    """A count noun is replaced everywhere, with its article; units and sums stay."""
    assert counted(COOKIES) == ("cookies", "jars")
    others = [swapped(COOKIES, Random(seed)) for seed in range(60)]
    changed = [other for other in others if "cook" not in other.facts[0]]
    assert len(changed) > 20
    for other in changed:
        noun = re.fullmatch(r"How many (.+) were in each .+\?", other.asks[0])[1]
        assert f"{{a}} sugar {noun}, put a" in other.facts[0]
        assert other.phrase.startswith(noun)
        assert other.facts[0].endswith("in {c} hours.")
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", other.facts[0])
        assert (other.name, other.steps, other.draw) == ("cookies", ("a/b",), "")


def test_who_is_an_object_is_called_him_or_her():
    """No pronoun stands in the wrong case behind a preposition or a verb of giving."""
    rng = Random(4)
    texts = " ".join(problem(rng).text for _ in range(3000))
    assert re.search(r"\bto (her|him)\b", texts)
    assert not re.search(r"\b(from|gave|took) (he|she)\b", texts)


def test_stories_have_names_of_their_own():
    """No two schemas share a name, and about one story in eight is held out."""
    names = [schema.name for schema in (*TRAINING, *HELD_OUT)]
    assert len(names) == len(set(names))
    assert 0.09 < len(HELD_OUT) / len(STORIES) < 0.16
