"""Items: read, prompted, scored."""

import json

import pytest

from promptfix.tasks import DataError, correct, digest, final, load, tidy


def test_math_rows_become_items(tmp_path):
    """A row with question and answer is a math item; one whose answer is no number is left out."""
    file = tmp_path / "a.jsonl"
    rows = [
        {"id": "x", "question": "How many?", "answer": "1,200"},
        {"id": "y", "question": "Who?", "answer": "Tom"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    (item,) = load(file)
    assert (item.id, item.task, item.gold) == ("x", "math", "1200")


def test_metaphor_rows_become_items(tmp_path):
    """A row with sentence, target and label asks about the target and groups by lemma."""
    file = tmp_path / "m.jsonl"
    row = {
        "sentence": "He devoured the book .",
        "target": "devoured",
        "lemma": "devour",
        "label": 1,
    }
    file.write_text(json.dumps(row))
    (item,) = load(file)
    assert item.gold == "metaphorical"
    assert item.group == "devour"
    asked = 'Is the word "devoured" used literally or metaphorically in this sentence?'
    assert item.prompt == f"{asked} He devoured the book."


@pytest.mark.parametrize(
    "content",
    ["", "not json", '{"id": 1}', '{"sentence": "a b", "target": "a", "label": 7}', "[1]"],
)
def test_unusable_data_is_an_error_in_one_sentence(tmp_path, content):
    """Empty files, broken lines, unknown forms and labels are a DataError that names the file."""
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match="bad"):
        load(file)


def test_only_line_breaks_end_a_row(tmp_path):
    """What else Unicode calls the end of a line may stand in a text."""
    file = tmp_path / "a.jsonl"
    row = {"question": "One.\u2028How many?", "answer": "1"}
    file.write_text(json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8")
    (item,) = load(file)
    assert item.prompt == row["question"]


def test_missing_data_is_an_error(tmp_path):
    """A file that is not there is a DataError."""
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("8 - 3 = 5\nAnswer: 5", "5", True),
        ("Answer: 5\nAnswer: 6", "5", False),
        ("Answer: 1,200", "1200", True),
        ("5", "5", False),
        ("Answer: Literal", "literal", True),
        ("Answer: 2.50", "2.5", True),
        ("Answer: metaphorical", "5", False),
    ],
)
def test_scoring(answer, gold, right):
    """The last answer counts, numbers compare by value, and an answer that never says is wrong."""
    assert correct(answer, gold) is right


def test_final_is_none_without_an_answer():
    """A text without an answer settles on nothing."""
    assert final("8 - 3 = 5") is None


def test_tidy_closes_the_gaps_of_corpora():
    """Spaces before punctuation and clitics go."""
    assert tidy("I do n't know , Tom 's here .") == "I don't know, Tom's here."


def test_digest_does_not_depend_on_order(tmp_path):
    """The digest names a set of items."""
    file = tmp_path / "a.jsonl"
    rows = [{"question": f"q {i}", "answer": str(i), "id": i} for i in range(3)]
    file.write_text("\n".join(map(json.dumps, rows)))
    items = load(file)
    assert digest(items) == digest(items[::-1])
    assert digest(items) != digest(items[:2])
