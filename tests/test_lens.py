"""A lens fits the files it was made from and no others, and sees what it should."""

import json
import shutil
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

from promptfix.assembly import EMBEDDED
from promptfix.errors import LensError, MicroscopeError, PromptfixWarning
from promptfix.formats import Detector, Lens
from promptfix.health import bounds, compare, measure, self_check
from promptfix.hub import model_name
from promptfix.lens import check_lens, find_lens, identify, warn_of_other_form
from promptfix.library import Library
from promptfix.local import load_local
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.sae import Fit
from promptfix.saefile import SaeConfig
from tests.tiny import WIDTH, save_model, save_sae

PROMPTS = ["Tom has 12 apples and buys eggs.", "The storm devoured the village.", "Ann reads."]


@pytest.fixture
def model(tmp_path):
    return save_model(tmp_path / "model")


def save_good_sae(folder, hook="model.layers.1"):
    """An SAE that reconstructs everything: each direction once with each sign."""
    save_sae(folder, "standard", hook=hook)
    eye, none = torch.eye(WIDTH), torch.zeros
    weights = {"W_enc": torch.cat([eye, -eye], 1), "W_dec": torch.cat([eye, -eye])}
    weights |= {"b_enc": none(2 * WIDTH), "b_dec": none(WIDTH)}
    save_file(weights, folder / "sae_weights.safetensors")
    return folder


@pytest.fixture
def sae(tmp_path):
    return save_good_sae(tmp_path / "sae")


def pinned(model, sae) -> Lens:
    """A lens with a self-check, as it is written after training."""
    health = measure(load_network(model, "cpu"), sae, PROMPTS)
    return identify(model, sae, bounds(PROMPTS, health))


def test_a_lens_fits_what_it_was_made_from(model, sae):
    """And is found again by its hashes."""
    lens = pinned(model, sae)
    check_lens("tiny", lens, model, sae)
    assert (
        find_lens(
            {"other": lens.model_copy(update={"layer": 2, "hook": "x"}), "tiny": lens}, model, sae
        )
        == "tiny"
    )
    assert (lens.layer, lens.hook, lens.d_in) == (1, "model.layers.1", WIDTH)


def _alter_model(model, _sae):
    weights = load_file(model / "model.safetensors")
    next(iter(weights.values()))[0] += 1e-3
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def _alter_sae(_model, sae):
    weights = load_file(sae / "sae_weights.safetensors")
    weights["b_dec"] += 1e-3
    save_file(weights, sae / "sae_weights.safetensors")


def _alter_config(_model, sae):
    config = json.loads((sae / "cfg.json").read_text())
    (sae / "cfg.json").write_text(json.dumps(config | {"apply_b_dec_to_input": False}))


def _alter_tokenizer(model, _sae):
    file = model / "tokenizer.json"
    file.write_text(file.read_text().replace("apples", "apple"))
    file.write_text(file.read_text() + " ")


def _alter_template(model, _sae):
    file = model / "chat_template.jinja"
    file.write_text(file.read_text() + " ")


@pytest.mark.parametrize(
    ("alter", "what"),
    [
        (_alter_model, "model's weights"),
        (_alter_sae, "the SAE"),
        (_alter_config, "the SAE"),
        (_alter_tokenizer, "tokenizer"),
        (_alter_template, "chat template"),
    ],
)
def test_whatever_is_altered_is_named(model, sae, alter, what):
    """The message says which file is another one, and what to do."""
    lens = identify(model, sae)
    alter(model, sae)
    with pytest.raises(LensError, match=f"{what}.*restore"):
        check_lens("tiny", lens, model, sae)
    with pytest.raises(LensError, match="no lens"):
        find_lens({"tiny": lens}, model, sae)


def test_the_order_of_keys_is_no_difference(model, sae):
    """sae-lens writes them in any order."""
    lens = identify(model, sae)
    config = json.loads((sae / "cfg.json").read_text())
    (sae / "cfg.json").write_text(json.dumps(dict(reversed(config.items())), indent=1))
    check_lens("tiny", lens, model, sae)


def test_an_sae_knows_the_model_it_was_trained_on(model, tmp_path):
    """Its own metadata speaks against pairing it with another model."""
    sae = save_sae(tmp_path / "sae", extra={"model_sha256": "0" * 64})
    with pytest.raises(LensError, match=r"trained on another model.*use that model"):
        identify(model, sae)


def test_shards_are_hashed_together(model, sae):
    """A model in several files has one hash, which any of them changes."""
    whole = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    names = list(whole)
    files = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    index = {"weight_map": {name: file for file, some in files.items() for name in some}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    for file, some in files.items():
        save_file({name: whole[name] for name in some}, model / file, metadata={"format": "pt"})
    before = identify(model, sae).model_sha256
    save_file({name: whole[name] + 1 for name in names[1::2]}, model / "b.safetensors")
    assert identify(model, sae).model_sha256 != before


def test_a_missing_file_is_a_microscope_error(model, sae):
    """And is named."""
    (model / "tokenizer.json").unlink()
    with pytest.raises(MicroscopeError, match=r"tokenizer\.json"):
        identify(model, sae)


def test_the_self_check_passes_where_it_was_measured(model, sae):
    """The perfect SAE leaves nothing unexplained and half of its features fire."""
    network = load_network(model, "cpu")
    health = measure(network, sae, PROMPTS)
    assert health.unexplained < 1e-6
    assert health.l0 == pytest.approx(WIDTH, abs=1)
    self_check("tiny", pinned(model, sae), network, sae)


def test_the_self_check_refuses_an_sae_that_does_not_fit(model, sae):
    """Hashes can be right and the model still not be what the SAE was trained on."""
    lens = pinned(model, sae)
    weights = load_file(sae / "sae_weights.safetensors")
    save_file(weights | {"b_enc": weights["b_enc"] - 2.0}, sae / "sae_weights.safetensors")
    with pytest.raises(LensError, match="stays unexplained"):
        self_check("tiny", lens, load_network(model, "cpu"), sae)


@pytest.mark.parametrize("step", [-1, 1])
def test_the_self_check_refuses_a_neighbouring_layer(tmp_path, step):
    """On the embedded model and its SAE: off by one layer is found before anything is read."""
    sae = shutil.copytree(EMBEDDED / "sae", tmp_path / "sae")
    network = load_network(EMBEDDED / "model", "cpu")
    lens = identify(EMBEDDED / "model", sae, bounds(PROMPTS, measure(network, sae, PROMPTS)))
    self_check("mini", lens, network, sae)
    config = json.loads((sae / "cfg.json").read_text())
    layer = f"model.layers.{lens.layer + step}"
    config["metadata"] |= dict.fromkeys(("hook_name", "hf_hook_name"), layer)
    (sae / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(LensError, match="stays unexplained"):
        self_check("mini", lens, network, sae)


def test_an_sae_is_held_against_its_own_figures(tmp_path):
    """Far from them is a warning, worse than nothing an error, and without any all is well."""
    stated = SaeConfig.load(save_sae(tmp_path / "a", extra={"l0": 40, "explained_variance": 0.9}))
    compare(stated, Fit(l0=50, unexplained=0.2))
    compare(SaeConfig.load(save_sae(tmp_path / "b")), Fit(l0=500, unexplained=0.8))
    with pytest.warns(PromptfixWarning, match=r"40\.0 are active.*chat template"):
        compare(stated, Fit(l0=400, unexplained=0.2))
    with pytest.warns(PromptfixWarning, match="10% stays unexplained"):
        compare(stated, Fit(l0=40, unexplained=0.6))
    with pytest.raises(LensError, match="does not fit this model at all"):
        compare(stated, Fit(l0=40, unexplained=1.7))


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        ({}, False),
        ({"model_name": "org/a-base"}, True),
        ({"model_name": "org/a-instruct"}, False),
        ({"model_name": "org/{}"}, False),
        ({"template_sha256": "0" * 64}, True),
    ],
)
def test_a_chat_model_with_a_base_sae_is_warned_about(model, tmp_path, said, warned):
    """Told by the template's hash, else by the name of the model that the SAE was trained on."""
    named = {key: value.format(model_name(model)) for key, value in said.items()}
    sae = save_sae(tmp_path / "sae", extra=named)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_form(model, sae)
    assert ["promptfix sae check" in str(warning.message) for warning in caught] == [True] * warned


def library(lens: Lens, *features: int) -> Library:
    detectors = tuple(
        Detector.model_validate(
            {
                "id": f"d{feature}",
                "version": 1,
                "misunderstanding": "m",
                "lens": "tiny",
                "scope": "contextual",
                "status": "experimental",
                "rule": {
                    "kind": "all_of",
                    "conditions": [{"feature": feature, "at": "readout", "at_least": 1.0}],
                },
                "readings": {str(feature): "something"},
                "provenance": {"author": "a", "created": "2026-01-01", "found_by": "a test"},
            }
        )
        for feature in features
    )
    return Library("digest", detectors, (), {"tiny": lens})


def test_only_the_features_that_detectors_name_are_loaded(model, sae):
    """Whether the lens is named or found; and what they see is what is there."""
    known = library(pinned(model, sae), 3, 40)
    for name in ("tiny", None):
        local = load_local(model=model, sae=sae, library=known, lens=name, device="cpu")
        assert local.microscope.encoder.features == (3, 40)
        assert local.microscope.lens == "tiny"
        look = local.microscope.read(Prompt(text="Tom"))
        assert local.model.answer(Prompt(text="Tom"), look.prefill).prompt_tokens > 1
    off = load_local(model=model, sae=sae, library=known, disabled=["d3"], device="cpu")
    assert off.microscope.encoder.features == (40,)


def test_what_a_topk_sae_costs_is_said(model, tmp_path):
    """Its features cannot be had one by one."""
    sae = save_sae(tmp_path / "sae", "topk")
    known = library(identify(model, sae), 3)
    with pytest.warns(PromptfixWarning, match="all 64 are computed.*JumpReLU"):
        local = load_local(model=model, sae=sae, library=known, device="cpu")
    assert local.microscope.encoder.features == (3,)


def test_an_unknown_lens_is_refused(model, sae):
    """The message lists those that there are."""
    with pytest.raises(LensError, match="known are tiny"):
        load_local(model=model, sae=sae, library=library(identify(model, sae)), lens="mine")


def test_folders_may_move(model, sae, tmp_path):
    """A lens is about contents, not places."""
    lens = identify(model, sae)
    shutil.move(model, tmp_path / "elsewhere")
    check_lens("tiny", lens, tmp_path / "elsewhere", sae)
