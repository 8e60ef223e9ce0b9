"""An SAE read without sae-lens computes what sae-lens computes, and a damaged one is refused."""

import json
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from promptfix.errors import LensError, MicroscopeError
from promptfix.sae import Sae, SaeSlice, blocks, fit
from promptfix.saefile import SaeConfig
from tests.tiny import WIDTH, private_memory, save_sae

SOME = [7, 3, 50]
ARCHITECTURES = ["standard", "jumprelu", "gated", "topk"]
NORMALISATIONS = ["none", "layer_norm", "constant_norm_rescale"]


def activations(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        *(
            (name, {"normalize_activations": norm, "apply_b_dec_to_input": minus})
            for name, norm, minus in product(ARCHITECTURES, NORMALISATIONS, [True, False])
        ),
        ("topk", {"rescale_acts_by_decoder_norm": True}),
    ],
)
def test_all_and_some_features_are_those_of_sae_lens(tmp_path, architecture, changes):
    """Encoding, reconstruction and slices agree with sae-lens to float32 precision."""
    from sae_lens import SAE

    folder = save_sae(tmp_path, architecture, **changes)
    theirs, mine, x = SAE.load_from_disk(str(folder)), Sae.load(folder), activations(2, 9)
    with torch.inference_mode():
        expected = theirs.encode(x)
        torch.testing.assert_close(mine.encode(x), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(mine.reconstruct(x), theirs(x), rtol=1e-4, atol=1e-3)
        slice_ = SaeSlice.load(folder, SOME)
        torch.testing.assert_close(slice_.encode(x), expected[..., SOME], rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Standard", {}),
        ("Gated", {}),
        ("JumpReLU", {}),
        ("TopK", {"k": 4}),
        ("BatchTopK", {"k": 4}),
        ("MatryoshkaBatchTopK", {"k": 4, "matryoshka_widths": [16, 64]}),
    ],
)
def test_what_sae_lens_trains_and_saves_is_read_alike(tmp_path, kind, more):
    """Of every kind that sae-lens trains; a checkpoint whose numbers would be others is refused."""
    import sae_lens

    config = getattr(sae_lens, f"{kind}TrainingSAEConfig")(d_in=WIDTH, d_sae=64, **more)
    config.metadata.hook_name = "blocks.1.hook_resid_post"
    sae, x = getattr(sae_lens, f"{kind}TrainingSAE")(config), activations(7)
    with torch.no_grad():
        chance = torch.Generator().manual_seed(0)
        for parameter in sae.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=chance))
    sae.save_inference_model(str(tmp_path / "done"))
    with torch.inference_mode():
        expected = sae_lens.SAE.load_from_disk(str(tmp_path / "done")).encode(x)
    found = Sae.load(tmp_path / "done").encode(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found > 0).any()
    slice_ = SaeSlice.load(tmp_path / "done", SOME)
    torch.testing.assert_close(slice_.encode(x), expected[:, SOME], rtol=1e-4, atol=1e-4)
    if "Batch" in kind:
        sae.save_model(str(tmp_path / "checkpoint"))
        with pytest.raises(MicroscopeError, match="save_inference_model"):
            SaeSlice.load(tmp_path / "checkpoint", SOME)


@pytest.mark.parametrize("architecture", ARCHITECTURES[:3])
def test_a_slice_is_those_columns_of_the_whole(tmp_path, architecture):
    """A slice holds its features only, in the order asked for, and gives the same values."""
    folder, x = save_sae(tmp_path, architecture), activations(11)
    part = SaeSlice.load(folder, SOME, d_in=WIDTH)
    assert part.weights["W_enc"].shape == (WIDTH, 3)
    assert "W_dec" not in part.weights
    torch.testing.assert_close(part.encode(x), Sae.load(folder).encode(x)[:, SOME])


def test_a_slice_may_be_empty(tmp_path):
    """Without detectors nothing is computed."""
    assert SaeSlice.load(save_sae(tmp_path), []).encode(activations(4)).shape == (4, 0)


def test_half_precision_is_computed_in_float32(tmp_path):
    """Neither the weights' nor the activations' type decides the precision."""
    folder = save_sae(tmp_path)
    weights = load_file(folder / "sae_weights.safetensors")
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}
    save_file(half, folder / "sae_weights.safetensors")
    assert SaeSlice.load(folder, SOME).encode(activations(2).half()).dtype == torch.float32


@pytest.mark.parametrize("rescale", [True, False])
def test_a_slice_of_a_topk_sae_computes_everything(tmp_path, rescale):
    """Whether a topk feature fires depends on all others; what comes out is what was asked for."""
    folder = save_sae(tmp_path, "topk", rescale_acts_by_decoder_norm=rescale)
    part, x = SaeSlice.load(folder, SOME), activations(2, 700)
    assert part.weights["W_enc"].shape == (WIDTH, 64)
    assert "W_dec" not in part.weights
    torch.testing.assert_close(part.encode(x), Sae.load(folder).encode(x)[..., SOME])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_blocks_make_up_the_whole(tmp_path, architecture, normalisation):
    """An SAE read in blocks fits activations as the whole does."""
    folder = save_sae(tmp_path, architecture, normalize_activations=normalisation)
    whole, x = Sae.load(folder), activations(600)
    features = whole.encode(x)
    error = (x - whole.reconstruct(x, features)).square().sum() / (x - x.mean(0)).square().sum()
    found = fit(blocks(folder, size=10), x)
    assert found.l0 == pytest.approx((features != 0).sum().item() / 600)
    assert found.unexplained == pytest.approx(error.item(), rel=1e-4)


def test_only_what_is_named_becomes_resident(tmp_path):
    """Memory grows by the columns asked for, and by far less than the file."""
    d_in, d_sae = 512, 16_384
    folder = save_sae(tmp_path, d_in=d_in, d_sae=d_sae)
    before = private_memory()
    part = SaeSlice.load(folder, range(0, 6400, 100))
    assert part.weights["W_enc"].shape == (d_in, 64)
    assert private_memory() - before < d_in * d_sae * 4 * 2 / 10


def test_a_slice_is_computed_on_one_thread(tmp_path, monkeypatch):
    """And the number of threads is afterwards what it was."""
    part, seen = SaeSlice.load(save_sae(tmp_path), SOME), []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    part.encode(activations(2))
    assert seen == [1, 6]


@pytest.mark.parametrize("features", [[64], [-1], [3, 3]])
def test_features_must_exist_and_be_named_once(tmp_path, features):
    """A feature number of another SAE is an error, not a silent zero."""
    with pytest.raises(MicroscopeError):
        SaeSlice.load(save_sae(tmp_path), features)


def test_an_sae_of_another_width_is_a_lens_error(tmp_path):
    """The message says both widths."""
    with pytest.raises(LensError, match=r"32 wide.* are 48; use"):
        SaeSlice.load(save_sae(tmp_path), SOME, d_in=48)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "batchtopk"}, "save_inference_model"),
        ({"normalize_activations": "expected_average_only_in"}, "unfinished.*save_inference_model"),
        ({"normalize_activations": "covariance_whitening"}, "unfinished.*save_inference_model"),
        ({"reshape_activations": "hook_z"}, "residual-stream"),
        ({"metadata": None}, "no metadata.hook_name.*save"),
        ({"metadata": {}}, "no metadata.hook_name.*save"),
        ({"d_in": None}, "no usable 'd_in'; save"),
        ({"d_sae": 65}, "should be.*restore"),
    ],
)
def test_an_unusable_configuration_is_refused_with_a_remedy(tmp_path, changes, message):
    """Training checkpoints, foreign formats and missing metadata are told apart."""
    folder = save_sae(tmp_path)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps(config | changes))
    with pytest.raises(MicroscopeError, match=message):
        Sae.load(folder)


def _truncate(folder: Path) -> None:
    file = folder / "sae_weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _garble(folder: Path) -> None:
    (folder / "sae_weights.safetensors").write_bytes(b"no safetensors at all")


def _forget_threshold(folder: Path) -> None:
    weights = load_file(folder / "sae_weights.safetensors")
    del weights["threshold"]
    save_file(weights, folder / "sae_weights.safetensors")


def _spoil(folder: Path) -> None:
    weights = load_file(folder / "sae_weights.safetensors")
    weights["W_enc"][0, 3] = float("nan")
    save_file(weights, folder / "sae_weights.safetensors")


def _break_config(folder: Path) -> None:
    (folder / "cfg.json").write_text(json.dumps(["no object"]))


def _delete_weights(folder: Path) -> None:
    (folder / "sae_weights.safetensors").unlink()


def _delete_config(folder: Path) -> None:
    (folder / "cfg.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [_truncate, _garble, _forget_threshold, _spoil, _break_config, _delete_weights, _delete_config],
)
def test_a_damaged_folder_is_refused_and_named(tmp_path, damage):
    """The message names the file or folder, and what to do."""
    folder = save_sae(tmp_path)
    damage(folder)
    with pytest.raises(MicroscopeError, match=f"{folder}.*(restore|save|give a folder)"):
        SaeSlice.load(folder, SOME)


def test_the_hook_comes_from_the_metadata(tmp_path):
    """The Hugging Face name goes before the TransformerLens name."""
    meta = {"hf_hook_name": "model.layers.2.output"}
    folder = save_sae(tmp_path, hook="blocks.2.hook_resid_post", extra=meta)
    assert SaeConfig.load(folder).hook == "model.layers.2.output"
