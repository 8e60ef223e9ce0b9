"""Do a detector's features bring the error about, or only go with it?

A hook edits the residual stream along the features' decoder rows while a prompt is read: it takes
the features out (ablation) where the detector fires, or puts them in (steering) where it is quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from promptfix.chat import encode
from promptfix.hooks import resolve
from promptfix.mining.selection import Bools, Floats
from promptfix.models import LocalModel
from promptfix.network import Network
from promptfix.records import Prompt, Sampling
from promptfix.sae import Sae
from promptfix.tasks import Item, correct

Edit: TypeAlias = Callable[[Tensor], Tensor]
"""Features [positions, d_sae] -> what they are to be."""


@dataclass(frozen=True)
class Flips:
    """Answers turned right and wrong by an edit."""

    asked: int
    repaired: int
    harmed: int


def ablation(features: Sequence[int]) -> Edit:
    """Take the features out."""

    def edit(found: Tensor) -> Tensor:
        less = found.clone()
        less[:, list(features)] = 0.0
        return less

    return edit


def steering(levels: Mapping[int, float]) -> Edit:
    """Raise the features to these levels, where they are lower."""

    def edit(found: Tensor) -> Tensor:
        more = found.clone()
        for feature, level in levels.items():
            more[:, feature] = more[:, feature].clamp(min=level)
        return more

    return edit


def flips(
    network: Network,
    sae: Sae,
    items: Sequence[Item],
    right: Bools,
    edit: Edit,
    max_tokens: int,
) -> Flips:
    """Answer items with their residual stream edited, and compare with `right` [items]."""
    model, sampling = LocalModel(network), Sampling(max_tokens=max_tokens)
    now: list[bool] = []
    for item in items:
        prompt = Prompt(text=item.prompt)
        positions = encode(network.tokenizer, prompt).looked_at
        with edited(network, sae, positions, edit):
            answer = model.answer(prompt, sampling=sampling)
        now.append(correct(answer.text, item.gold))
    changed = np.array(now, dtype=np.int8) - right.astype(np.int8)
    return Flips(len(items), int((changed > 0).sum()), int((changed < 0).sum()))


@contextmanager
def edited(network: Network, sae: Sae, positions: Sequence[int], edit: Edit) -> Generator[None]:
    """While a prompt is read, change the SAE's features at these positions of it.

    Only the difference that the edit makes is added, so that what the SAE does not explain stays.
    The tokens of the answer, which come one at a time, are left alone.
    """
    module, side = resolve(network.model, sae.config.hook)

    def changed(hidden: Tensor) -> Tensor:
        if hidden.shape[1] <= max(positions):
            return hidden
        here = hidden[0, list(positions)].float()
        found = sae.encode(here)
        delta = sae.reconstruct(here, edit(found)) - sae.reconstruct(here, found)
        out = hidden.clone()
        out[0, list(positions)] += delta.to(hidden.dtype)
        return out

    def leaving(_module: object, _args: object, output: Any) -> Any:
        if isinstance(output, tuple):
            return (changed(output[0]), *output[1:])
        return changed(output)

    def entering(_module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": changed(kwargs["hidden_states"])}

    if side == "out":
        handle = module.register_forward_hook(leaving)
    else:
        handle = module.register_forward_pre_hook(entering, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def auroc(scores: Floats, hits: Bools) -> float | None:
    """Area under the ROC curve; None where all or none are hits."""
    from scipy.stats import rankdata

    count = int(hits.sum())
    if count in (0, len(hits)):
        return None
    ranks = rankdata(scores)
    area = (ranks[hits].sum() - count * (count + 1) / 2) / (count * (len(hits) - count))
    return round(float(area), 4)
