"""Answers are those that transformers' own `generate` gives, with and without a prefill."""

from dataclasses import replace

import pytest
import torch

from promptfix.decoding import _nucleus
from promptfix.errors import MicroscopeError, ModelError, PromptError, PromptTooLong
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt, Sampling
from tests.tiny import CONTEXT, metaspace_tokenizer, save_model

TEXTS = [
    "Tom has 12 apples and buys a gross of eggs.",
    "The storm devoured the village.",
    "Ann reads 🦄",
    "How many are left?",
    "He swallowed his pride. " * 3,
]
SHORT = Sampling(max_tokens=16)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request, tmp_path_factory):
    return LocalModel(load_network(save_model(tmp_path_factory.mktemp("m"), request.param), "cpu"))


def ids_of(model, text):
    messages = [{"role": "user", "content": text}]
    return model.network.tokenizer.apply_chat_template(messages, add_generation_prompt=True)[
        "input_ids"
    ]


@torch.inference_mode()
def generate(model, text, tokens=16):
    """The text and the token ids that transformers writes."""
    ids = torch.tensor([ids_of(model, text)])
    out = model.network.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=0,
    )
    new = out[0, ids.shape[1] :].tolist()
    return model.network.tokenizer.decode(new, skip_special_tokens=True), new


@pytest.mark.parametrize("text", TEXTS)
def test_greedy_answers_are_those_of_generate(model, text):
    """Text, length and reason to finish."""
    answer = model.answer(Prompt(text=text), sampling=SHORT)
    expected, new = generate(model, text)
    assert answer.text == expected
    assert answer.finish_reason == ("stop" if new[-1] in model.network.stops else "length")
    assert answer.completion_tokens == len([t for t in new if t not in model.network.stops])
    assert answer.prompt_tokens == len(ids_of(model, text))


def test_a_prompt_that_fills_the_context_runs_along_with_others(model):
    """It is done first, and its row stays in the batch; all answer as they do alone."""
    long = "a " * CONTEXT
    while len(ids_of(model, long)) > CONTEXT - 2:
        long = long[:-1]
    prompts = [Prompt(text=text) for text in (long, *(long[n:-20] for n in range(9)))]
    many = model.answer_many(prompts, max_tokens=16)
    assert many == [model.answer(prompt, sampling=SHORT) for prompt in prompts]
    assert many[0].completion_tokens < 16


def test_a_prefill_changes_nothing_and_can_be_used_again(model):
    """Of the same prompt, of one that begins alike, and of one that has nothing in common."""
    prompts = [Prompt(text=text) for text in (TEXTS[0], TEXTS[0] + " [Note: 144]", TEXTS[1])]
    plain = [model.answer(prompt, sampling=SHORT) for prompt in prompts]
    for first in prompts:
        prefill = model.network.read(ids_of(model, first.text))
        assert [model.answer(prompt, prefill, SHORT) for prompt in prompts] == plain
        assert prefill.cache.get_seq_length() == len(prefill.ids)


def test_the_end_token_ends_an_answer(model):
    """It is neither in the text nor counted."""
    _, new = generate(model, TEXTS[0])
    network = model.network
    stops = network.stops
    object.__setattr__(network, "stops", frozenset({new[3]}))
    try:
        answer = model.answer(Prompt(text=TEXTS[0]), sampling=SHORT)
        many = model.answer_many([Prompt(text=TEXTS[0])], max_tokens=16)
    finally:
        object.__setattr__(network, "stops", stops)
    assert many == [answer]
    assert answer.finish_reason == "stop"
    assert answer.completion_tokens == new.index(new[3])


def test_a_stop_text_cuts_the_answer(model):
    """At its first place, also in a batch."""
    whole = model.answer(Prompt(text=TEXTS[1]), sampling=SHORT).text
    stop = whole[5:8]
    answer = model.answer(Prompt(text=TEXTS[1]), sampling=Sampling(max_tokens=16, stop=(stop,)))
    assert answer.text == whole[: whole.index(stop)]
    assert answer.finish_reason == "stop"
    assert model.answer_many([Prompt(text=TEXTS[1])], max_tokens=16, stop=(stop,)) == [answer]


def test_many_answers_are_those_of_each(model):
    """In the order asked, whatever the lengths and the size of the batches."""
    prompts = [Prompt(text=text) for text in TEXTS]
    alone = [model.answer(prompt, sampling=SHORT) for prompt in prompts]
    ready = []
    for batch in (2, 32):
        assert (
            model.answer_many(prompts, max_tokens=16, batch=batch, progress=ready.append) == alone
        )
    assert sum(ready) == 2 * len(prompts)
    assert model.answer_many([]) == []


def test_what_prompts_begin_with_is_read_once(model, monkeypatch):
    """Ten prompts that differ in their last word cost less than half of what they have tokens."""
    prompts = [Prompt(text=f"{TEXTS[4]} {n}") for n in range(10)]
    alone = [model.answer(prompt, sampling=SHORT) for prompt in prompts]
    read = []
    forward = type(model.network).forward

    def counted(network, ids, *args, **inputs):
        read.append(ids.numel())
        return forward(network, ids, *args, **inputs)

    monkeypatch.setattr(type(model.network), "forward", counted)
    assert model.answer_many(prompts, max_tokens=SHORT.max_tokens) == alone
    written = sum(answer.completion_tokens + 1 for answer in alone)
    assert sum(read) - written < sum(answer.prompt_tokens for answer in alone) / 2


def test_bytes_that_are_no_text_are_spelt_alike(tmp_path):
    """In a batch as alone: a tokenizer with bytes for what is rare spells a run of them anew."""
    words = metaspace_tokenizer()
    folder = save_model(tmp_path, words=words, initializer_range=0.3)
    model = LocalModel(load_network(folder, "cpu"))
    rare = words.convert_tokens_to_ids(["<0x41>", "<0xFF>", "<0xC3>", "<0xA9>", "<0x0A>", "<0xE2>"])
    _answer_only_with(model.network.model, rare)
    prompts = [Prompt(text=text) for text in TEXTS]
    alone = [model.answer(prompt, sampling=SHORT) for prompt in prompts]
    assert "\N{REPLACEMENT CHARACTER}" in "".join(answer.text for answer in alone)
    assert model.answer_many(prompts, max_tokens=16) == alone


def _answer_only_with(network, ids):
    """Make all other tokens less likely than these."""
    head = torch.nn.Linear(network.lm_head.in_features, network.lm_head.out_features)
    with torch.no_grad():
        head.weight.copy_(network.lm_head.weight)
        head.bias.fill_(-1e4)
        head.bias[ids] = 0.0
    network.lm_head = head


def test_a_seed_makes_sampling_repeatable(model):
    """The same seed gives the same answer; seeds differ; the global generator is not touched."""
    prompt = Prompt(text=TEXTS[0])
    state = torch.get_rng_state()

    def ask(seed):
        return model.answer(prompt, sampling=Sampling(temperature=2.0, seed=seed, max_tokens=12))

    assert ask(1) == ask(1)
    assert len({ask(seed).text for seed in range(4)}) > 1
    assert ask(None).text is not None
    assert torch.equal(state, torch.get_rng_state())


def test_a_tiny_top_p_is_greedy(model):
    """Only the likeliest token is left to choose from."""
    sampling = Sampling(temperature=1.0, top_p=1e-6, max_tokens=12)
    greedy = model.answer(Prompt(text=TEXTS[0]), sampling=Sampling(max_tokens=12))
    assert model.answer(Prompt(text=TEXTS[0]), sampling=sampling) == greedy


def test_top_p_keeps_the_fewest_tokens_that_reach_it():
    """The token that crosses the line stays."""
    likely = torch.tensor([0.1, 0.5, 0.3, 0.1])
    assert _nucleus(likely, 0.6).nonzero().flatten().tolist() == [1, 2]
    assert _nucleus(likely, 1.0).tolist() == likely.tolist()


def test_a_prompt_that_fills_the_context_is_refused(model):
    """Alone and among many, before anything is answered."""
    long = Prompt(text="apples " * CONTEXT)
    with pytest.raises(PromptTooLong, match="shorten"):
        model.answer(long)
    with pytest.raises(PromptTooLong):
        model.answer_many([Prompt(text="Tom"), long])


def test_an_answer_ends_where_the_context_does(model):
    """No more tokens are written than the model can take."""
    text = "a" + " a" * 120
    answer = model.answer(Prompt(text=text), sampling=Sampling(max_tokens=500))
    assert answer.prompt_tokens + answer.completion_tokens <= CONTEXT
    assert model.answer_many([Prompt(text=text)], max_tokens=500) == [answer]


def test_whatever_breaks_while_answering_is_a_model_error(model, monkeypatch):
    """The caller learns what it was."""
    monkeypatch.setattr(type(model.network), "forward", lambda *_, **__: 1 / 0)
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        model.answer(Prompt(text="Tom"))
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        model.answer_many([Prompt(text="Tom")])


@pytest.mark.parametrize("window", [8, 64])
def test_a_sliding_window_is_no_obstacle(tmp_path_factory, window):
    """Prefills of models that look back a few tokens only are cropped just as well."""
    folder = save_model(tmp_path_factory.mktemp("m"), "mistral", sliding_window=window)
    model = LocalModel(load_network(folder, "cpu"))
    first = model.network.read(ids_of(model, TEXTS[0]))
    edited = Prompt(text=TEXTS[0] + " Ann reads")
    second = model.network.read(ids_of(model, edited.text), first)
    for text in (TEXTS[0], edited.text, TEXTS[0] + " Tom"):
        plain = generate(model, text)[0]
        for prefill in (first, second):
            assert model.answer(Prompt(text=text), prefill, SHORT).text == plain


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_is_the_answer(model, text):
    """Piece by piece, with the likelihood of each token and of the likeliest at its place."""
    sampling = Sampling(max_tokens=16, logprobs=2)
    pieces = list(model.stream(Prompt(text=text), None, sampling))
    answer = model.answer(Prompt(text=text), sampling=SHORT)
    assert "".join(piece.text for piece in pieces) == answer.text
    assert (pieces[-1].finish, pieces[-1].tokens) == (
        answer.finish_reason,
        answer.completion_tokens,
    )
    for piece in pieces:
        best, second = piece.score.top
        assert (piece.score.text, piece.score.logprob) == (best.text, best.logprob)
        assert best.logprob >= second.logprob


def test_the_scores_of_a_prompt_are_those_of_writing_it(model):
    """What the model wrote greedily scores the same when it is read."""
    network = model.network
    ids = model.encode("Tom has 12 apples")
    pieces = list(model.stream(ids, None, Sampling(max_tokens=6, logprobs=1)))
    written = torch.tensor([piece.score.logprob for piece in pieces])
    with torch.inference_mode():
        tokens = list(ids)
        while len(tokens) < len(ids) + len(pieces):
            tokens.append(int(list(network.predict(tokens))[-1].argmax()))
    read = model.score(tuple(tokens), 1)
    assert read[0].logprob is None
    assert torch.allclose(torch.tensor([s.logprob for s in read[len(ids) :]]), written, atol=1e-4)
    assert "".join(score.text for score in read[: len(ids)]) == "Tom has 12 apples"


def test_a_long_prompt_is_scored_in_chunks(model):
    """Its scores are those of reading it at once."""
    chunked = LocalModel(replace(model.network, chunk=3))
    whole, parts = (each.score(TEXTS[0], 1) for each in (model, chunked))
    assert [score.text for score in parts] == [score.text for score in whole]
    for one, other in zip(parts[1:], whole[1:], strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


def test_raw_text_gets_no_template(model):
    """Text and token ids are gone on from as they are."""
    tokenizer = model.network.tokenizer
    assert model.encode("Tom has") == tuple(tokenizer("Tom has")["input_ids"])
    assert model.encode((5, 6)) == (5, 6)
    assert model.encode(Prompt(text="Tom has")) == tuple(ids_of(model, "Tom has"))


def test_what_would_break_the_model_is_no_prompt(model):
    """Ids that it does not know, and text that is no Unicode; its last token is one."""
    last = model.network.vocabulary - 1
    assert model.encode((last,)) == (last,)
    for ids in ((5, last + 1), (-1,), (10**30,)):
        with pytest.raises(PromptError, match=f"0 to {last}"):
            model.encode(ids)
    with pytest.raises(PromptError, match="character 4"):
        model.encode("Tom \ud83e")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_here_is_refused(tmp_path, device):
    """In one sentence that says what there is to choose from."""
    with pytest.raises(MicroscopeError, match=r"there is no device .* take cpu, cuda or auto"):
        load_network(save_model(tmp_path / "model"), device)
