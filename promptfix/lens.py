"""A lens pins a model, a layer, an SAE, a tokenizer and a chat template by their hashes.

Feature numbers mean nothing elsewhere: a detector that is applied to another model, or to another
layer of the same one, still fires, at random. So nothing is read through a lens that does not
match, and what matches still has to see what it should on a few saved prompts (`self_check`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from promptfix.errors import LensError, MicroscopeError
from promptfix.formats import Lens, SelfCheck
from promptfix.hooks import layer_of
from promptfix.microscope import Microscope
from promptfix.network import Network
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.saefile import CONFIG, WEIGHTS, SaeConfig

_HASHES = {
    "model_sha256": "the model's weights",
    "sae_sha256": "the SAE",
    "tokenizer_sha256": "the tokenizer",
    "template_sha256": "the chat template",
}


@dataclass(frozen=True, slots=True)
class Health:
    """How well an SAE fits what passes in the model, over user tokens and read-outs."""

    l0: float
    """Mean number of active features per position."""
    unexplained: float
    """Share of the variance that it leaves unexplained."""
    positions: int


def identify(model: Path | str, sae: Path | str, check: SelfCheck | None = None) -> Lens:
    """Make the entry of detectors/lenses.json for a model and an SAE, both folders.

    Raises MicroscopeError if a file is missing or broken.
    """
    model, sae = Path(model), Path(sae)
    config = SaeConfig.load(sae)
    layer = layer_of(config.hook)
    if layer is None:
        raise MicroscopeError(f"the SAE in {sae} names no decoder layer but {config.hook!r}")
    return Lens(
        model=model.resolve().name,
        sae=sae.resolve().name,
        model_sha256=model_sha256(model),
        sae_sha256=sae_sha256(sae),
        tokenizer_sha256=_sha256(model / "tokenizer.json"),
        template_sha256=template_sha256(model),
        layer=layer,
        hook=config.hook,
        d_in=config.d_in,
        d_sae=config.d_sae,
        self_check=check,
    )


def check_lens(name: str, lens: Lens, model: Path | str, sae: Path | str) -> None:
    """Compare a lens with the folders to be loaded.

    Also compares the model with the one that the SAE's own metadata names, if it names one.
    Raises LensError if they differ, MicroscopeError if a file is missing or broken.
    """
    found = identify(model, sae)
    if wrong := _differences(lens, found):
        raise LensError(
            f"the lens {name} does not fit what is in {model} and {sae}: {', '.join(wrong)} "
            f"changed; restore those files, or name the folders that {name} is for"
        )
    metadata = SaeConfig.load(sae).metadata
    if metadata.get("model_sha256", found.model_sha256) != found.model_sha256:
        raise LensError(
            f"the SAE in {sae} was trained on another model than the one in {model}; "
            "use that model, or train an SAE on this one"
        )


def find_lens(lenses: Mapping[str, Lens], model: Path | str, sae: Path | str) -> str:
    """Return the id of the lens that fits a model and an SAE.

    Raises LensError if none does, MicroscopeError if a file is missing or broken.
    """
    found = identify(model, sae)
    for name, lens in lenses.items():
        if not _differences(lens, found):
            return name
    raise LensError(
        f"no lens in detectors/lenses.json fits the model in {model} and the SAE in {sae}; "
        f"known are {', '.join(lenses) or 'none'}: add one for them, or name the folders of one"
    )


def measure(network: Network, sae: Sae, prompts: Sequence[str]) -> Health:
    """Measure how an SAE fits a model, on prompts given as the user's words."""
    microscope = Microscope(network, sae, lens="")
    asked = [Prompt(text=prompt) for prompt in prompts]
    seen = torch.cat([residual for _, residual in microscope.residuals(asked)])
    features = sae.encode(seen)
    seen = seen.to(features.device)
    error = (seen - sae.reconstruct(seen, features)).square().sum()
    variance = (seen - seen.mean(0)).square().sum()
    l0 = (features != 0).sum(-1).float().mean()
    return Health(float(l0), float(error / variance), len(seen))


def bounds(prompts: Sequence[str], health: Health) -> SelfCheck:
    """Turn a measurement into what has to be seen on the same prompts from now on.

    The margin is wide enough for another machine's arithmetic and half-precision weights, and far
    too narrow for a neighbouring layer.
    """
    return SelfCheck(
        prompts=tuple(prompts),
        l0_at_least=health.l0 * 0.8,
        l0_at_most=health.l0 * 1.25 + 1,
        unexplained_at_most=health.unexplained * 1.25 + 0.01,
    )


def self_check(name: str, lens: Lens, network: Network, sae: Sae) -> None:
    """Look through a lens at its saved prompts; without any there is nothing to see.

    Raises LensError if the SAE does not fit what passes in the model.
    """
    if (check := lens.self_check) is None:
        return
    health = measure(network, sae, check.prompts)
    active = check.l0_at_least <= health.l0 <= check.l0_at_most
    if not active or not health.unexplained <= check.unexplained_at_most:
        raise LensError(
            f"the SAE of lens {name} does not fit what passes in the model: {health.l0:.1f} "
            f"features are active ({check.l0_at_least:.1f} to {check.l0_at_most:.1f} expected) "
            f"and {health.unexplained:.0%} of the variance stays unexplained (at most "
            f"{check.unexplained_at_most:.0%} expected); check that config.json and the hook are "
            "those of the lens"
        )


def model_sha256(folder: Path) -> str:
    """Hash a model's weights: of one file its sha256, of several that of their `sha256sum`s."""
    names = _weight_files(folder)
    hashes = [_sha256(folder / name) for name in names]
    if len(names) == 1:
        return hashes[0]
    listing = "".join(f"{digest}  {name}\n" for digest, name in zip(hashes, names, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def sae_sha256(folder: Path) -> str:
    """Hash an SAE: its weights, and its configuration whatever the order of the keys."""
    config = json.dumps(_read_json(folder / CONFIG), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{config}\n{_sha256(folder / WEIGHTS)}\n".encode()).hexdigest()


def template_sha256(folder: Path) -> str:
    """Hash the chat template; of a model without one, the empty text."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return _sha256(file)
    template = _read_json(folder / "tokenizer_config.json").get("chat_template") or ""
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _differences(lens: Lens, found: Lens) -> list[str]:
    wrong = [what for key, what in _HASHES.items() if getattr(found, key) != getattr(lens, key)]
    if (found.hook, found.d_in, found.d_sae) != (lens.hook, lens.d_in, lens.d_sae):
        wrong.append("the hook or the width of the SAE")
    return wrong


def _weight_files(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file() or not index.is_file():
        return ["model.safetensors"]
    return sorted(set(_read_json(index).get("weight_map", {}).values()))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MicroscopeError(f"{path} cannot be read ({error.strerror}); restore it") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise MicroscopeError(f"{path} cannot be read ({error}); restore it") from error
