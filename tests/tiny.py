"""Tiny random models, tokenizers and SAEs, made in a second and saved as real ones are."""

import json
import os
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3_5TextConfig,
    Qwen3Config,
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
    return _fast(made, template)


def metaspace_tokenizer(
    template: str | None = TEMPLATE, *, prefix: bool = True
) -> PreTrainedTokenizerFast:
    """Train a tokenizer as sentencepiece makes them: a mark for spaces, bytes for what is rare.

    With `prefix`, as in Llama 2 and Mistral, words begin with the mark also where no space is;
    without, as in Gemma, they do not. Without a template it writes its own BOS.
    """
    mark, rare = "\u2581", [f"<0x{byte:02X}>" for byte in range(256)]
    steps = [normalizers.Prepend(mark)] if prefix else []
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token=SPECIAL[0]))
    made.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", mark)])
    made.train_from_iterator(
        [mark + word for text in TEXTS for word in text.split()],
        trainers.BpeTrainer(vocab_size=500, special_tokens=[*SPECIAL, *rare], show_progress=False),
    )
    pieces = [decoders.Replace(mark, " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*pieces, *([decoders.Strip(" ", 1, 0)] if prefix else [])])
    if template is None:
        made.post_processor = processors.TemplateProcessing(
            single=f"{SPECIAL[1]} $A", special_tokens=[(SPECIAL[1], 1)]
        )
    fast = _fast(made, template)
    # Bytes were given to the trainer as special tokens, so that they are in the vocabulary.
    content = json.loads(fast.backend_tokenizer.to_str())
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] not in rare]
    return _fast(Tokenizer.from_str(json.dumps(content)), template)


def _fast(made: Tokenizer, template: str | None) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made,
        **dict(zip(["pad_token", "bos_token", "eos_token"], SPECIAL, strict=False)),
        additional_special_tokens=SPECIAL[3:],
    )
    fast.chat_template = template
    return fast


_SHAPE = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}
_GROUPED = _SHAPE | {"num_key_value_heads": 2, "head_dim": 8}
_WINDOW = {"sliding_window": 8}
"""Far less than a prompt, so that what is behind the window matters."""
_MIXED = _WINDOW | {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
_GPT2 = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 4, "n_positions": CONTEXT}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "linear_attention", "full_attention"],
}
_EYES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_CONFIGS: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
    "llama": (LlamaConfig, _SHAPE | {"num_key_value_heads": 2}),
    "mistral": (MistralConfig, _SHAPE | {"num_key_value_heads": 2, "sliding_window": None}),
    "mistral-window": (MistralConfig, _GROUPED | _WINDOW),
    "qwen3": (Qwen3Config, _GROUPED),
    "gemma2": (Gemma2Config, _GROUPED | _WINDOW),
    "gemma3": (Gemma3TextConfig, _GROUPED | _MIXED),
    "gpt2": (GPT2Config, _GPT2 | {"initializer_range": 0.3}),
    "gpt_neox": (GPTNeoXConfig, _SHAPE),
    "gpt_oss": (
        GptOssConfig,
        _GROUPED | _WINDOW | {"num_local_experts": 2, "num_experts_per_tok": 1},
    ),
    "qwen3_5": (Qwen3_5TextConfig, _GROUPED | _LINEAR),
}


def config(kind: str, **changes: Any) -> PreTrainedConfig:
    """The configuration of a tiny model; `gemma3-images` is Gemma-3 with its vision tower."""
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    if kind == "gemma3-images":
        text = config("gemma3", **changes)
        return Gemma3Config(text_config=text, vision_config=_EYES, **ids)
    made, shape = _CONFIGS[kind]
    return made(**(ids | shape | changes))


def save_model(
    folder: Path,
    kind: str = "llama",
    template: str | None = TEMPLATE,
    seed: int = 0,
    words: PreTrainedTokenizerFast | None = None,
    **changes: Any,
) -> Path:
    """Save a random model with its tokenizer as an ordinary Hugging Face folder."""
    torch.manual_seed(seed)
    words = words or tokenizer(template)
    model = AutoModelForCausalLM.from_config(config(kind, vocab_size=len(words), **changes))
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


def private_memory() -> int:
    """The bytes of this process's memory that no file stands behind."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])
