"""The whole recipe of mini in small, and a run that goes on where it stopped."""

import json
import os
import re
from dataclasses import replace

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from promptfix.mini import chat
from promptfix.mini.recipe import SMALL, RecipeError, run
from promptfix.mini.train import (
    OtherRunError,
    Progress,
    Recipe,
    WrongStartError,
    batches,
    build_model,
    grown,
    load_state,
    optimizers,
    rate,
    save_state,
    train,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the small recipe makes."""
    folder = tmp_path_factory.mktemp("small")
    run(folder, None, "small", compiled=False)
    return folder


def test_the_small_recipe_makes_a_model_and_an_sae(made):
    """One command gives a folder that promptfix loads, with an SAE that fits the model."""
    from promptfix.health import measure
    from promptfix.network import load_network

    network = load_network(made / "model")
    prompt = "Tom has 4 apples and buys 5 more. How many apples does he have?"
    health = measure(network, made / "sae", [prompt])
    assert 0.5 <= health.l0 <= 4 * SMALL.sae.k
    metadata = json.loads((made / "sae" / "cfg.json").read_text())["metadata"]
    assert metadata["model_name"] == "mini"
    assert metadata["model_sha256"]
    weights = load_file(made / "sae" / "sae_weights.safetensors")
    assert metadata["threshold"] == pytest.approx(float(weights["threshold"][0]))
    assert metadata["hook_name"] == "model.layers.0"


def test_an_sae_in_half_the_space_is_read_as_sae_lens_reads_it(made):
    """The matrices are stored in float16; promptfix and sae-lens compute the same in float32."""
    from sae_lens import SAE

    from promptfix.sae import Sae

    weights = load_file(made / "sae" / "sae_weights.safetensors")
    assert {weights[name].dtype for name in ("W_enc", "W_dec")} == {torch.float16}
    x = torch.randn(50, SMALL.model.width, generator=torch.Generator().manual_seed(1)) * 10
    theirs = SAE.load_from_disk(str(made / "sae"), device="cpu")
    ours = Sae.load(made / "sae")
    assert theirs.W_enc.dtype == torch.float32
    assert torch.allclose(theirs.encode(x), ours.encode(x), atol=1e-4)


def test_the_second_recipe_is_of_another_kind(tmp_path):
    """mini-2's recipe gives a GPT-2 with a topk SAE, which promptfix loads all the same."""
    from promptfix.microscope import Microscope
    from promptfix.network import load_network
    from promptfix.records import Prompt
    from promptfix.sae import Sae

    run(tmp_path, None, "small-2", compiled=False)
    network = load_network(tmp_path / "model")
    assert network.model.config.model_type == "gpt2"
    sae = Sae.load(tmp_path / "sae", d_in=network.width)
    assert sae.config.architecture == "topk"
    peaks = Microscope(network, sae, "x").read_many([Prompt(text="Tom has 4 apples.")])
    assert (peaks.readout > 0).sum() <= sae.config.k


def test_digits_stand_alone_and_text_survives(tmp_path):
    """Every digit is a token of its own, and any Unicode text comes back as it was."""
    from transformers import AutoTokenizer

    chat.train_tokenizer(["Tom has 12 apples."] * 50, 300, tmp_path, 128)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer("2026", add_special_tokens=False)["input_ids"]) == 4
    for text in ("naïve 👍🏽 עברית\r\n x", " two  spaces "):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_all_of_a_reply_and_part_of_a_prompt_is_learnt(tmp_path):
    """Every document comes once; of a reply each token is learnt, padding never."""
    lengths, heads = np.array([20, 33, 5, 40]), np.array([12, 30, 1, 40])
    offsets = np.cumsum([0, *lengths])
    ids = np.arange(1, offsets[-1] + 1)
    np.savez(tmp_path / "0.npz", ids=ids, offsets=offsets, heads=heads)
    recipe = replace(SMALL.model, batch_tokens=64, prompt_share=0.5)
    seen = []
    for block, learnt in batches(tmp_path / "0.npz", recipe, seed=3):
        places = {divmod(int(at), block.shape[1]) for at in learnt}
        for row, tokens in enumerate(block.tolist()):
            number = int(np.searchsorted(offsets, tokens[0])) - 1
            seen.append(number)
            length, head = int(lengths[number]), int(heads[number])
            assert tokens == [*range(tokens[0], tokens[0] + length), *[0] * (len(tokens) - length)]
            mine = {at for of, at in places if of == row}
            assert mine <= set(range(length - 1))
            assert head == 1 or mine >= set(range(head - 1, length - 1))
    assert sorted(seen) == [0, 1, 2, 3]


def test_training_goes_on_from_its_checkpoint(tmp_path):
    """State saved and loaded again is the same, optimisers included."""
    recipe = replace(SMALL.model, tokens=6000)
    train(recipe, tmp_path, None, compiled=False, save_every=1)
    model = build_model(recipe)
    optims = optimizers(model, recipe)
    progress = load_state(tmp_path, model, optims)
    assert progress.tokens >= 6000
    (tmp_path / "again").mkdir()
    save_state(tmp_path / "again", model, optims, progress)
    other = build_model(recipe)
    assert load_state(tmp_path / "again", other, optimizers(other, recipe)) == progress
    assert all((a == b).all() for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_training_goes_on_only_as_it_was_begun(tmp_path):
    """Another recipe, or data sets that were not there before, would make a model of two halves."""
    train(replace(SMALL.model, tokens=1), tmp_path, None, compiled=False)
    for recipe, data in ((replace(SMALL.model, tokens=9), None), (SMALL.model, tmp_path)):
        with pytest.raises(OtherRunError, match="PROMPTFIX_DATA"):
            train(recipe, tmp_path, data, compiled=False)
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(RecipeError, match="cannot be gone on with"):
        run(tmp_path, None, "small-2", compiled=False)


def test_training_can_begin_with_the_weights_of_another_run(tmp_path):
    """A new run takes over tokenizer and weights of a model folder, and refuses another shape."""
    recipe = replace(SMALL.model, tokens=1)
    train(recipe, tmp_path / "first", None, compiled=False)
    first = tmp_path / "first" / "model"
    train(replace(recipe, muon_rate=0, adam_rate=0), tmp_path / "second", None, start=first,
          compiled=False)  # fmt: skip
    second = tmp_path / "second" / "model"
    for file in ("model.safetensors", "tokenizer.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    with pytest.raises(WrongStartError):
        train(replace(recipe, layers=1), tmp_path / "third", None, start=first, compiled=False)
    with pytest.raises(RecipeError, match="safetensors"):
        run(tmp_path / "fourth", None, "small", start=tmp_path)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_frozen_layers_stay_as_the_start_had_them(tmp_path, architecture):
    """With the embeddings they are the same to the bit, so that an SAE of theirs stays one."""
    recipe = replace(SMALL.model, architecture=architecture, tokens=3000)
    train(replace(recipe, tokens=1), tmp_path / "first", None, compiled=False)
    first = tmp_path / "first" / "model"
    train(recipe, tmp_path / "second", None, start=first, frozen=1, compiled=False)
    before = load_file(first / "model.safetensors")
    after = load_file(tmp_path / "second" / "model" / "model.safetensors")
    same = {key for key in before if torch.equal(before[key], after[key])}
    kept = {key for key in before if re.search(r"embed|wte|wpe|\.0\.", key)}
    assert kept <= same
    learnt = {key for key in before if re.search(r"\.1\..*(proj|c_\w+)\.weight", key)}
    assert learnt
    assert not learnt & same
    with pytest.raises(RecipeError, match="fewer than its 2"):
        run(tmp_path / "third", None, "small", start=first, frozen=2)
    with pytest.raises(RecipeError, match="to begin with"):
        run(tmp_path / "third", None, "small", frozen=1)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_layers_added_to_a_start_change_nothing_at_first(architecture):
    """What it computes stays the same; the new layers stand in the upper half."""
    recipe = replace(SMALL.model, architecture=architecture)
    small, tall = build_model(recipe), build_model(replace(recipe, layers=5, seed=9))
    weights = {k: v for k, v in small.state_dict().items() if k != "lm_head.weight"}
    tall.load_state_dict(grown(weights, 5), strict=False)
    tall.tie_weights()
    ids = torch.arange(4, 40)[None]
    with torch.no_grad():
        torch.testing.assert_close(tall(ids).logits, small(ids).logits)
    names = [k for k in tall.state_dict() if "o_proj" in k or k.endswith("attn.c_proj.weight")]
    silent = [not tall.state_dict()[k].any() for k in names]
    assert silent in ([False, False, True, True, True], [False, True, True, False, True])


def test_a_fresh_run_starts_at_zero(tmp_path):
    """Without a checkpoint there is no progress."""
    model = build_model(SMALL.model)
    assert load_state(tmp_path, model, optimizers(model, SMALL.model)) == Progress()


def test_the_learning_rate_warms_up_stays_and_falls():
    """A short rise, a plateau, zero at the end."""
    recipe = Recipe(tokens=1000, warmup_steps=10, decay_share=0.5)
    assert rate(0, 0, recipe) == pytest.approx(0.1)
    assert rate(400, 50, recipe) == 1
    assert rate(750, 80, recipe) == pytest.approx(0.5)
    assert rate(1000, 99, recipe) == 0


def test_unknown_presets_and_folders_are_refused(tmp_path):
    """A wrong preset or data folder is one sentence."""
    with pytest.raises(RecipeError, match="preset"):
        run(tmp_path, None, "huge")
    with pytest.raises(RecipeError, match="text"):
        run(tmp_path, tmp_path / "nowhere", "small")
