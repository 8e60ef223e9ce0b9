"""Every user token carries the user's characters, whatever the template and the script."""

import pytest

from promptfix.chat import check_template, encode, encode_ids
from promptfix.errors import MicroscopeError, PromptError
from promptfix.records import Message, Prompt
from tests.tiny import NO_SYSTEM, STRIPPING, TEMPLATE, tokenizer

WORDS = tokenizer()
TEXTS = [
    "Tom has 12 apples.",
    "  Tom has 12 apples. \n",
    "a 👩‍👩‍👧 and a 🦄🦄",
    "e\u0301 and n\u0303o, Z\u0351\u036b",
    "שלום 12 مرحبا",
    "one\r\ntwo\r\n\r\nthree",
    "x",
    "user",
    "<|user|>\n",
    "Tom <|end|> has",
    "<words> and <<words>>",
]


def covered(prompt: Prompt, chat) -> str:
    """The user's characters that user tokens carry, each once and in order."""
    spans = [token.span for token in chat.tokens if token.kind == "user"]
    marked = sorted({at for span in spans for at in range(span.start, span.end)})
    return "".join(prompt.text[at] for at in marked)


@pytest.mark.parametrize("text", TEXTS)
def test_user_tokens_cover_the_users_text(text):
    """All characters but those of special tokens, which stay the template's."""
    prompt = Prompt(text=text)
    expected = text.replace("<|user|>", "").replace("<|end|>", "")
    assert covered(prompt, encode(WORDS, prompt)) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_the_ids_are_those_of_the_chat_template(text):
    """What the model reads is exactly what apply_chat_template gives."""
    messages = [{"role": "user", "content": text}]
    expected = WORDS.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert list(encode(WORDS, Prompt(text=text)).ids) == expected
    assert list(encode_ids(WORDS, Prompt(text=text))) == expected


def test_a_span_is_the_tokens_own_text():
    """A token that is whole characters has a span of just these."""
    prompt = Prompt(text="Tom buys 45 eggs.")
    chat = encode(WORDS, prompt)
    for token in chat.tokens:
        if token.span is not None:
            assert token.span.of(prompt.text) == token.text
    assert [token.text for token in chat.tokens if token.text in "45"] == ["4", "5"]


def test_the_tokens_of_one_emoji_share_its_span():
    """Bytes of a character all point to the character."""
    spans = [token.span for token in encode(WORDS, Prompt(text="🦄")).tokens if token.span]
    assert len(spans) > 1
    assert {(span.start, span.end) for span in spans} == {(0, 1)}


def test_the_text_is_found_though_the_system_text_holds_it():
    """The words are located by where the template puts them, not by searching for them."""
    prompt = Prompt(text="apples", system="Tom likes apples. <words>")
    chat = encode(WORDS, prompt)
    assert covered(prompt, chat) == "apples"
    first = next(token.position for token in chat.tokens if token.kind == "user")
    assert WORDS.decode(chat.ids[:first]).endswith("<|user|>\n")


def test_a_template_may_strip_white_space():
    """Spans still count from the first character that the user wrote."""
    prompt = Prompt(text=" \n Tom has apples.  ")
    assert covered(prompt, encode(tokenizer(STRIPPING), prompt)) == "Tom has apples."


def test_the_read_out_is_the_last_token():
    """Exactly one token is the read-out, and it has no span."""
    chat = encode(WORDS, Prompt(text="Tom"))
    assert [token.kind for token in chat.tokens].count("readout") == 1
    assert chat.tokens[-1].kind == "readout"
    assert chat.looked_at[-1] == len(chat.ids) - 1


def test_special_tokens_of_the_user_never_count():
    """A user who writes a special token gets a template token."""
    chat = encode(WORDS, Prompt(text="a <|end|> b"))
    assert sum(token.text == "<|end|>" for token in chat.tokens) == 2
    assert all(token.kind != "user" for token in chat.tokens if token.text == "<|end|>")


def test_without_a_template_the_text_is_read_as_it_is():
    """A base model reads the bare text; its last token is the read-out."""
    base = tokenizer(None)
    chat = encode(base, Prompt(text="Tom has apples"))
    assert list(chat.ids) == base("Tom has apples")["input_ids"]
    assert [token.kind for token in chat.tokens] == [*["user"] * (len(chat.ids) - 1), "readout"]


def test_a_template_without_system_texts_says_so():
    """What the template raises becomes a PromptError with a remedy."""
    words = tokenizer(NO_SYSTEM + TEMPLATE)
    with pytest.raises(PromptError, match="leave it out"):
        encode(words, Prompt(text="Tom", system="Be brief."))


@pytest.mark.parametrize("change", ["m['content'] | upper", "m['content'] + m['content']"])
def test_a_template_that_changes_the_words_is_refused(change):
    """Nothing in the model could be traced to the user's characters."""
    with pytest.raises(MicroscopeError, match="template"):
        encode(tokenizer(TEMPLATE.replace("m['content']", change)), Prompt(text="Tom has"))


@pytest.mark.parametrize("template", ["{% for %}", "{{ messages[7]['content'] }}", "{{ 1 / 0 }}"])
def test_a_template_that_fails_is_the_models_fault(template):
    """It is found when the model is loaded, not blamed on a prompt."""
    with pytest.raises(MicroscopeError, match=r"chat template fails.*restore"):
        check_template(tokenizer(template))
    check_template(tokenizer(NO_SYSTEM + TEMPLATE))


def test_earlier_turns_go_before_the_last():
    """As the template writes them; only the last turn's words are the user's."""
    history = (Message(role="user", text="Tom <words>"), Message(role="assistant", text="apples"))
    prompt = Prompt(text="apples", system="Be brief.", history=history)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Tom <words>"},
        {"role": "assistant", "content": "apples"},
        {"role": "user", "content": "apples"},
    ]
    expected = WORDS.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    chat = encode(WORDS, prompt)
    assert list(chat.ids) == expected
    assert covered(prompt, chat) == "apples"
    assert encode_ids(tokenizer(None), prompt) == tuple(
        tokenizer(None)("Be brief.\n\nTom <words>\n\napples\n\napples")["input_ids"]
    )
