"""Train SAEs on the residual stream of a Hugging Face model, with sae-lens' trainer.

The activations are those that promptfix looks at when it runs. BatchTopK (Bussmann et al. 2024) is
trained and saved as JumpReLU; its threshold, which training leaves as a moving average, is set anew
at the end, so that the mean number of active features is `k`. TopK (Gao et al. 2024) stays what it
is. Several layers are trained in one pass over the text. Features that hardly ever fire can be left
out at the end: no detector can be learnt from them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from promptfix.errors import PromptfixError
from promptfix.hooks import Tap, name_of_layer
from promptfix.lens import model_sha256, template_sha256
from promptfix.network import Network
from promptfix.sae import Sae
from promptfix.saefile import CONFIG, WEIGHTS
from promptfix.training.activations import Activations, run
from promptfix.training.documents import Corpus, Document
from promptfix.training.quality import Quality, measure_quality

QUALITY = "quality.json"
_COUNTED = 1_000_000
"""Positions of the training text on which firings are counted."""
_CHECKPOINTS = 20
"""How many are made on the way, the last of which is kept."""


class SaeTrainingError(PromptfixError):
    """An SAE cannot be trained as asked."""


@dataclass(frozen=True)
class SaePlan:
    """What to train."""

    layer: int
    width: int
    """Features that are trained."""
    k: int
    """Mean active features per token."""
    kind: Literal["batchtopk", "topk"] = "batchtopk"
    samples: int = 3_000_000
    """Token activations to train on, repeats counted."""
    rate: float = 8e-4
    batch: int = 2048
    buffer: int = 65_536
    seed: int = 0
    kept: int | None = None
    """How many of them are kept: those that fire most often. None: all."""
    half: bool = False
    """Store the two large matrices in float16, in half the space; all computing is in float32."""


@dataclass(frozen=True)
class About:
    """What an SAE's file says of what it was trained on."""

    name: str
    """The model's."""
    model_folder: Path
    data_digest: str
    """64 hex digits."""


def train_saes(
    network: Network, corpus: Corpus, plan: SaePlan, outs: Mapping[int, Path], about: About
) -> dict[int, Quality]:
    """Train one SAE for each layer of `outs` into its folder, and measure them.

    The same call goes on where an interrupted one ended: checkpoints lie beside the first folder
    until all is done. Raises LensError if the model has no such layer, and SaeTrainingError if the
    checkpoints are of another plan, text or model.
    """
    if plan.kept is not None and plan.kind != "batchtopk":
        raise SaeTrainingError(f"of a {plan.kind} SAE all features are kept; leave `kept` out")
    torch.manual_seed(plan.seed)
    outs = dict(sorted(outs.items()))
    hooks = {layer: name_of_layer(network.model, layer) for layer in outs}
    first = next(iter(outs.values()))
    checkpoints = first.with_name(f"{first.name}.checkpoints")
    plans = {layer: replace(plan, layer=layer) for layer in outs}
    saes = {str(layer): _untrained(network, plans[layer], hooks[layer], about) for layer in outs}
    _fit(network, corpus, plan, saes, checkpoints, about)
    measured: dict[int, Quality] = {}
    for layer, out in outs.items():
        out.mkdir(parents=True, exist_ok=True)
        saes[str(layer)].save_inference_model(str(out))
        if plan.half:
            _halve(out)
        settled: dict[str, float] = {}
        if plan.kind == "batchtopk":
            x = _prompt_activations(network, hooks[layer], corpus)
            settled["threshold"] = set_threshold(out, x, plan.k)
            if plan.kept is not None:
                keep_features(out, firings(network, Sae.load(out), corpus), plan.kept)
                settled["threshold"] = set_threshold(out, x, plan.k)
        measured[layer] = measure_quality(network, Sae.load(out), corpus.held[1::2] or corpus.held)
        _note(out, measured[layer], settled)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return measured


def _fit(
    network: Network,
    corpus: Corpus,
    plan: SaePlan,
    saes: dict[str, Any],
    checkpoints: Path,
    about: About,
) -> None:
    """Train the SAEs (name -> SAE) in place."""
    from promptfix.training.trainer import Trainer

    hooks = {name: str(sae.cfg.metadata.hook_name) for name, sae in saes.items()}
    activations = Activations(
        network,
        corpus.stream(),
        list(hooks.values()),
        batch=plan.batch,
        buffer=plan.buffer // len(saes),
        seed=plan.seed,
    )
    decides = [asdict(plan), hooks, about.data_digest, model_sha256(about.model_folder)]
    digest = sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    config = _trainer_config(plan, str(network.model.device), checkpoints)
    try:
        trainer = Trainer(config, saes, hooks, activations, digest)
    except (ValueError, KeyError, OSError) as error:
        raise SaeTrainingError(
            f"the checkpoints in {checkpoints} cannot be gone on from ({error}); remove them, or "
            "choose another place with --out"
        ) from error
    trainer.fit()


def _untrained(network: Network, plan: SaePlan, hook: str, about: About) -> Any:
    """Make a training SAE of sae-lens whose file will say all that is known."""
    import sae_lens
    from sae_lens.saes.sae import SAEMetadata

    kind = "TopK" if plan.kind == "topk" else "BatchTopK"
    config = getattr(sae_lens, f"{kind}TrainingSAEConfig")(
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
    return getattr(sae_lens, f"{kind}TrainingSAE")(config)


def _trainer_config(plan: SaePlan, device: str, checkpoints: Path) -> Any:
    from sae_lens.config import LoggingConfig, SAETrainerConfig

    steps = plan.samples // plan.batch
    if steps < 1:
        raise SaeTrainingError(f"{plan.samples} samples are fewer than one batch of {plan.batch}")
    return SAETrainerConfig(
        total_training_samples=steps * plan.batch,
        train_batch_size_samples=plan.batch,
        lr=plan.rate,
        lr_end=plan.rate / 10,
        lr_decay_steps=steps // 4,
        lr_warm_up_steps=min(100, steps // 10),
        n_batches_for_norm_estimate=min(20, steps),
        # A feature counts as dead after some 200,000 activations without firing. With a million,
        # 31 % of 8,192 features were left that fire less than once in 23,000.
        dead_feature_window=max(50, min(400, steps // 8, 200_000 // plan.batch)),
        feature_sampling_window=max(100, steps),
        device=device,
        autocast=True,  # bfloat16 products are faster on a CPU too; the threshold is set in float32
        n_checkpoints=_CHECKPOINTS,
        checkpoint_path=str(checkpoints),
        save_final_checkpoint=False,
        logger=LoggingConfig(log_to_wandb=False),
    )


def _prompt_activations(network: Network, hook: str, corpus: Corpus) -> Tensor:
    """[positions, d_in]: what is looked at at run time, on every other text held out."""
    prompts = [
        Document(document.ids, document.looked_at[: document.prompt], document.prompt)
        for document in corpus.held[::2]
    ]
    found = run(network, {hook: Tap(network.model, hook)}, prompts)
    return torch.cat([activations[hook] for activations in found]).cpu()


def _halve(folder: Path) -> None:
    """Round the encoder and the decoder to float16."""
    weights = load_file(folder / WEIGHTS)
    halved = {name: weights[name].half() for name in ("W_enc", "W_dec")}
    save_file(weights | halved, folder / WEIGHTS)


@torch.inference_mode()
def firings(network: Network, sae: Sae, corpus: Corpus) -> Tensor:
    """[features]: how often each fires on the first million positions of the training text."""
    hook, batch = sae.config.hook, 4096
    stream = Activations(network, corpus.stream(), [hook], batch=batch, buffer=16 * batch)
    counts = torch.zeros(sae.config.d_sae, dtype=torch.int64)
    for found in islice(stream, _COUNTED // batch):
        counts += (sae.encode(found[hook]) != 0).sum(0).cpu()
    return counts


def keep_features(folder: Path, counts: Tensor, kept: int) -> None:
    """Leave out of an SAE's folder all but the `kept` features with the highest counts [features].

    Those that are kept stay in their order.
    """
    weights, file = load_file(folder / WEIGHTS), folder / CONFIG
    chosen = counts.argsort(descending=True, stable=True)[:kept].sort().values
    along = {"W_enc": 1, "W_dec": 0, "b_enc": 0, "threshold": 0}
    fewer = {n: weights[n].index_select(dim, chosen).contiguous() for n, dim in along.items()}
    save_file(weights | fewer, folder / WEIGHTS)
    config = json.loads(file.read_text("utf-8")) | {"d_sae": len(chosen)}
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


@torch.inference_mode()
def set_threshold(folder: Path, x: Tensor, k: int) -> float:
    """Set one threshold so that on activations x [positions, d_in] `k` features fire on average.

    Training leaves an exponential average that starts at 0 as threshold, far too low after a short
    run.
    """
    weights = load_file(folder / WEIGHTS)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    kept: list[Tensor] = []
    for rows in x.split(2048):
        centred = rows - weights["b_dec"] if config.get("apply_b_dec_to_input", True) else rows
        pre = (centred @ weights["W_enc"].float() + weights["b_enc"]).relu()
        kept.append(pre.topk(min(8 * k, pre.shape[1]), dim=1).values.flatten())
    # Features fire above the threshold, so it lies at the first value that is not to fire.
    threshold = float(torch.cat(kept).topk(k * len(x) + 1).values[-1])
    weights["threshold"] = torch.full_like(weights["b_enc"], threshold)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    return threshold


def _note(folder: Path, quality: Quality, settled: dict[str, float]) -> None:
    """Write what was measured beside the weights, and what the self-check needs into cfg.json."""
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    found = {"l0": quality.l0, "explained_variance": quality.explained_variance}
    config["metadata"] |= found | settled
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    (folder / QUALITY).write_text(json.dumps(asdict(quality), indent=2) + "\n", "utf-8")
