"""Put a microscope and a model together from a folder of each, on one network."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from promptfix.errors import LensError
from promptfix.lens import check_lens, find_lens, self_check
from promptfix.library import Library
from promptfix.microscope import Encoder, Microscope
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.sae import Sae, SaeSlice
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
) -> Local:
    """Load a model and those features of its SAE that the library's detectors name.

    Without a `lens`, the one whose hashes fit is taken. Raises LensError if the files are not
    those of the lens or the SAE does not see what it should, and MicroscopeError if they are
    missing or damaged.
    """
    name = lens or find_lens(library.lenses, model, sae)
    if (pinned := library.lenses.get(name)) is None:
        known = ", ".join(library.lenses) or "none"
        raise LensError(f"there is no lens {name!r} in detectors/lenses.json; known are {known}")
    if lens:
        check_lens(name, pinned, model, sae)
    network = load_network(model, device)
    if pinned.self_check:
        self_check(name, pinned, network, Sae.load(sae, d_in=network.width))
    detectors = library.detectors_for(name, disabled)
    features = sorted({feature for detector in detectors for feature in detector.features})
    encoder = _encoder(sae, features, network.width)
    return Local(Microscope(network, encoder, name), LocalModel(network))


def _encoder(folder: Path | str, features: list[int], width: int) -> Encoder:
    # Of a topk SAE no part can be evaluated without the rest.
    if SaeConfig.load(folder).architecture == "topk":
        return Sae.load(folder, d_in=width)
    return SaeSlice.load(folder, features, d_in=width)
