"""Tiny random models, tokenizers and SAEs, made in a second and saved as real ones are."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

CONTEXT = 160
WIDTH = 32
LAYERS = 3
SPECIAL = ["<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
TEXTS = [
    "Tom has 12 apples and buys a gross of eggs for 3 dollars each.",
    "How many are left? The storm devoured the village. He swallowed his pride.",
    "Ann reads a book of 45 pages. The note: a dozen is 12. Answer with a number.",
] * 3
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
STRIPPING = TEMPLATE.replace("m['content']", "m['content'] | trim")
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"


def tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with single digits on a few sentences."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(["pad_token", "bos_token", "eos_token"], SPECIAL, strict=False)),
        additional_special_tokens=SPECIAL[3:],
    )
    fast.chat_template = template
    return fast


def save_model(
    folder: Path,
    kind: str = "llama",
    template: str | None = TEMPLATE,
    seed: int = 0,
    **changes: Any,
) -> Path:
    """Save a random model with its tokenizer as an ordinary Hugging Face folder."""
    torch.manual_seed(seed)
    words = tokenizer(template)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "vocab_size": len(words)}
    if kind == "gpt2":
        shape = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 4, "n_positions": CONTEXT}
        model = GPT2LMHeadModel(GPT2Config(**ids, **shape, initializer_range=0.3, **changes))
    else:
        config, network = {
            "llama": (LlamaConfig, LlamaForCausalLM),
            "mistral": (MistralConfig, MistralForCausalLM),
        }[kind]
        model = network(
            config(
                **ids,
                hidden_size=WIDTH,
                intermediate_size=64,
                num_hidden_layers=LAYERS,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=CONTEXT,
                initializer_range=0.3,
                **changes,
            )
        )
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def save_sae(
    folder: Path,
    architecture: str = "jumprelu",
    *,
    d_in: int = WIDTH,
    d_sae: int = 64,
    hook: str = "model.layers.1",
    extra: dict[str, Any] | None = None,
    seed: int = 0,
    **changes: Any,
) -> Path:
    """Save a random SAE as sae-lens saves one."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=chance)

    weights = {"W_enc": random(d_in, d_sae), "W_dec": random(d_sae, d_in), "b_dec": random(d_in)}
    if architecture == "gated":
        weights |= {name: random(d_sae) * 0.3 for name in ("b_gate", "b_mag", "r_mag")}
    else:
        weights["b_enc"] = random(d_sae)
    if architecture == "jumprelu":
        weights["threshold"] = random(d_sae).abs()
    config = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.54.12", "hook_name": hook, **(extra or {})},
    }
    config |= {"k": 5, "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}
    (folder / "cfg.json").write_text(json.dumps(config | changes))
    save_file(weights, folder / "sae_weights.safetensors")
    return folder
