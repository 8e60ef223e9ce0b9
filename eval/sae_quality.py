"""How good is the SAE? `python -m eval.sae_quality`, on prompts unseen by it and by mini.

Unexplained variance, active features, cross-entropy recovered when the reconstruction is spliced in
(against mean ablation), dead features, validated features (validated.py). Prompts: held-out stories
and unit-word problems, fresh generated problems and metaphor cases of another seed, and, where
PROMPTFIX_DATA is set, SVAMP's training half and moh-rest.
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from eval.common import WEIGHTS, write_result
from eval.probes import random_sae
from eval.validated import half, validated
from promptfix.chat import encode
from promptfix.hooks import resolve
from promptfix.microscope import Microscope
from promptfix.mini.corpus.mix import Mixture
from promptfix.mini.heldout import stories, unit_words
from promptfix.network import Network, load_network
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.tasks import load

SEED = 424_243
READ = 3000
"""Prompts of the generator on which readings are fixed."""


def texts(count: int) -> tuple[list[str], list[str]]:
    """Unseen prompts of the generator, and others: its held-out stories, and real ones."""
    fresh = [d.prompt for d in itertools.islice(Mixture(None).stream(SEED), count) if d.prompt]
    held = [row["question"] for row in (*stories(count // 2, SEED), *unit_words(count // 4, SEED))]
    folder = Path(os.environ.get("PROMPTFIX_DATA", "missing"))
    files = [folder / "math/svamp-train.jsonl", folder / "metaphor/moh-rest.jsonl"]
    real = [item.prompt for file in files if file.exists() for item in load(file)]
    return fresh, held + real[:count]


@contextmanager
def spliced(
    network: Network, sae: Sae, mean: torch.Tensor | None, mask: torch.Tensor
) -> Generator[None]:
    """Put at the positions of `mask` [T] the reconstruction, or `mean` [d_in], for the residual."""

    def splice(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        new = sae.reconstruct(output) if mean is None else mean.expand_as(output)
        return torch.where(mask[None, :, None], new.to(output.dtype), output)

    module, _ = resolve(network.model, sae.config.hook)
    handle = module.register_forward_hook(splice)
    try:
        yield
    finally:
        handle.remove()


@torch.inference_mode()
def losses(network: Network, sae: Sae, prompts: list[str], mean: torch.Tensor) -> dict[str, float]:
    """Mean cross-entropy (nats) on the prompts' own tokens: clean, spliced, mean-ablated."""
    totals, count = dict.fromkeys(("clean", "spliced", "ablated"), 0.0), 0
    for text in prompts:
        chat = encode(network.tokenizer, Prompt(text=text))
        ids = torch.tensor([chat.ids])
        looked = torch.zeros(len(chat.ids), dtype=torch.bool)
        looked[chat.looked_at] = True
        own = [p + 1 for p in chat.looked_at if p + 1 < len(chat.ids) and looked[p + 1]]
        totals["clean"] += loss_at(network, ids, own)
        with spliced(network, sae, None, looked):
            totals["spliced"] += loss_at(network, ids, own)
        with spliced(network, sae, mean, looked):
            totals["ablated"] += loss_at(network, ids, own)
        count += len(own)
    return {kind: total / count for kind, total in totals.items()}


def loss_at(network: Network, ids: torch.Tensor, targets: list[int]) -> float:
    """Summed cross-entropy (nats) of the tokens at `targets` of ids [1, T]."""
    log = network.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
    return -float(log[[t - 1 for t in targets]].gather(1, ids[0, targets][:, None]).sum())


def reconstruction(sae: Sae, seen: torch.Tensor) -> dict[str, float]:
    """Unexplained variance, active and dead features on residuals [positions, d_in]."""
    error = active = 0.0
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool)
    for chunk in seen.split(4096):
        features = sae.encode(chunk)
        error += float((chunk - sae.reconstruct(chunk, features)).square().sum())
        active += float((features != 0).sum())
        fired |= (features != 0).any(0)
    l0 = active / len(seen)
    return {
        "unexplained_variance": error / float((seen - seen.mean(0)).square().sum()),
        "l0": l0,
        "l0_fraction": l0 / sae.config.d_sae,
        "dead_fraction": float((~fired).float().mean()),
    }


def meanings(
    microscope: Microscope, sae: Sae, seen: torch.Tensor, others: list[str]
) -> dict[str, Any]:
    """Features whose reading, fixed on the generator's prompts, holds on other sources."""
    size = microscope.network.model.config.vocab_size
    some = seen[:: max(1, len(seen) // 40_000)]
    more = [d.prompt for d in itertools.islice(Mixture(None).stream(SEED + 1), READ) if d.prompt]
    saes = {
        "own": sae,
        "random_sae": random_sae(sae, some, SEED, turned=True),
        "random_directions": random_sae(sae, some, SEED),
    }
    return validated(saes, half(microscope, more, size), half(microscope, others, size))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--sae", type=Path, default=WEIGHTS / "sae")
    parser.add_argument("--prompts", type=int, default=1200)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    network, sae = load_network(options.model), Sae.load(options.sae)
    fresh, others = texts(options.prompts)
    prompts = fresh + others
    microscope = Microscope(network, sae, lens="")
    seen = torch.cat([r for _, r in microscope.residuals([Prompt(text=t) for t in prompts])])
    ce = losses(network, sae, prompts[:: max(1, len(prompts) // 300)], seen.mean(0))
    result = {
        **reconstruction(sae, seen),
        "ce_recovered": (ce["ablated"] - ce["spliced"]) / (ce["ablated"] - ce["clean"]),
        "ce": ce,
        "validated": meanings(microscope, sae, seen, others),
        "n_tokens": len(seen),
        "n_prompts": len(prompts),
        "d_sae": sae.config.d_sae,
        "hook": sae.config.hook,
    }
    for key, value in result.items():
        print(f"{key:22} {value}")
    if not options.no_write:
        print(write_result("sae_quality", result))


if __name__ == "__main__":
    main()
