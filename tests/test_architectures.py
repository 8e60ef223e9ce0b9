"""One microscope for all models: what it sees, spans, the cache it hands on, and batches."""

import pytest
import torch

from promptfix.chat import encode
from promptfix.microscope import Microscope
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt, Sampling
from promptfix.sae import Sae
from promptfix.spelling import Spelling
from tests.tiny import metaspace_tokenizer, save_model, save_sae, tokenizer

BYTES, BARE_BYTES = tokenizer(), tokenizer(None)
LLAMA2 = metaspace_tokenizer()
GEMMA = metaspace_tokenizer(prefix=False)
BASE_LLAMA2 = metaspace_tokenizer(None)
BASE_GEMMA = metaspace_tokenizer(None, prefix=False)

MODELS = {
    "llama": ("model.layers.1", BYTES),
    "mistral-window": ("blocks.1.hook_resid_post", LLAMA2),
    "qwen3": ("blocks.2.hook_resid_pre", BYTES),
    "gemma2": ("model.layers.1.output", GEMMA),
    "gemma3": ("model.layers.1.output", BASE_GEMMA),
    "gemma3-images": ("model.layers.1.output", GEMMA),
    "gpt2": ("transformer.h.1", BARE_BYTES),
    "gpt_neox": ("gpt_neox.layers.1", BARE_BYTES),
    "gpt_oss": ("model.layers.2.input", BYTES),
    "qwen3_5": ("blocks.1.hook_out", BYTES),
}
"""Kind of model -> a name of layer 1's output, and a tokenizer of its kind."""
TEXTS = [
    "Tom has 12 apples and buys a gross of eggs for 3 dollars each, and 45 books.",
    "  The storm 🦄 devoured\r\nthe village. ",
    "שלום e\u0301",
]
NOTED = TEXTS[0] + " [Note: a gross is 144.]"
SHORT = Sampling(max_tokens=12)


@pytest.fixture(scope="module", params=MODELS)
def microscope(request, tmp_path_factory):
    hook, words = MODELS[request.param]
    folder = save_model(tmp_path_factory.mktemp("model"), request.param, words=words)
    sae = Sae.load(save_sae(tmp_path_factory.mktemp("sae"), hook=hook))
    return Microscope(load_network(folder, "cpu"), sae, "tiny")


def plain(network, text):
    """What transformers writes from scratch, spelt token by token."""
    ids = torch.tensor([encode(network.tokenizer, Prompt(text=text)).ids])
    with torch.inference_mode():
        out = network.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=SHORT.max_tokens,
            do_sample=False,
            pad_token_id=0,
        )
    new, spelling = out[0, ids.shape[1] :].tolist(), Spelling(network.decode)
    return "".join(map(spelling.add, new)) + spelling.rest()


@torch.inference_mode()
@pytest.mark.parametrize("text", TEXTS)
def test_what_passes_the_hook_is_hidden_states(microscope, text):
    """Layer 1's output is hidden_states[2], at every token of the prompt."""
    prefill = microscope.read(Prompt(text=text)).prefill
    states = microscope.network.model(
        input_ids=torch.tensor([prefill.ids]), output_hidden_states=True
    ).hidden_states
    torch.testing.assert_close(prefill.residual, states[2][0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(states[1], states[2], atol=0.1)


@pytest.mark.parametrize("text", TEXTS)
def test_user_tokens_carry_the_users_characters(microscope, text):
    """Spans are in order and cover the text, whatever the tokenizer makes of it."""
    chat = encode(microscope.network.tokenizer, Prompt(text=text))
    spans = [token.span for token in chat.tokens if token.kind == "user"]
    covered = {at for span in spans for at in range(span.start, span.end)}
    starts = [span.start for span in spans]
    assert starts == sorted(starts)
    # Without a template the last token is the read-out and has no span.
    missing = set(range(len(text))) - covered
    assert not missing or min(missing) >= spans[-1].end
    assert not microscope.network.tokenizer.chat_template or not missing


def test_a_span_is_what_its_token_says(microscope):
    """In plain text the words of a span are those that its token is decoded to."""
    words, text = microscope.network.tokenizer, TEXTS[0]
    chat = encode(words, Prompt(text=text))
    said = [
        (token.span.of(text).strip(), words.decode([chat.ids[token.position]]).strip())
        for token in chat.tokens
        if token.kind == "user"
    ]
    assert len(said) > 15
    assert all(span == decoded for span, decoded in said)


@pytest.mark.parametrize("text", TEXTS)
def test_answers_from_the_handed_on_cache_are_those_of_generate(microscope, text):
    """The prompt is read once, and the answer is the one from scratch."""
    model, prompt = LocalModel(microscope.network), Prompt(text=text)
    prefill = microscope.read(prompt).prefill
    assert model.answer(prompt, prefill, SHORT).text == plain(microscope.network, text)
    assert model.answer(prompt, prefill, SHORT).text == plain(microscope.network, text)


def test_reading_on_after_an_edit_changes_nothing(microscope):
    """Neither what is seen nor what is answered; the first reading stays good."""
    first = microscope.read(Prompt(text=TEXTS[0]))
    after = microscope.read(Prompt(text=NOTED), first.prefill).prefill
    fresh = microscope.read(Prompt(text=NOTED)).prefill
    torch.testing.assert_close(after.residual, fresh.residual, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(after.logits, fresh.logits, atol=1e-3, rtol=1e-3)
    model = LocalModel(microscope.network)
    answer = model.answer(Prompt(text=NOTED), after, SHORT)
    assert answer.text == plain(microscope.network, NOTED)
    again = model.answer(Prompt(text=TEXTS[0]), after, SHORT)
    assert again.text == plain(microscope.network, TEXTS[0])


def test_answers_in_a_batch_are_those_of_each(microscope):
    """Padding is seen by no architecture."""
    model, prompts = LocalModel(microscope.network), [Prompt(text=text) for text in TEXTS]
    many = model.answer_many(prompts, max_tokens=SHORT.max_tokens)
    expected = [plain(microscope.network, text) for text in TEXTS]
    assert [answer.text for answer in many] == expected


def test_answers_to_prompts_that_begin_alike_are_those_of_each(microscope):
    """What they have in common is read once for all, and nobody can tell."""
    texts = [*TEXTS, NOTED, f"{NOTED} Think.", f"{TEXTS[0]} Is it so?", TEXTS[0]]
    model, prompts = LocalModel(microscope.network), [Prompt(text=text) for text in texts]
    many = model.answer_many(prompts, max_tokens=SHORT.max_tokens)
    assert [answer.text for answer in many] == [plain(microscope.network, t) for t in texts]


def test_readings_in_a_batch_are_those_of_each(microscope):
    """Also up to the hook."""
    prompts = [Prompt(text=text) for text in TEXTS]
    for index, residual in microscope.residuals(prompts):
        alone = microscope.read(prompts[index])
        looked_at = [token.position for token in alone.reading.tokens if token.kind != "template"]
        torch.testing.assert_close(
            residual, alone.prefill.residual[looked_at], atol=1e-3, rtol=1e-3
        )
