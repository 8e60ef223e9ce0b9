"""Put a microscope and a model together from a folder of each, on one network."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from promptfix.engine import Engine, can_batch
from promptfix.errors import LensError, PromptfixWarning
from promptfix.health import self_check
from promptfix.hub import model_folder, sae_folder
from promptfix.lens import check_lens, find_lens, warn_of_other_form
from promptfix.library import Library
from promptfix.microscope import Microscope
from promptfix.models import LocalModel
from promptfix.network import Dtype, load_network
from promptfix.packing import is_small, pack
from promptfix.sae import SaeSlice
from promptfix.saefile import SaeConfig


class Local(NamedTuple):
    """A microscope and a model that share one network."""

    microscope: Microscope
    model: LocalModel


def load_local(
    *,
    model: Path | str,
    sae: Path | str,
    library: Library,
    lens: str | None = None,
    disabled: Iterable[str] = (),
    device: str = "auto",
    dtype: Dtype = "auto",
    at_once: int = 1,
) -> Local:
    """Load a model and those features of its SAE that the library's detectors name.

    Both are folders, or names as in hub.py. `at_once` prompts are read and answered together, if
    the model's cache allows it; if the model is small, torch then computes on one thread, in the
    whole process. Without a `lens`, the one whose hashes fit is taken.
    Raises LensError if the files are not those of the lens or the SAE does not see what it should,
    and MicroscopeError if they are missing or damaged.
    """
    model, sae = model_folder(model), sae_folder(sae)
    name = lens or find_lens(library.lenses, model, sae)
    if (pinned := library.lenses.get(name)) is None:
        known = ", ".join(library.lenses) or "none"
        raise LensError(f"there is no lens {name!r} in detectors/lenses.json; known are {known}")
    if lens:
        check_lens(name, pinned, model, sae)
    warn_of_other_form(model, sae)
    network = load_network(model, device, dtype)
    if small := is_small(network.model):
        pack(network.model)
    self_check(name, pinned, network, sae)
    detectors = library.detectors_for(name, disabled)
    features = sorted({feature for detector in detectors for feature in detector.features})
    _state_cost(SaeConfig.load(sae), len(features))
    encoder = SaeSlice.load(sae, features, d_in=network.width, device=str(network.model.device))
    engine = Engine(network, at_once) if at_once > 1 and can_batch(network) else None
    if engine and small:
        torch.set_num_threads(1)
    return Local(Microscope(network, encoder, name, engine), LocalModel(network, engine=engine))


def _state_cost(config: SaeConfig, features: int) -> None:
    """Warn of what a topk SAE costs, since of it no part can be evaluated without the rest."""
    if config.architecture == "topk":
        one = 2 * config.d_in / 1e6  # of one feature at one token
        warnings.warn(
            PromptfixWarning(
                f"the SAE is topk: to know any feature, all {config.d_sae} are computed, which is "
                f"{config.d_sae * one:.1f} MFLOP a token and {config.d_sae * 2 * one:.0f} MB, "
                f"where the {features} that detectors name would take {features * one:.2f}; a "
                "JumpReLU SAE (promptfix sae train makes one) costs only those"
            ),
            stacklevel=3,
        )
