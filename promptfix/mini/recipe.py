"""The whole recipe of `mini`: corpus, tokenizer, model, SAE. `promptfix mini train` calls `run`.

Each stage is skipped when its result is there, and the model's training goes on from its last
checkpoint, so the same command resumes an interrupted run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from promptfix.errors import PromptfixError
from promptfix.mini import chat
from promptfix.mini.corpus.mix import Mixture
from promptfix.mini.train import OtherRunError, Recipe, WrongStartError, train
from promptfix.training.documents import Document
from promptfix.training.sae import QUALITY, SaePlan

HELD = 1000
"""Documents that the SAE's threshold and quality are measured on."""


@dataclass(frozen=True)
class Preset:
    """A model recipe with its SAE plan."""

    model: Recipe
    sae: SaePlan
    name: str = "mini"


FULL = Preset(Recipe(), SaePlan(layer=2, width=9216, k=78, kept=7808, half=True))
"""The recipe on two CPU cores."""
GPU = Preset(
    replace(FULL.model, tokens=226_000_000, batch_tokens=98_304, warmup_steps=100, decay_share=0.6),
    replace(FULL.sae, samples=8_000_000, batch=4096, buffer=131_072),
)
"""The same model and corpus on a GPU: more tokens. How the shipped weights came about, which took
several runs, says the model card."""
MINI_2 = Preset(
    Recipe(
        architecture="gpt2",
        vocabulary=4096,
        width=224,
        layers=8,
        heads=7,
        feed_forward=896,
        tokens=12_000_000,
        seed=2,
        muon_rate=0.015,
    ),
    SaePlan(layer=4, width=3072, k=32, kind="topk", samples=1_000_000, seed=2),
    "mini-2",
)
"""Another architecture, seed and kind of SAE: to see whether the method depends on them.

It is trained on fewer tokens: it has to have failures of its own, not to be good.
"""
SMALL = Preset(
    Recipe(
        width=32,
        layers=2,
        heads=2,
        feed_forward=64,
        vocabulary=512,
        context=512,
        tokens=30_000,
        batch_tokens=2048,
        shard_documents=400,
        warmup_steps=5,
    ),
    SaePlan(layer=0, width=64, k=4, samples=16_384, batch=512, buffer=4096, half=True),
)
"""Runs in under a minute; for the tests and for a first look."""
SMALL_2 = Preset(
    replace(SMALL.model, architecture="gpt2", seed=2), replace(SMALL.sae, kind="topk"), "mini-2"
)
"""mini-2's recipe in small, for the tests."""
PRESETS = {"full": FULL, "gpu": GPU, "small": SMALL, "mini-2": MINI_2, "small-2": SMALL_2}


class RecipeError(PromptfixError):
    """The recipe cannot be run as asked."""


def run(
    folder: Path,
    data: Path | None,
    preset: str = "full",
    *,
    start: Path | None = None,
    frozen: int = 0,
    compiled: bool | None = None,
) -> Path:
    """Make `folder`/model and `folder`/sae; `start` is a model folder to begin with.

    Of the start the embeddings and the first `frozen` layers stay as they are. Raises RecipeError
    for an unknown preset, a wrong data folder, frozen layers that are not there, a start of another
    shape or a run that was begun in another way.
    """
    if preset not in PRESETS:
        raise RecipeError(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    if data is not None and not (data / "text").is_dir():
        raise RecipeError(
            f"{data} has no folder `text`; name the folder of the data sets, or none for generated "
            "text alone"
        )
    chosen = PRESETS[preset]
    if start is not None and not (start / "model.safetensors").is_file():
        raise RecipeError(f"{start} holds no model.safetensors; name the folder of a model")
    if frozen and (start is None or not 0 < frozen < chosen.model.layers):
        raise RecipeError(
            f"layers can be kept of a model to begin with, fewer than its {chosen.model.layers}"
        )
    if not (folder / "model" / "model.safetensors").exists():
        large = preset in ("full", "gpu", "mini-2")
        compiled = large if compiled is None else compiled
        try:
            train(chosen.model, folder, data, start=start, frozen=frozen, compiled=compiled)
        except WrongStartError as error:
            raise RecipeError(f"{start} cannot be gone on from: {error}") from error
        except OtherRunError as error:
            raise RecipeError(f"the run in {folder} cannot be gone on with: {error}") from error
    if not (folder / "sae" / QUALITY).exists():  # written when all else is done
        add_sae(folder, data, chosen)
    return folder


def add_sae(
    folder: Path, data: Path | None, preset: Preset, out: Path | None = None
) -> dict[str, Any]:
    """Train the SAE for `folder`/model into `out` (default `folder`/sae); return its quality."""
    from promptfix.network import load_network
    from promptfix.training.documents import Corpus
    from promptfix.training.sae import About, train_saes

    network = load_network(folder / "model", dtype="float32")  # on a GPU too: as a CPU will run it
    seed = preset.model.seed + 5_000_011

    def stream() -> Iterator[Document]:
        return documents(network.tokenizer, data, seed)

    held = list(itertools.islice(documents(network.tokenizer, data, seed + 1), HELD))
    about = About(
        name=preset.name,
        model_folder=folder / "model",
        data_digest=sha256(repr((asdict(preset.model), data is not None)).encode()).hexdigest(),
    )
    outs = {preset.sae.layer: out or folder / "sae"}
    return asdict(
        train_saes(network, Corpus(stream, held), preset.sae, outs, about)[preset.sae.layer]
    )


def documents(tokenizer: Any, data: Path | None, seed: int) -> Iterator[Document]:
    """The mixture's prompts without end; plain text as a user's turn.

    Replies are left out: nothing looks at them at run time, and features for them would be dead.
    """
    from promptfix.training.documents import from_turn

    special = frozenset(range(len(chat.SPECIALS)))
    stream = Mixture(data).stream(seed)
    while True:
        some = itertools.islice(stream, 256)
        heads = [chat.render(d.reply if d.prompt is None else d.prompt, "")[0] for d in some]
        for head in tokenizer(heads, add_special_tokens=False)["input_ids"]:
            yield from_turn(head, [], special)
