"""The microscope reports what the model holds, once read, and never changes what the model says."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from promptfix.errors import LensError, MicroscopeError, PromptfixWarning, PromptTooLong
from promptfix.microscope import Microscope
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt, Sampling
from promptfix.sae import Sae, SaeSlice
from tests.tiny import CONTEXT, LAYERS, private_memory, save_model, save_sae, tokenizer

FEATURES = [1, 5, 8, 13, 21, 34, 55]
PROMPTS = [
    "Tom has 12 apples and buys a gross of eggs.",
    "The storm 🦄 devoured\r\nthe village.",
    "שלום e\u0301",
    "Ann reads",
]
SHORT = Sampling(max_tokens=12)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request, tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model"), request.param)


@pytest.fixture(scope="module")
def network(folder):
    return load_network(folder, "cpu")


@pytest.fixture(scope="module")
def sae_folder(tmp_path_factory):
    return save_sae(tmp_path_factory.mktemp("sae"))


@pytest.fixture(scope="module")
def microscope(network, sae_folder):
    return Microscope(network, SaeSlice.load(sae_folder, FEATURES), "tiny")


@torch.inference_mode()
def expected(microscope, sae_folder, reading, prefill):
    """Activations by the long way: hidden states of a fresh run and the whole SAE."""
    states = microscope.network.model(
        input_ids=torch.tensor([prefill.ids]), output_hidden_states=True
    ).hidden_states[2][0]
    features = Sae.load(sae_folder).encode(states)
    return {
        (token.position, feature): float(features[token.position, feature])
        for token in reading.tokens
        for feature in FEATURES
        if token.kind != "template" and features[token.position, feature] > 0
    }


def found(reading):
    return {(act.position, act.feature): act.value for act in reading.activations}


@pytest.mark.parametrize("text", PROMPTS)
def test_a_reading_holds_the_features_at_the_users_tokens_and_the_readout(
    microscope, sae_folder, text
):
    """Exactly what the whole SAE gives on hidden_states[layer + 1], and nothing elsewhere."""
    reading, prefill = microscope.read(Prompt(text=text))
    assert reading.activations
    wanted = expected(microscope, sae_folder, reading, prefill)
    assert found(reading) == pytest.approx(wanted, abs=1e-4)


def test_a_reading_of_which_nothing_is_kept_is_the_same(microscope):
    """The model then runs no further than the SAE."""
    for prompt in (Prompt(text=text) for text in PROMPTS):
        kept, look = microscope.read(prompt), microscope.read(prompt, keep=False)
        assert look.prefill is None
        assert look.reading.tokens == kept.reading.tokens
        assert found(look.reading) == pytest.approx(found(kept.reading), abs=1e-4)
    with pytest.raises(PromptTooLong):
        microscope.read(Prompt(text="many words " * CONTEXT), keep=False)


def test_reading_on_after_an_edit_gives_what_reading_afresh_gives(microscope):
    """Of the first reading the common beginning is kept, also for the features in it."""
    first = microscope.read(Prompt(text=PROMPTS[0]))
    edited = Prompt(text=PROMPTS[0] + " [Note: a gross is 144.]")
    again, fresh = microscope.read(edited, first.prefill), microscope.read(edited)
    assert again.reading.tokens == fresh.reading.tokens
    assert found(again.reading) == pytest.approx(found(fresh.reading), abs=1e-3)


def test_only_what_follows_the_edit_runs(microscope, monkeypatch):
    """The second reading is as long as what is behind the first token that changed."""
    lengths = []
    network = microscope.network
    whole = type(network).forward

    def forward(self, ids, cache, **inputs):
        lengths.append(ids.shape[1])
        return whole(self, ids, cache, **inputs)

    monkeypatch.setattr(type(network), "forward", forward)
    look = microscope.read(Prompt(text=PROMPTS[0]))
    after = microscope.read(Prompt(text=PROMPTS[0] + " Ann reads"), look.prefill)
    microscope.read(Prompt(text=PROMPTS[0] + " Ann reads"), after.prefill)
    assert lengths[0] == len(look.prefill.ids)
    assert len(lengths) == 2
    assert lengths[1] < lengths[0] / 2


def test_a_prefill_of_another_making_is_ignored(microscope, folder):
    """Prefills of other networks, of other taps, and other objects altogether."""
    prompt = Prompt(text=PROMPTS[0])
    other = load_network(folder, "cpu")
    foreign = [other.read(microscope.read(prompt).prefill.ids), object()]
    foreign.append(microscope.network.read(foreign[0].ids))  # without a tap
    expected = found(microscope.read(prompt).reading)
    assert all(found(microscope.read(prompt, each).reading) == expected for each in foreign)


@pytest.mark.parametrize("keep", [True, False])
def test_two_threads_do_not_mix(microscope, keep):
    """Readings made at once are those made one after the other."""
    prompts = [Prompt(text=text) for text in PROMPTS * 8]
    one_by_one = [microscope.read(prompt).reading for prompt in prompts]
    with ThreadPoolExecutor(4) as pool:
        looks = pool.map(lambda prompt: microscope.read(prompt, keep=keep), prompts)
        at_once = [look.reading for look in looks]
    for one, two in zip(one_by_one, at_once, strict=True):
        assert one.tokens == two.tokens
        assert found(one) == pytest.approx(found(two), rel=1e-5, abs=1e-4)


def test_a_microscope_leaves_the_model_as_it_was(microscope, folder):
    """With the hook in place, after reading and after a failure, the answers are the plain ones."""
    plain, looked_at = LocalModel(load_network(folder, "cpu")), LocalModel(microscope.network)
    with pytest.raises(PromptTooLong):
        microscope.read(Prompt(text="many words " * CONTEXT))
    for text in PROMPTS:
        prompt = Prompt(text=text)
        prefill = microscope.read(prompt).prefill
        answer = plain.answer(prompt, sampling=SHORT)
        assert looked_at.answer(prompt, prefill, SHORT) == answer
        assert looked_at.answer(prompt, sampling=SHORT) == answer


def test_whatever_breaks_while_reading_is_a_microscope_error(network, sae_folder, monkeypatch):
    """The pipeline can rely on it, and the next reading is as good as ever."""
    microscope = Microscope(network, SaeSlice.load(sae_folder, FEATURES), "tiny")
    before = found(microscope.read(Prompt(text="Tom")).reading)
    with monkeypatch.context() as patch:
        patch.setattr(SaeSlice, "encode", lambda *_: 1 / 0)
        with pytest.raises(MicroscopeError, match="ZeroDivisionError"):
            microscope.read(Prompt(text="Tom"))
    assert found(microscope.read(Prompt(text="Tom")).reading) == before


def test_peaks_of_many_are_those_of_each(microscope):
    """Batches change nothing, nor does asking for some features."""
    prompts = [Prompt(text=text) for text in PROMPTS]
    peaks = microscope.read_many(prompts, batch=3)
    some = microscope.read_many(prompts, features=[8, 1], batch=2)
    torch.testing.assert_close(some.user, peaks.user[:, [2, 0]])
    for row, prompt in enumerate(prompts):
        reading = microscope.read(prompt).reading
        user, readout = torch.zeros(2, len(FEATURES))
        for act in reading.activations:
            place = readout if act.position == reading.readout else user
            column = FEATURES.index(act.feature)
            place[column] = max(place[column], torch.tensor(act.value))
        torch.testing.assert_close(peaks.user[row], user, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(peaks.readout[row], readout, atol=1e-4, rtol=1e-4)


def test_a_whole_sae_may_be_attached(network, sae_folder):
    """For inspection: every feature, by its own number."""
    reading = Microscope(network, Sae.load(sae_folder), "tiny").read(Prompt(text="Tom")).reading
    assert max(act.feature for act in reading.activations) > max(FEATURES)


def test_a_hook_that_the_model_lacks_is_a_lens_error(network, tmp_path):
    """Layers are counted when the microscope is put together."""
    encoder = SaeSlice.load(save_sae(tmp_path, hook=f"model.layers.{LAYERS}"), FEATURES)
    with pytest.raises(LensError):
        Microscope(network, encoder, "tiny")


def test_an_sae_of_another_width_is_a_lens_error(network, tmp_path):
    """Also where nobody checked when it was loaded."""
    encoder = SaeSlice.load(save_sae(tmp_path, d_in=24), FEATURES)
    with pytest.raises(LensError, match="24"):
        Microscope(network, encoder, "tiny")


def _truncate(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def _drop_a_tensor(folder):
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if "norm" in name or "ln_f" in name))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _reshape_a_tensor(folder):
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "norm" in name or "ln_f" in name)
    weights[name] = weights[name][:-1].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _forget(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _drop_a_tensor,
        _reshape_a_tensor,
        _forget("model.safetensors"),
        _forget("config.json"),
        _forget("tokenizer.json"),
    ],
)
def test_a_damaged_model_is_refused_and_named(tmp_path, damage):
    """Nothing is filled up with random numbers; the message names the folder, and what to do."""
    folder = save_model(tmp_path)
    damage(folder)
    with pytest.raises(MicroscopeError, match=f"{tmp_path}.*(restore|give a folder|add its)"):
        load_network(folder, "cpu")


class _Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def _pickle(folder, mark):
    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": _Bomb(mark)}, folder / "pytorch_model.bin")


def _bring_code(folder, mark):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"import pathlib; pathlib.Path({str(mark)!r}).touch()")


@pytest.mark.parametrize("danger", [_pickle, _bring_code])
def test_neither_pickles_nor_code_of_a_model_are_run(tmp_path, danger):
    """Such a folder is refused, with what to do, and nothing in it has run."""
    folder, mark = save_model(tmp_path / "model"), tmp_path / "ran"
    danger(folder, mark)
    with pytest.raises(MicroscopeError, match=r"restore.*safetensors only.*never run"):
        load_network(folder, "cpu")
    assert not mark.exists()


def _swap_tokenizers(folder):
    words = tokenizer()
    words.add_tokens([f"word{number}" for number in range(9)])
    words.save_pretrained(folder)


def _break_template(folder):
    (folder / "chat_template.jinja").write_text("{{ messages[0].content | nonsense }}")


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        (_swap_tokenizers, "another model's.*restore the tokenizer files"),
        (_break_template, "restore the chat_template"),
    ],
)
def test_a_tokenizer_or_template_that_does_not_fit_is_refused(tmp_path, damage, remedy):
    """At load time, with what to do."""
    folder = save_model(tmp_path)
    damage(folder)
    with pytest.raises(MicroscopeError, match=remedy):
        load_network(folder, "cpu")


def _short_of_memory(monkeypatch, network, most):
    """Let memory run out for more than so many prompts at once."""
    whole = type(network.model).forward

    def forward(self, input_ids, **inputs):
        if len(input_ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        return whole(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(type(network.model), "forward", forward)


def test_where_memory_runs_out_batches_become_smaller(microscope, monkeypatch):
    """Down to what fits, and it is said; the results are the same."""
    prompts = [Prompt(text=text) for text in PROMPTS * 3]
    model = LocalModel(microscope.network)
    peaks, answers = microscope.read_many(prompts), model.answer_many(prompts, max_tokens=4)
    _short_of_memory(monkeypatch, microscope.network, 3)
    with pytest.warns(PromptfixWarning, match="with 3 prompts at a time"):
        again = microscope.read_many(prompts, batch=12)
    torch.testing.assert_close(again.user, peaks.user, atol=1e-4, rtol=1e-4)
    with pytest.warns(PromptfixWarning, match="with 3 prompts at a time"):
        assert model.answer_many(prompts, max_tokens=4, batch=12) == answers


@pytest.mark.filterwarnings("ignore:memory ran out")
def test_a_prompt_for_which_there_is_no_memory_is_refused(microscope, monkeypatch):
    """With its length and a remedy, one by one and in a batch."""
    prompts = [Prompt(text=text) for text in PROMPTS]
    _short_of_memory(monkeypatch, microscope.network, 0)
    with pytest.raises(MicroscopeError, match=r"not enough memory.*tokens; shorten"):
        microscope.read_many(prompts)
    with pytest.raises(MicroscopeError, match=r"out of memory.*shorten"):
        microscope.read(prompts[0])


@pytest.mark.parametrize("chunk", [1, 7, 500])
def test_a_long_prompt_is_read_in_chunks(microscope, monkeypatch, chunk):
    """No run of the model is longer, and what is seen and predicted is the same."""
    ids = microscope.read(Prompt(text=PROMPTS[0] * 2)).prefill.ids
    whole = microscope.network.read(ids, None, microscope._tap)
    network, lengths = replace(microscope.network, chunk=chunk), []
    forward = type(network).forward

    def counting(self, ids, cache, **inputs):
        lengths.append(ids.shape[1])
        return forward(self, ids, cache, **inputs)

    monkeypatch.setattr(type(network), "forward", counting)
    parts = network.read(ids, None, microscope._tap)
    torch.testing.assert_close(parts.residual, whole.residual, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(parts.logits, whole.logits, atol=1e-4, rtol=1e-4)
    assert sum(lengths) == len(ids)
    assert max(lengths) == min(chunk, len(ids))


@pytest.mark.parametrize(
    ("chosen", "got"),
    [
        ("auto", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.float16),
        ("float32", torch.float32),
    ],
)
def test_the_type_can_be_chosen(folder, chosen, got):
    """`auto` is float32 on a CPU, and any type gives float32 features."""
    network = load_network(folder, "cpu", chosen)
    assert network.model.dtype == got
    assert network.read([5, 6, 7]).logits.dtype == got


def test_weights_stay_mapped_from_their_file(tmp_path):
    """Loading takes private memory for a small part of the weights only."""
    folder = save_model(tmp_path, "llama", intermediate_size=40_000)
    size = (folder / "model.safetensors").stat().st_size
    load_network(save_model(tmp_path / "first"), "cpu")
    before = private_memory()
    network = load_network(folder, "cpu")
    assert network.model.num_parameters() * 4 > 0.9 * size > 40e6
    assert private_memory() - before < size / 3


def test_half_precision_weights_run_in_float32_on_a_cpu(tmp_path):
    """Whatever the folder holds."""
    folder = save_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_network(folder, "cpu").model.dtype == torch.float32
