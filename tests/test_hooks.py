"""Hook names mean the same place in any model, and a tap hears what passes there."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
)

from promptfix.errors import LensError
from promptfix.hooks import Tap, layer_of, resolve

SHAPE = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}
CONFIGS = {
    "model.layers": LlamaConfig(**SHAPE, num_key_value_heads=1),
    "transformer.h": GPT2Config(vocab_size=40, n_embd=16, n_layer=3, n_head=2),
    "gpt_neox.layers": GPTNeoXConfig(**SHAPE),
    "model.language_model.layers": Gemma3TextConfig(**SHAPE, num_key_value_heads=1, head_dim=8),
}


def model(config: PreTrainedConfig):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("base", CONFIGS)
@pytest.mark.parametrize(
    "name", ["{}.1", "{}.1.output", "blocks.1.hook_resid_post", "blocks.2.hook_resid_pre"]
)
@torch.inference_mode()
def test_every_name_of_a_place_is_that_place(base, name):
    """Layer 1's output is hidden_states[2], under all its names and in all architectures."""
    network = model(CONFIGS[base])
    ids = torch.arange(3, 12)[None]
    tap = Tap(network, name.format(base))
    with tap.listening() as heard:
        output = network(input_ids=ids, output_hidden_states=True)
    assert torch.equal(heard[0], output.hidden_states[2])


@pytest.mark.parametrize("hook", ["model.layers.3", "blocks.7.hook_resid_post", "lm.nothing", ""])
def test_a_place_that_is_not_there_is_a_lens_error(hook):
    """The message repeats the name."""
    with pytest.raises(LensError, match=r"no place called.*use the model"):
        resolve(model(CONFIGS["model.layers"]), hook or "nowhere")


@pytest.mark.parametrize(
    "hook",
    ["blocks.1.hook_mlp_out", "blocks.1.attn.hook_z", "hook_embed", "blocks.1.ln2.hook_normalized"],
)
def test_places_beside_the_residual_stream_are_refused_in_words(hook):
    """The registry has SAEs for them; the remedy is the residual one of the same release."""
    with pytest.raises(LensError, match="residual SAE"):
        resolve(model(CONFIGS["model.layers"]), hook)


@pytest.mark.parametrize("hook", ["model.layers.1.mlp", "model.layers.1.mlp.output"])
def test_a_module_inside_a_layer_is_found_in_any_wrapper(hook):
    """Its path from the layer on decides, whatever stands before."""
    network = model(CONFIGS["model.language_model.layers"])
    assert resolve(network, hook.replace("model.layers", "a.b.layers")) == resolve(network, hook)


def test_the_layer_is_read_from_the_name():
    """All styles of names give the number."""
    names = ["model.layers.4", "blocks.4.hook_resid_post", "transformer.h.4.output"]
    assert [layer_of(name) for name in names] == [4, 4, 4]
    assert layer_of("lm_head") is None


@torch.inference_mode()
def test_a_tap_is_silent_unless_somebody_listens():
    """Also after an exception in the middle of listening."""
    network, ids = model(CONFIGS["model.layers"]), torch.arange(3, 9)[None]
    tap = Tap(network, "model.layers.1")
    expected = network(input_ids=ids).logits
    with pytest.raises(ZeroDivisionError), tap.listening() as heard:
        raise ZeroDivisionError
    assert torch.equal(network(input_ids=ids).logits, expected)
    assert heard == []


@torch.inference_mode()
def test_a_tap_can_end_the_run():
    """With `stop` the layers behind the tap do not run; the next run is whole again."""
    network, ids = model(CONFIGS["model.layers"]), torch.arange(3, 9)[None]
    tap, late = Tap(network, "model.layers.0"), Tap(network, "model.layers.2")
    with late.listening() as behind, tap.listening(stop=True) as heard:
        network(input_ids=ids)
    assert (len(heard), len(behind)) == (1, 0)
    with tap.listening() as heard:
        assert network(input_ids=ids).logits.shape[1] == 6
    assert len(heard) == 1
