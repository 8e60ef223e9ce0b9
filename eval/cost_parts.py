"""What the parts of looking cost: a slice against the whole SAE, and matching many detectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch

from eval.cost_models import L0, save_sae
from eval.cost_requests import Row, medians, ratio
from promptfix.detection import Ruleset, detect
from promptfix.formats import Detector, Term
from promptfix.network import Network
from promptfix.records import Activation, Prompt, Reading, Span, Token
from promptfix.sae import SaeSlice
from promptfix.testing import detector

WIDTH = 24_576
LENGTHS = (64, 256, 1024)


def slices(network: Network, work: Path, pairs: int) -> Iterator[Row]:
    """A slice against sae-lens' `encode` of all features, at a residual as wide as GPT-2's."""
    from sae_lens import SAE

    folder = work / "slice-sae"
    if not (folder / "cfg.json").exists():
        save_sae(folder, network, 6, WIDTH)
    whole: Any = SAE.load_from_disk(str(folder))
    held = sum(weight.numel() * weight.element_size() for weight in whole.state_dict().values())
    for tokens in LENGTHS:
        x = torch.randn(tokens, network.width, generator=torch.Generator().manual_seed(0))
        for count in (16, 64, 256):
            part = SaeSlice.load(folder, range(0, count * 8, 8))
            with torch.inference_mode():
                torch.testing.assert_close(
                    part.encode(x), whole.encode(x)[:, part.features], atol=1e-3, rtol=1e-3
                )
                seconds, rounds = medians(
                    pairs, whole=partial(whole.encode, x), slice=partial(part.encode, x)
                )
            kept = sum(weight.numel() * weight.element_size() for weight in part.weights.values())
            yield {
                "part": "slice",
                "tokens": tokens,
                "features": count,
                "of": WIDTH,
                "d_in": network.width,
                "pairs": pairs,
                "full_encode_over_slice": ratio(rounds, "whole", "slice"),
                "slice_memory_over_whole": kept / held,
                "ms": {name: 1000 * value for name, value in seconds.items()},
            }


def matching(pairs: int) -> Iterator[Row]:
    """Detectors in growing number, on one reading in which 64 of 24,576 features fire per token."""
    rng = Random(0)
    made = [_detector(number, rng) for number in range(10_000)]
    for tokens in LENGTHS:
        seen = _reading(tokens, rng)
        rules = {str(count): Ruleset(made[:count]) for count in (10, 100, 1000, 10_000)}
        seconds, rounds = medians(
            pairs, **{count: partial(detect, seen, some) for count, some in rules.items()}
        )
        for count in rules:
            yield {
                "part": "matching",
                "tokens": tokens,
                "detectors": int(count),
                "activations": len(seen.activations),
                "pairs": pairs,
                "over_10": ratio(rounds, count, "10"),
                "ms": {"matching": 1000 * seconds[count]},
            }


def _detector(number: int, rng: Random) -> Detector:
    """Four random features, half of the detectors word by word; none ever fires."""
    lexical = number % 2 == 0
    parts = [
        Term(
            feature=feature,
            weight=rng.uniform(0.1, 1.0),
            at="user" if lexical else rng.choice(("user", "readout")),
        )
        for feature in rng.sample(range(WIDTH), 4)
    ]
    return detector(f"d{number}", parts=parts, threshold=1e9, lexical=lexical)


def _reading(tokens: int, rng: Random) -> Reading:
    """A reading of so many words, one token each."""
    words = [f"word{number}" for number in range(tokens - 2)]
    laid: list[Token] = [Token(position=0, text="<user>", kind="template")]
    start = 0
    for position, word in enumerate(words, 1):
        span = Span(start=start, end=start + len(word))
        laid.append(Token(position=position, text=word, span=span, kind="user"))
        start = span.end + 1
    laid.append(Token(position=len(laid), text="<answer>", kind="readout"))
    fired = [
        Activation(feature=feature, position=token.position, value=rng.uniform(1.0, 9.0))
        for token in laid[1:]
        for feature in rng.sample(range(WIDTH), L0)
    ]
    prompt = Prompt(text=" ".join(words))
    return Reading(lens="fake", prompt=prompt, tokens=tuple(laid), activations=tuple(fired))
