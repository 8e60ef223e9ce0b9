"""Models, SAEs, detectors and prompts for measuring cost: shapes as published, weights random.

What a forward pass costs does not depend on the weights' values, so no hub is needed. The tokenizer
is mini's, so that a prompt has the same tokens everywhere.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from eval.common import WEIGHTS
from promptfix.chat import encode_ids
from promptfix.formats import Detector, Term
from promptfix.library import Library, load
from promptfix.microscope import Microscope
from promptfix.models import LocalModel
from promptfix.network import Network, load_network
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt
from promptfix.sae import Sae, SaeSlice
from promptfix.testing import detector, with_detectors

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {
    "gpt2-124m": ("GPT2Config", {}, 6, 24_576),
    "llama-1b": (
        "LlamaConfig",
        {
            "vocab_size": 128_256,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 16,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
        8,
        32_768,
    ),
}
"""Name -> configuration, what differs from its defaults, layer and width of the SAE."""
L0 = 64
"""Active features per token of the random SAEs, as in the published ones."""
DETECTORS, TERMS = 10, 4


def folder_of(name: str, work: Path) -> Path:
    """The folder with model/ and sae/, made if it is not there."""
    if name == "mini":
        return WEIGHTS
    folder = work / name
    if not (folder / "sae" / "cfg.json").exists():
        _make(name, folder)
    return folder


def _make(name: str, folder: Path) -> None:
    import transformers

    kind, changes, layer, width = SHAPES[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**changes, bos_token_id=1, eos_token_id=0, pad_token_id=0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder / "model")
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (WEIGHTS / "model" / file).exists():
            shutil.copy(WEIGHTS / "model" / file, folder / "model" / file)
    network = load_network(folder / "model", "cpu")
    save_sae(folder / "sae", network, layer, width)


def save_sae(folder: Path, network: Network, layer: int, width: int) -> None:
    """Save a random JumpReLU SAE on a layer, of whose features 64 fire per token."""
    chance = torch.Generator().manual_seed(0)
    weights = {
        "W_enc": torch.randn(network.width, width, generator=chance),
        "W_dec": torch.randn(width, network.width, generator=chance),
        "b_enc": torch.zeros(width),
        "b_dec": torch.zeros(network.width),
        "threshold": torch.zeros(width),
    }
    config = {
        "architecture": "jumprelu",
        "d_in": network.width,
        "d_sae": width,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.54.12", "hook_name": f"blocks.{layer}.hook_resid_post"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cfg.json").write_text(json.dumps(config), "utf-8")
    save_file(weights, folder / "sae_weights.safetensors")
    microscope = Microscope(network, SaeSlice.load(folder, range(0, width, 16)), "bench")
    some = [Prompt(text=prompt_of(network, 64)[0])]
    seen = torch.cat([residual for _, residual in microscope.residuals(some)])
    values = microscope.encoder.encode(seen).flatten()
    weights["threshold"] += values.quantile(1 - L0 / width)
    save_file(weights, folder / "sae_weights.safetensors")


def prompt_of(network: Network, tokens: int) -> tuple[str, int]:
    """A prompt that a note can be made for, of so many tokens with its template: it, its length."""
    text, words = "The shop had one gross of pencils.", 0
    while True:
        longer = f"{text} It sold {words} pencils."
        length = len(encode_ids(network.tokenizer, Prompt(text=longer)))
        if length > tokens:
            return text, len(encode_ids(network.tokenizer, Prompt(text=text)))
        text, words = longer, words + 1


def pipeline_of(folder: Path, *, fires: bool) -> Pipeline:
    """A pipeline with ten detectors over the SAE, all quiet or one of them always firing."""
    network = load_network(folder / "model", "cpu")
    active = _active(network, folder / "sae")
    chosen = [
        _detector(number, active[number * TERMS : (number + 1) * TERMS], fires=fires)
        for number in range(DETECTORS)
    ]
    library = with_detectors(_library(), *chosen)
    features = sorted({feature for one in chosen for feature in one.features})
    encoder = SaeSlice.load(folder / "sae", features, d_in=network.width)
    return Pipeline(Microscope(network, encoder, "fake"), LocalModel(network), library)


def _active(network: Network, sae: Path) -> list[int]:
    """The features that fire most on a prompt, so that there is something to look at and match."""
    microscope = Microscope(network, Sae.load(sae), "bench")
    peaks = microscope.read_many([Prompt(text=prompt_of(network, 64)[0])])
    return peaks.user[0].topk(DETECTORS * TERMS).indices.tolist()


def _detector(number: int, features: list[int], *, fires: bool) -> Detector:
    # A sum that is above the threshold as soon as any of the features fires anywhere.
    line = 1e-6 if fires and not number else 1e9
    parts = [Term(feature=feature, weight=1.0, at="user") for feature in features]
    return detector(f"d{number}", parts=parts, threshold=line)


def _library() -> Library:
    return load(ROOT / "detectors", ROOT / "annotations")
