"""Values keep their own invariants and are JSON as they are."""

import pytest
from pydantic import ValidationError

from promptfix.errors import PromptError
from promptfix.records import Activation, Prompt, Reading, Span, Token
from promptfix.testing import finding, reading


@pytest.mark.parametrize("text", ["", " \t\r\n", "\u2003"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    """A prompt of nothing but white space is a PromptError, not a validation error."""
    with pytest.raises(PromptError, match="empty"):
        Prompt(text=text)


@pytest.mark.parametrize(("text", "system"), [("a\ud800b", None), ("fine", "\udfff")])
def test_a_lone_surrogate_is_refused(text: str, system: str | None) -> None:
    """Text that is no valid Unicode is refused, in the system text too."""
    with pytest.raises(PromptError, match="surrogate"):
        Prompt(text=text, system=system)


def test_records_do_not_change() -> None:
    """A record is frozen, and an unknown key is an error."""
    prompt = Prompt(text="How many?")
    with pytest.raises(ValidationError):
        prompt.text = "other"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError):
        Prompt.model_validate({"text": "x", "extra": 1})


def test_a_span_has_characters() -> None:
    """A span is half-open and never empty."""
    assert Span(start=1, end=3).of("abcd") == "bc"
    with pytest.raises(ValidationError):
        Span(start=2, end=2)


def test_only_user_tokens_have_spans() -> None:
    """A token has a span exactly if it is the user's."""
    with pytest.raises(ValidationError):
        Token(position=0, text="x", kind="user")
    with pytest.raises(ValidationError):
        Token(position=0, text="x", span=Span(start=0, end=1), kind="template")


def test_a_reading_knows_its_read_out() -> None:
    """The read-out is found by its kind, and there is exactly one."""
    made = reading("two gross", {"gross": {4: 1.5}}, {7: 0.5})
    assert made.readout == made.tokens[-1].position
    with pytest.raises(ValidationError, match="read-out"):
        Reading.model_validate({**made.model_dump(), "tokens": made.tokens[:-1]})


def test_nothing_is_read_at_template_tokens() -> None:
    """An activation on a template token, or nowhere, makes a reading invalid."""
    made = reading("two gross")
    wrong = Activation(feature=1, position=0, value=1.0)
    with pytest.raises(ValidationError, match="user tokens"):
        Reading.model_validate({**made.model_dump(), "activations": (wrong,)})


def test_records_survive_json() -> None:
    """What is written as JSON and read again is the same value."""
    for record in (reading("Čapek 🚀", {"Čapek": {1: 2.0}}), finding("each")):
        assert type(record).model_validate_json(record.model_dump_json()) == record
