"""The chat form and the tokenizer of `mini`: byte-level BPE with single digits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

BOS, END = "<|begin|>", "<|end|>"
USER, SYSTEM, ASSISTANT = "<|user|>", "<|system|>", "<|assistant|>"
SPECIALS = [END, BOS, USER, SYSTEM, ASSISTANT]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int, folder: Path, context: int) -> None:
    """Learn a byte-level BPE of `vocabulary` entries and save it as a fast tokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    # Digits stand alone, so that a number is copied and computed digit by digit.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\p{L}+| ?[^\s\p{L}\d]+|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=END,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)


def render(prompt: str | None, reply: str) -> tuple[str, str]:
    """The text before the reply (not learnt in full) and the reply with its end mark."""
    head = f"{BOS}{USER}{prompt}{END}{ASSISTANT}" if prompt is not None else BOS
    return head, reply + END
