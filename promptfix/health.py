"""Does an SAE fit what passes in a model? Measured on a few prompts, against what it should be.

Hashes cannot tell whether an SAE reads the right layer of the right model in the right form; what
it explains of the activations, and how many of its features fire, can. The SAE is read in blocks,
so that it is never whole in memory.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from promptfix.errors import LensError, PromptfixWarning
from promptfix.formats import Lens, SelfCheck
from promptfix.microscope import Microscope
from promptfix.network import Network
from promptfix.records import Prompt
from promptfix.sae import Fit, SaeSlice, blocks, fit
from promptfix.saefile import SaeConfig

_FEWER, _MORE = 0.4, 2.5
"""How far the active features may be from the SAE's own figure, as factors: texts differ."""
_WORSE = 0.2
"""How much more of the variance than by the SAE's own figure may stay unexplained."""


def measure(network: Network, sae: Path | str, prompts: Sequence[str]) -> Fit:
    """Measure how an SAE fits a model, over the user's tokens and the read-outs of prompts.

    Raises MicroscopeError or LensError if the SAE cannot be used on this model.
    """
    microscope = Microscope(network, SaeSlice.load(sae, [], d_in=network.width), lens="")
    asked = [Prompt(text=prompt) for prompt in prompts]
    seen = torch.cat([residual for _, residual in microscope.residuals(asked)])
    with torch.inference_mode():
        return fit(blocks(sae), seen)


def bounds(prompts: Sequence[str], found: Fit) -> SelfCheck:
    """Turn a measurement into what has to be seen on the same prompts from now on.

    The margin is wide enough for another machine's arithmetic and half-precision weights, and far
    too narrow for a neighbouring layer.
    """
    return SelfCheck(
        prompts=tuple(prompts),
        l0_at_least=found.l0 * 0.8,
        l0_at_most=found.l0 * 1.25 + 1,
        unexplained_at_most=found.unexplained * 1.25 + 0.01,
    )


def self_check(name: str, lens: Lens, network: Network, sae: Path | str) -> None:
    """Look through a lens at its saved prompts; without any there is nothing to see.

    Raises LensError if the SAE does not fit what passes in the model.
    """
    if (check := lens.self_check) is None:
        return
    found = measure(network, sae, check.prompts)
    active = check.l0_at_least <= found.l0 <= check.l0_at_most
    if not active or not found.unexplained <= check.unexplained_at_most:
        raise LensError(
            f"the SAE of lens {name} does not fit what passes in the model: {found.l0:.1f} "
            f"features are active ({check.l0_at_least:.1f} to {check.l0_at_most:.1f} expected) "
            f"and {found.unexplained:.0%} of the variance stays unexplained (at most "
            f"{check.unexplained_at_most:.0%} expected); check that config.json and the hook are "
            "those of the lens"
        )


def compare(config: SaeConfig, found: Fit) -> None:
    """Hold a measurement against the figures that the SAE itself states, where it does.

    Raises LensError if the SAE explains nothing; warns if it does worse than it says.
    """
    what = (
        f"of the variance at {config.hook} {found.unexplained:.0%} stays unexplained by the SAE, "
        f"with {found.l0:.1f} features active"
    )
    remedy = "check that the model, the layer and the chat template are those it was trained on"
    if not found.unexplained < 1.0:
        raise LensError(f"{what}: it does not fit this model at all; {remedy}")
    if own := _disagreements(config, found):
        warnings.warn(PromptfixWarning(f"{what}, but by its own {own}; {remedy}"), stacklevel=2)


def _disagreements(config: SaeConfig, found: Fit) -> str:
    own: list[str] = []
    l0, explained = config.metadata.get("l0"), config.metadata.get("explained_variance")
    if isinstance(l0, int | float) and not _FEWER <= found.l0 / max(l0, 1e-9) <= _MORE:
        own.append(f"figures {l0:.1f} are active")
    if isinstance(explained, int | float) and found.unexplained > 1 - explained + _WORSE:
        own.append(f"figures {1 - explained:.0%} stays unexplained")
    return " and ".join(own)
