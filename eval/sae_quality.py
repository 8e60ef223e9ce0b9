"""How good is the SAE? `python -m eval.sae_quality`, on prompts that neither it nor mini was trained on.

Unexplained variance, active features, cross-entropy recovered when the reconstruction is spliced in (against mean
ablation), dead features. Prompts: held-out stories and unit-word problems, fresh generated problems and metaphor cases
of another seed, and, where PROMPTFIX_DATA is set, SVAMP's training half and moh-rest.
"""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path

import torch

from eval.common import WEIGHTS, write_result
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


def texts(count: int) -> list[str]:
    """Unseen prompts, a third from each source."""
    fresh = [d.prompt for d in itertools.islice(Mixture(None).stream(SEED), count) if d.prompt]
    held = [row["question"] for row in (*stories(count // 2, SEED), *unit_words(count // 4, SEED))]
    folder = Path(os.environ.get("PROMPTFIX_DATA", "missing"))
    real = [i.prompt for name in ("math/svamp-train", "metaphor/moh-rest") if (folder / f"{name}.jsonl").exists() for i in load(folder / f"{name}.jsonl")]
    return fresh + held + real[:count]


@torch.inference_mode()
def losses(network: Network, sae: Sae, prompts: list[str], mean: torch.Tensor) -> dict[str, float]:
    """Mean next-token cross-entropy (nats) on the prompts' own tokens: clean, reconstructed, mean-ablated."""
    module, _ = resolve(network.model, sae.config.hook)
    swap: dict[str, object] = {"kind": "clean", "mask": None}

    def splice(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        if swap["kind"] == "clean":
            return output
        new = sae.reconstruct(output) if swap["kind"] == "spliced" else mean.expand_as(output)
        mask = swap["mask"]
        assert isinstance(mask, torch.Tensor)
        return torch.where(mask[None, :, None], new.to(output.dtype), output)

    handle = module.register_forward_hook(splice)
    totals, count = dict.fromkeys(("clean", "spliced", "ablated"), 0.0), 0
    for text in prompts:
        chat = encode(network.tokenizer, Prompt(text=text))
        ids = torch.tensor([chat.ids])
        looked = torch.zeros(len(chat.ids), dtype=torch.bool)
        looked[chat.looked_at] = True
        targets = [p + 1 for p in chat.looked_at if p + 1 < len(chat.ids) and looked[p + 1]]
        for kind in totals:
            swap["kind"], swap["mask"] = kind, looked
            log = network.model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
            totals[kind] -= float(log[[t - 1 for t in targets]].gather(1, ids[0, targets][:, None]).sum())
        count += len(targets)
    handle.remove()
    return {kind: total / count for kind, total in totals.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--sae", type=Path, default=WEIGHTS / "sae")
    parser.add_argument("--prompts", type=int, default=1200)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    network, sae = load_network(options.model), Sae.load(options.sae)
    prompts = texts(options.prompts)
    microscope = Microscope(network, sae, lens="")
    seen = torch.cat([r for _, r in microscope.residuals([Prompt(text=t) for t in prompts])])
    mean = seen.mean(0)
    error = active = 0.0
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool)
    for chunk in seen.split(4096):
        features = sae.encode(chunk)
        error += float((chunk - sae.reconstruct(chunk, features)).square().sum())
        active += float((features != 0).sum())
        fired |= (features != 0).any(0)
    ce = losses(network, sae, prompts[:: max(1, len(prompts) // 300)], mean)
    result = {
        "unexplained_variance": error / float((seen - mean).square().sum()),
        "l0": active / len(seen), "l0_fraction": active / len(seen) / sae.config.d_sae,
        "ce_recovered": (ce["ablated"] - ce["spliced"]) / (ce["ablated"] - ce["clean"]), "ce": ce,
        "dead_fraction": float((~fired).float().mean()), "n_tokens": len(seen), "n_prompts": len(prompts), "d_sae": sae.config.d_sae, "hook": sae.config.hook,
    }
    for key, value in result.items():
        print(f"{key:22} {value}")
    if not options.no_write:
        print(write_result("sae_quality", result))


if __name__ == "__main__":
    main()
