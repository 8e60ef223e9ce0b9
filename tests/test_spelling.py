"""Text that comes piece by piece is the text of the whole, and stops where it should."""

from hypothesis import given
from hypothesis import strategies as st

from promptfix.spelling import Spelling
from tests.tiny import tokenizer

WORDS = tokenizer()
TYPED = st.sampled_from(WORDS("🦄 a gross of é")["input_ids"])
IDS = st.lists(st.integers(3, len(WORDS) - 1) | TYPED)


def decode(ids):
    return WORDS.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def spelt(ids, stop=()):
    """The pieces of some tokens, up to where they stop."""
    spelling = Spelling(decode, stop)
    for token in ids:
        yield spelling.add(token)
        if spelling.stopped:
            return
    yield spelling.rest()


@given(IDS)
def test_the_pieces_are_the_whole(ids):
    """Whatever the tokens, and however few bytes of a character each of them has."""
    assert "".join(spelt(ids)) == decode(ids)


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
def test_nothing_of_a_stop_text_ever_comes(text, stop):
    """Neither it nor what follows it, also where it comes in pieces; all before it does."""
    ids = [token for letter in text for token in WORDS(letter)["input_ids"]]
    ends = [text.index(mark) + len(mark) for mark in stop if mark in text]
    read = text[: min(ends)] if ends else text
    cuts = [read.index(mark) for mark in stop if mark in read]
    expected = read[: min(cuts)] if cuts else text
    assert "".join(spelt(ids, tuple(stop))) == expected


def test_only_what_may_become_a_stop_text_is_held_back():
    """All else comes at once."""
    spelling = Spelling(decode, ("\n\n",))
    said = [spelling.add(token) for token in WORDS("a\n")["input_ids"]]
    assert said == ["a", ""]
    assert spelling.rest() == "\n"
