"""How good is an SAE? Measured on documents that it was not trained on."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from promptfix.hooks import Tap, resolve
from promptfix.network import Network
from promptfix.sae import Sae
from promptfix.training.activations import run
from promptfix.training.documents import Document

_SPLICED = 100
"""Documents on which the cross-entropy is measured, three times each."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What an SAE is worth, at the positions that promptfix looks at."""

    explained_variance: float
    l0: float
    """Mean active features per position."""
    dead: float
    """Share of features that fired nowhere."""
    loss_recovered: float | None
    """Share of what the model loses, in cross-entropy, where the mean stands for its activations,
    and does not lose where the SAE's reconstruction does; None if it loses nothing."""
    positions: int


@torch.inference_mode()
def measure_quality(network: Network, sae: Sae, documents: Sequence[Document]) -> Quality:
    """Measure an SAE on documents."""
    hook = sae.config.hook
    taps = {hook: Tap(network.model, hook)}
    seen = torch.cat([found[hook] for found in run(network, taps, documents)]).cpu()
    error = active = 0.0
    fired = torch.zeros(sae.config.d_sae, dtype=torch.bool)
    for rows in seen.split(2048):
        features = sae.encode(rows)
        error += float((rows - sae.reconstruct(rows, features).cpu()).square().sum())
        active += float((features != 0).sum())
        fired |= (features != 0).any(0).cpu()
    return Quality(
        explained_variance=1 - error / float((seen - seen.mean(0)).square().sum()),
        l0=active / len(seen),
        dead=float((~fired).float().mean()),
        loss_recovered=_recovered(network, sae, documents[:_SPLICED], seen.mean(0)),
        positions=len(seen),
    )


def _recovered(
    network: Network, sae: Sae, documents: Sequence[Document], mean: Tensor
) -> float | None:
    losses = {"clean": 0.0, "spliced": 0.0, "ablated": 0.0}
    for document in documents:
        places = torch.zeros(len(document.ids), dtype=torch.bool)
        places[list(document.looked_at)] = True
        losses["clean"] += _loss(network, document)
        for name, stand_in in (("spliced", None), ("ablated", mean)):
            with _spliced(network, sae, places, stand_in):
                losses[name] += _loss(network, document)
    lost = losses["ablated"] - losses["clean"]
    return (losses["ablated"] - losses["spliced"]) / lost if lost > 1e-6 else None


def _loss(network: Network, document: Document) -> float:
    """Summed cross-entropy (nats) of the tokens looked at that follow another one looked at."""
    looked_at = set(document.looked_at)
    targets = [at for at in document.looked_at if at - 1 in looked_at]
    logits = network.model(input_ids=network.tensor([document.ids]), use_cache=False).logits[0]
    wanted = network.tensor([document.ids[at] for at in targets])
    likely = logits[[at - 1 for at in targets]].float().log_softmax(-1)
    return -float(likely.gather(1, wanted[:, None]).sum()) if targets else 0.0


@contextmanager
def _spliced(
    network: Network, sae: Sae, places: Tensor, stand_in: Tensor | None
) -> Generator[None]:
    """Put the reconstruction, or `stand_in` [d_in], in place of the activations at `places`."""

    def put(passing: Tensor) -> Tensor:
        new = sae.reconstruct(passing) if stand_in is None else stand_in.expand_as(passing)
        new = new.to(device=passing.device, dtype=passing.dtype)
        return torch.where(places.to(passing.device)[None, :, None], new, passing)

    def leaving(_module: object, _args: object, output: Tensor | tuple[Tensor, ...]) -> object:
        return (put(output[0]), *output[1:]) if isinstance(output, tuple) else put(output)

    def entering(
        _module: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        if args:
            return (put(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": put(kwargs["hidden_states"])}

    module, side = resolve(network.model, sae.config.hook)
    handle = (
        module.register_forward_hook(leaving)
        if side == "out"
        else module.register_forward_pre_hook(entering, with_kwargs=True)
    )
    try:
        yield
    finally:
        handle.remove()
