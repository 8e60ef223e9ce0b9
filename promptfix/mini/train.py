"""Train `mini` from scratch on shards of the mixture: Muon for its matrices, else AdamW.

Resumable: a checkpoint is one safetensors file, and the stream of batches is a function of the
seed, so a resumed run goes on where it stopped. Muon: Jordan et al. 2024; here torch.optim.Muon.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from promptfix.mini import chat
from promptfix.mini.corpus.mix import Mixture


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what `mini` becomes."""

    architecture: Literal["llama", "gpt2"] = "llama"
    width: int = 288
    layers: int = 10
    heads: int = 6
    feed_forward: int = 768
    vocabulary: int = 8192
    context: int = 512
    tokens: int = 40_000_000
    """Tokens to train on, padding not counted."""
    batch_tokens: int = 6144
    shard_documents: int = 40_000
    prompt_share: float = 0.35
    """Share of the prompt's tokens that are also learnt (text: twice that)."""
    muon_rate: float = 0.02
    adam_rate: float = 0.003
    decay_share: float = 0.35
    """The last part of the run, in which the rates fall linearly to zero."""
    warmup_steps: int = 60
    seed: int = 0


Ids: TypeAlias = npt.NDArray[np.integer[Any]]
STATE = "state.safetensors"
"""Model, optimisers and progress, beside the model's folder."""
LOG = "log.jsonl"
"""The run's log, beside the checkpoint: step, tokens, loss, rate, minutes left."""
_IN_LAYER = re.compile(r"(.*\.(?:layers|h)\.)(\d+)(\..*)")
_OUTPUTS = ("o_proj.weight", "down_proj.weight", "c_proj.weight", "c_proj.bias")
"""What a layer adds to the residual stream comes out of these."""
BUCKET = 16
"""Lengths are rounded up to a multiple of this, so that a compiled model sees few shapes."""


def make_shard(
    recipe: Recipe, data: str | None, tokenizer_file: str, index: int, path: str
) -> None:
    """Tokenise one shard of documents into `path`; runs in a worker process.

    The file is an npz: ids (all tokens), offsets (documents + 1), heads (tokens before the reply).
    """
    from tokenizers import Tokenizer

    os.nice(5)
    tokenizer = Tokenizer.from_file(tokenizer_file)
    stream = _mixture(data).stream(recipe.seed * 100_003 + index)
    documents = list(islice(stream, recipe.shard_documents))
    pairs = [chat.render(doc.prompt, doc.reply) for doc in documents]
    pairs = [(h + doc.begun, r) for (h, r), doc in zip(pairs, documents, strict=True)]
    heads = tokenizer.encode_batch([h for h, _ in pairs], add_special_tokens=False)
    replies = tokenizer.encode_batch([r for _, r in pairs], add_special_tokens=False)
    rows = [(h.ids + r.ids)[: recipe.context] for h, r in zip(heads, replies, strict=True)]
    temporary = Path(path + ".tmp.npz")
    np.savez(
        temporary,
        ids=np.concatenate([np.array(ids, dtype=np.uint16) for ids in rows]),
        offsets=np.cumsum([0] + [len(ids) for ids in rows]),
        heads=np.array([len(head.ids) for head in heads]),
    )
    temporary.replace(path)


@cache
def _mixture(data: str | None) -> Mixture:
    """The mixture, read once in each worker."""
    return Mixture(Path(data) if data else None)


def batches(shard: Path, recipe: Recipe, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of similar length from one shard.

    Yields ids (B, T) and the flat positions whose next token is learnt (at most B * T).
    """
    with np.load(shard) as file:
        ids, offsets, heads = file["ids"], file["offsets"], file["heads"]
    rng = Random(seed)
    draw = np.random.default_rng(seed)
    sizes = [_rounded(int(length)) for length in np.diff(offsets)]
    order = sorted(range(len(sizes)), key=lambda i: (sizes[i], rng.random()))
    groups: list[list[int]] = [[]]
    for i in order:
        size = sizes[i]
        if groups[-1] and (len(groups[-1]) + 1) * size > recipe.batch_tokens:
            groups.append([])
        groups[-1].append(i)
    rng.shuffle(groups)
    for group in groups:
        rows = [ids[offsets[i] : offsets[i + 1]] for i in group]
        yield _batch(rows, heads[group], recipe.prompt_share, draw)


def _rounded(length: int) -> int:
    return -(-length // BUCKET) * BUCKET


def _batch(
    rows: list[Ids], heads: Ids, share: float, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad documents, `heads` of whose tokens stand before the reply; draw what is learnt."""
    lengths = np.array([len(row) for row in rows])[:, None]
    heads = heads[:, None]
    at = np.arange(_rounded(int(lengths.max())))[None]
    block = np.zeros((len(rows), at.size), dtype=np.int64)
    block[at < lengths] = np.concatenate(rows)
    chance = np.where(at < heads - 1, share, np.where(heads > 1, 1.0, 2 * share))
    learnt = (at < lengths - 1) & (draw.random(block.shape) < chance)
    return torch.from_numpy(block), torch.from_numpy(np.flatnonzero(learnt))


class Shards:
    """The shards on disk, each made a little before it is needed."""

    def __init__(self, recipe: Recipe, data: Path | None, folder: Path) -> None:
        tokenizer = str(folder / "model" / "tokenizer.json")
        self._make = partial(make_shard, recipe, str(data) if data else None, tokenizer)
        self._folder = folder / "shards"
        self._folder.mkdir(parents=True, exist_ok=True)
        # On a CPU the model needs the rest; a GPU reads as much as a dozen cores can write.
        self._ahead = max(1, (os.cpu_count() or 1) - 2) if torch.cuda.is_available() else 1
        # A process that has begun to use a GPU cannot be forked.
        start = get_context("spawn") if torch.cuda.is_available() else None
        self._pool = ProcessPoolExecutor(self._ahead, start)
        self._pending: dict[int, Future[None]] = {}

    def path(self, index: int) -> Path:
        """The file of shard `index`, waiting for it if need be; the next ones are begun."""
        for wanted in range(index, index + 1 + self._ahead):
            if wanted not in self._pending and not self._file(wanted).exists():
                path = str(self._file(wanted))
                self._pending[wanted] = self._pool.submit(self._make, wanted, path)
        if index in self._pending:
            self._pending.pop(index).result()
        return self._file(index)

    def drop(self, index: int) -> None:
        """Delete the file of shard `index`."""
        self._file(index).unlink(missing_ok=True)

    def close(self) -> None:
        """Stop making shards."""
        self._pool.shutdown(cancel_futures=True)

    def _file(self, index: int) -> Path:
        return self._folder / f"{index:05d}.npz"


def build_model(recipe: Recipe) -> Any:
    """A fresh model of the recipe's architecture and shape, in float32."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    shared: dict[str, Any] = {
        "vocab_size": recipe.vocabulary,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "attn_implementation": "sdpa",
    }
    if recipe.architecture == "gpt2":
        return GPT2LMHeadModel(GPT2Config(**shared, **_gpt2_shape(recipe)))
    shape: dict[str, Any] = {
        "hidden_size": recipe.width,
        "intermediate_size": recipe.feed_forward,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads,
        "max_position_embeddings": recipe.context,
    }
    return LlamaForCausalLM(LlamaConfig(**shared, **shape))


def _gpt2_shape(recipe: Recipe) -> dict[str, Any]:
    return {
        "n_embd": recipe.width,
        "n_inner": recipe.feed_forward,
        "n_layer": recipe.layers,
        "n_head": recipe.heads,
        "n_positions": recipe.context,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    }


def optimizers(model: Any, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, norms and biases."""
    embedded = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    matrices = {id(p) for p in model.parameters() if p.ndim == 2} - embedded
    learning = [p for p in model.parameters() if p.requires_grad]
    inside = [p for p in learning if id(p) in matrices]
    rest = [p for p in learning if id(p) not in matrices]
    muon = torch.optim.Muon(
        inside, lr=recipe.muon_rate, momentum=0.95, weight_decay=0.01, adjust_lr_fn="original"
    )
    adam = torch.optim.AdamW(rest, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [muon, adam]


def rate(done: int, step: int, recipe: Recipe) -> float:
    """The learning rate's factor: a short warm-up, a plateau, a linear fall to zero."""
    left = max(0.0, 1 - done / recipe.tokens)
    return min(1.0, (step + 1) / recipe.warmup_steps, left / recipe.decay_share)


@dataclass
class Progress:
    """Where a run stands."""

    step: int = 0
    tokens: int = 0
    shard: int = 0
    batch: int = 0
    seconds: float = 0.0
    made_of: str = ""
    """A digest of the recipe, and of whether the data sets were there."""


def save_state(
    folder: Path, model: Any, optims: list[torch.optim.Optimizer], progress: Progress
) -> None:
    """Write model, optimisers and progress; a crash leaves either the old state or the new."""
    tied = "lm_head.weight"
    weights = {f"model.{k}": v for k, v in model.state_dict().items() if k != tied}
    tensors = {name: tensor.detach().clone() for name, tensor in weights.items()}
    for n, optim in enumerate(optims):
        for i, state in optim.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optim.{n}.{i}.{name}"] = torch.as_tensor(value).detach().clone()
    temporary = folder / f"{STATE}.tmp"
    save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(progress))})
    temporary.replace(folder / STATE)


def load_state(folder: Path, model: Any, optims: list[torch.optim.Optimizer]) -> Progress:
    """Restore what `save_state` wrote; a fresh `Progress` when there is nothing."""
    path = folder / STATE
    if not path.exists():
        return Progress()
    tensors = load_file(path)
    weights = {k[6:]: v for k, v in tensors.items() if k.startswith("model.")}
    model.load_state_dict(weights, strict=False)
    for n, optim in enumerate(optims):
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optim.{n}."):
                _, _, i, name = key.split(".", 3)
                states.setdefault(int(i), {})[name] = value
        optim.load_state_dict({"state": states, "param_groups": optim.state_dict()["param_groups"]})
    return saved_progress(folder)


def saved_progress(folder: Path) -> Progress:
    """Where the run in a folder stands; a fresh `Progress` when there is none."""
    from safetensors import safe_open

    path = folder / STATE
    if not path.exists():
        return Progress()
    with safe_open(str(path), "pt") as file:
        return Progress(**json.loads(file.metadata()["progress"]))


def train(
    recipe: Recipe,
    folder: Path,
    data: Path | None,
    *,
    start: Path | None = None,
    frozen: int = 0,
    compiled: bool = True,
    log_every: int = 20,
    save_every: int = 300,
) -> None:
    """Train into `folder`/model, going on from `folder`/state.safetensors if it is there.

    `start` is a model folder whose tokenizer and weights a new run begins with; it may have fewer
    layers. The embeddings and the first `frozen` layers stay as they are, so that an SAE of their
    residual stream stays one. `compiled`: the layers are compiled first, which takes seconds.
    Raises WrongStartError if the start is of another shape, OtherRunError if the run in the folder
    was begun in another way, FloatingPointError when the loss is no longer a number.
    """
    made_of = _made_of(recipe, data, frozen)
    _check_begun(folder, made_of)
    (folder / "model").mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if not (folder / "model" / "tokenizer.json").exists():
        _prepare_tokenizer(recipe, folder, data, start)
    model = build_model(recipe).to(device)
    if start:
        _begin_with(model, start, recipe.layers)
    if frozen:
        _freeze(model, frozen)
    optims = optimizers(model, recipe)
    progress = replace(load_state(folder, model, optims), made_of=made_of)
    if compiled:
        for layer in _layers(model):  # one by one: they are alike, so only the first is compiled
            layer.compile(dynamic=True)
    loss_of = partial(loss, model, device)
    shards = Shards(recipe, data, folder)
    began, recent = time.monotonic() - progress.seconds, list[torch.Tensor]()
    bar = tqdm(
        total=recipe.tokens, initial=progress.tokens, unit="tok", unit_scale=True, desc="mini"
    )
    for ids, learnt in _remaining(shards, recipe, progress):
        factor = rate(progress.tokens, progress.step, recipe)
        at = _sent(ids, device), _sent(learnt, device)
        recent.append(_step(loss_of, optims, *at, factor, recipe))
        progress.step += 1
        fresh = int((ids != 0).sum())
        progress.tokens += fresh
        bar.update(fresh)
        progress.seconds = time.monotonic() - began
        if progress.step % log_every == 0:
            bar.set_postfix(loss=_log(folder / LOG, progress, recipe, recent))
            recent.clear()
        if progress.step % save_every == 0:
            save_state(folder, model, optims, progress)
    bar.close()
    shards.close()
    save_state(folder, model, optims, progress)
    model.to(torch.bfloat16).save_pretrained(folder / "model")


def _sent(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """To the device; from pinned memory, so that a GPU need not be waited for."""
    return tensor if device == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


class WrongStartError(ValueError):
    """The model to begin with is not of the recipe's shape."""


class OtherRunError(ValueError):
    """The run in the folder was begun with another recipe, or with other data."""


def _made_of(recipe: Recipe, data: Path | None, frozen: int) -> str:
    return sha256(repr((asdict(recipe), data is not None, frozen)).encode()).hexdigest()


def _check_begun(folder: Path, made_of: str) -> None:
    """Raise OtherRunError where a run was begun in another way: half of each would be neither."""
    if saved_progress(folder).made_of not in {"", made_of}:
        raise OtherRunError(
            "its first part was made by another recipe, or with PROMPTFIX_DATA set where it is not "
            "now, or the other way round; go on as it was begun, or name another folder"
        )


def _layers(model: Any) -> Sequence[Any]:
    """The decoder layers of a Llama or a GPT-2."""
    base = model.base_model
    return base.layers if hasattr(base, "layers") else base.h


def _begin_with(model: Any, start: Path, layers: int) -> None:
    weights = grown(load_file(start / "model.safetensors"), layers)
    try:
        missing, foreign = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # a tensor of another size
        raise WrongStartError(str(error).splitlines()[-1].strip()) from error
    if foreign or set(missing) - {"lm_head.weight"}:
        raise WrongStartError(f"it has other layers, e.g. {[*foreign, *missing][0]}")


def _freeze(model: Any, layers: int) -> None:
    """Keep the embeddings, which are the head as well, and the first `layers` layers."""
    embeddings = [m for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    for part in (*embeddings, *_layers(model)[:layers]):
        part.requires_grad_(False)


def grown(weights: Mapping[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """A model's weights with further layers in its upper half, up to `layers` in all.

    Each is a copy of the layer below it whose outputs are zero, so that the model computes what it
    did. Block expansion: Wu et al. 2024, arXiv 2401.02415.
    """
    found = {key: _IN_LAYER.fullmatch(key) for key in weights}
    had = 1 + max((int(at[2]) for at in found.values() if at), default=-1)
    order = list(range(had))
    more = layers - had
    for n in range(more, 0, -1):
        order.insert(had // 2 + round(n * (had - had // 2) / (more + 1)), -1)
    out = {key: weights[key] for key, at in found.items() if not at}
    for place, source in enumerate(order):
        below = max(order[: place + 1])
        for key, at in found.items():
            if at and int(at[2]) == below:
                silent = source < 0 and key.endswith(_OUTPUTS)
                tensor = torch.zeros_like(weights[key]) if silent else weights[key]
                out[f"{at[1]}{place}{at[3]}"] = tensor
    return out


def _prepare_tokenizer(recipe: Recipe, folder: Path, data: Path | None, start: Path | None) -> None:
    if start:
        for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(start / file, folder / "model" / file)
        return
    stream = Mixture(data).stream(recipe.seed + 77)
    count = min(60_000, recipe.tokens // 50 + 2000)
    documents = [f"{d.prompt or ''} {d.reply}" for d in islice(stream, count)]
    chat.train_tokenizer(documents, recipe.vocabulary, folder / "model", recipe.context)


def _remaining(
    shards: Shards, recipe: Recipe, progress: Progress
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches (as `batches` yields them) from `progress` on until `recipe.tokens` are learnt.

    Keeps `progress.shard` and `progress.batch`; the caller counts the tokens.
    """
    while progress.tokens < recipe.tokens:
        path = shards.path(progress.shard)
        whole_shard = batches(path, recipe, recipe.seed + 31 * progress.shard)
        for batch in islice(whole_shard, progress.batch, None):
            progress.batch += 1
            yield batch
            if progress.tokens >= recipe.tokens:
                return
        shards.drop(progress.shard)
        progress.shard, progress.batch = progress.shard + 1, 0


def loss(model: Any, device: str, ids: torch.Tensor, learnt: torch.Tensor) -> torch.Tensor:
    """Mean next-token loss (nats) at the flat positions `learnt` of `ids` (B, T)."""
    with torch.autocast(device, dtype=torch.bfloat16):
        hidden = model.base_model(ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.flatten(0, 1)[learnt])
    return F.cross_entropy(logits.float(), ids.flatten()[learnt + 1])


def _step(
    loss_of: Any,
    optims: list[torch.optim.Optimizer],
    ids: torch.Tensor,
    learnt: torch.Tensor,
    factor: float,
    recipe: Recipe,
) -> torch.Tensor:
    """One step of the optimisers at `factor` of their rates; returns the loss before it."""
    value = loss_of(ids, learnt)
    value.backward()
    for optim, base in zip(optims, (recipe.muon_rate, recipe.adam_rate), strict=True):
        optim.param_groups[0]["lr"] = base * factor
        optim.step()
        optim.zero_grad()
    return value.detach()


def _log(path: Path, progress: Progress, recipe: Recipe, recent: list[torch.Tensor]) -> float:
    """Append a line to the log and return the mean loss since the last one."""
    speed = progress.tokens / max(progress.seconds, 1e-9)
    left = (recipe.tokens - progress.tokens) / max(speed, 1e-9)
    mean = float(torch.stack(recent).mean()) if recent else 0.0
    line = {
        "step": progress.step,
        "tokens": progress.tokens,
        "loss": round(mean, 4),
        "tokens_per_second": round(speed),
        "minutes_left": round(left / 60, 1),
    }
    if not math.isfinite(mean):
        raise FloatingPointError(
            f"the loss is {mean} at step {progress.step}: lower the learning rates"
        )
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return line["loss"]
