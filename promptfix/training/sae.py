"""Train an SAE on the residual stream of a Hugging Face model, with sae-lens' trainer.

The activations are those that promptfix looks at when it runs: the same chat template, no template
tokens but the read-out, plus the tokens of replies. BatchTopK (Bussmann et al. 2024) is trained and
saved as JumpReLU; its threshold, which training leaves as a moving average, is set anew at the end,
so that the mean number of active features is `k`. TopK (Gao et al. 2024) stays what it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from promptfix.hooks import Tap
from promptfix.lens import model_sha256, template_sha256
from promptfix.network import Network
from promptfix.saefile import CONFIG, WEIGHTS

Turn: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""(head, reply): the token ids of one document; the head's last token is the read-out."""


@dataclass(frozen=True)
class SaePlan:
    """What to train."""

    layer: int
    width: int
    """Features."""
    k: int
    """Mean active features per token."""
    kind: Literal["batchtopk", "topk"] = "batchtopk"
    samples: int = 3_000_000
    """Token activations to train on, repeats counted."""
    rate: float = 8e-4
    batch: int = 2048
    buffer: int = 65_536
    seed: int = 0


def _length(turn: Turn) -> int:
    return len(turn[0]) + len(turn[1])


class Activations:
    """An endless iterator of shuffled residual-stream vectors (batch, d_in), float32.

    Template tokens are left out, since nothing is matched there when promptfix runs.
    """

    def __init__(
        self, network: Network, turns: Iterator[Turn], plan: SaePlan, special: frozenset[int]
    ) -> None:
        self._network, self._turns, self._plan, self._special = network, turns, plan, special
        self._tap = Tap(network.model, f"model.layers.{plan.layer}")
        self._generator = torch.Generator().manual_seed(plan.seed)
        self._pool = torch.empty(0, network.width)
        self._replies = True

    def only_prompts(self) -> Self:
        """From now on the positions that are looked at at run time: prompts and read-outs."""
        self._replies, self._pool = False, self._pool[:0]
        return self

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if len(self._pool) < self._plan.buffer // 2:
            self._refill()
        batch, self._pool = self._pool[: self._plan.batch], self._pool[self._plan.batch :]
        return batch

    def _refill(self) -> None:
        parts, held = [self._pool], len(self._pool)
        while held < self._plan.buffer:
            # In batches of like length, so that hardly anything is computed for padding.
            turns = sorted((next(self._turns) for _ in range(1024)), key=_length)
            parts += [self._run(turns[i : i + 64]) for i in range(0, len(turns), 64)]
            held = sum(map(len, parts))
        pool = torch.cat(parts)
        self._pool = pool[torch.randperm(len(pool), generator=self._generator)]

    @torch.inference_mode()
    def _run(self, turns: list[Turn]) -> Tensor:
        rows = [[*head, *reply] for head, reply in turns]
        longest = max(map(len, rows))
        ids = self._network.tensor([row + [0] * (longest - len(row)) for row in rows])
        with self._tap.listening(stop=True) as heard:
            self._network.model(input_ids=ids, use_cache=False)
        return heard[0][self._looked_at(turns, longest).to(ids.device)].float().cpu().clone()

    def _looked_at(self, turns: list[Turn], longest: int) -> Tensor:
        """[turns, longest]: the positions whose activations are trained on."""
        mask = torch.zeros(len(turns), longest, dtype=torch.bool)
        for row, (head, reply) in enumerate(turns):
            ids = [*head, *reply] if self._replies else head
            mask[row, : len(ids)] = torch.tensor([i not in self._special for i in ids])
            mask[row, len(head) - 1] = len(head) > 1
        return mask


@dataclass(frozen=True)
class About:
    """What an SAE's file says of what it was trained on."""

    name: str
    """The model's."""
    model_folder: Path
    special: frozenset[int]
    """Ids of the template's tokens."""
    data_digest: str
    """64 hex digits."""


def train_sae(
    network: Network, turns: Iterator[Turn], plan: SaePlan, out: Path, about: About
) -> dict[str, Any]:
    """Train and save an SAE into `out`, a sae-lens folder. Returns what was measured at the end."""
    from sae_lens import BatchTopKTrainingSAE, SAETrainer, TopKTrainingSAE

    torch.manual_seed(plan.seed)
    activations = Activations(network, turns, plan, about.special)
    config = _trainer_config(plan, str(network.model.device))
    kind = TopKTrainingSAE if plan.kind == "topk" else BatchTopKTrainingSAE
    sae = kind(_sae_config(network, plan, about))
    trained = SAETrainer(cfg=config, sae=sae, data_provider=activations).fit()
    out.mkdir(parents=True, exist_ok=True)
    trained.save_inference_model(str(out))
    return {"l0": plan.k} if plan.kind == "topk" else finish(out, activations, plan.k)


def _sae_config(network: Network, plan: SaePlan, about: About) -> Any:
    from sae_lens import BatchTopKTrainingSAEConfig, TopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    hook = f"model.layers.{plan.layer}"
    form = TopKTrainingSAEConfig if plan.kind == "topk" else BatchTopKTrainingSAEConfig
    config = form(
        d_in=network.width,
        d_sae=plan.width,
        k=plan.k,
        normalize_activations="expected_average_only_in",
        device=str(network.model.device),
    )
    config.metadata = SAEMetadata(
        model_name=about.name,
        model_class_name="AutoModelForCausalLM",
        hook_name=hook,
        hf_hook_name=hook,
        hook_layer=plan.layer,
        prepend_bos=True,
        exclude_special_tokens=True,
        context_size=network.context,
        model_sha256=model_sha256(about.model_folder),
        template_sha256=template_sha256(about.model_folder),
        data_digest=about.data_digest,
        plan=asdict(plan),
    )
    return config


def _trainer_config(plan: SaePlan, device: str) -> Any:
    from sae_lens.config import SAETrainerConfig

    steps = plan.samples // plan.batch
    return SAETrainerConfig(
        total_training_samples=steps * plan.batch,
        train_batch_size_samples=plan.batch,
        lr=plan.rate,
        lr_end=plan.rate / 10,
        lr_decay_steps=steps // 4,
        lr_warm_up_steps=min(100, steps // 10),
        n_batches_for_norm_estimate=min(20, steps),
        dead_feature_window=max(50, min(400, steps // 8)),
        feature_sampling_window=max(100, steps),
        device=device,
        autocast=True,  # bfloat16 products are faster on a CPU too; the threshold is set in float32
    )


def finish(out: Path, activations: Activations, k: int, batches: int = 16) -> dict[str, Any]:
    """Set one threshold so that `k` features fire at a mean position of a prompt; note it.

    Training leaves an exponential average that starts at 0 as threshold, far too low after a short
    run.
    """
    activations = activations.only_prompts()
    weights = load_file(out / WEIGHTS)
    config = json.loads((out / CONFIG).read_text("utf-8"))
    kept: list[Tensor] = []
    for _ in range(batches):
        x = next(activations)
        x = x - weights["b_dec"] if config.get("apply_b_dec_to_input", True) else x
        pre = (x @ weights["W_enc"] + weights["b_enc"]).relu()
        kept.append(pre.topk(min(8 * k, pre.shape[1]), dim=1).values.flatten())
    values = torch.cat(kept)
    positions = len(values) // min(8 * k, weights["W_enc"].shape[1])
    threshold = float(values.topk(k * positions).values[-1])
    weights["threshold"] = torch.full_like(weights["b_enc"], threshold)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, out / WEIGHTS)
    config["metadata"] |= {"l0": float(k), "threshold": threshold}
    (out / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    print(f"threshold {threshold:.4f} for L0 {k}", file=sys.stderr)
    return {"threshold": threshold, "l0": k}
