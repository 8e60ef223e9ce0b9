"""The two files of a sae-lens folder: `cfg.json` and `sae_weights.safetensors`.

Read with safetensors alone and held against each other, so that a damaged or unfinished SAE is
refused in words. What the numbers mean is for sae.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from promptfix.errors import LensError, MicroscopeError

Architecture: TypeAlias = Literal["standard", "jumprelu", "gated", "topk"]
Normalisation: TypeAlias = Literal["none", "layer_norm", "constant_norm_rescale"]

CONFIG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"

PER_FEATURE: dict[Architecture, tuple[str, ...]] = {
    "standard": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "gated": ("b_gate", "b_mag", "r_mag"),
    "topk": ("b_enc",),
}
"""The vectors of the encoder that have one entry for each feature."""


@dataclass(frozen=True, slots=True)
class SaeConfig:
    """What `cfg.json` says about an SAE."""

    architecture: Architecture
    d_in: int
    """Width of the activations it reads."""
    d_sae: int
    """How many features it has."""
    normalisation: Normalisation
    """What is done to an activation before it is encoded, and undone after it is decoded."""
    subtract_b_dec: bool
    k: int
    """How many features may fire at one position; topk only, else 0."""
    rescale_by_decoder: bool
    """Whether topk compares features by what they add to the output."""
    hook: str
    """Where in the model the activations come from, e.g. `model.layers.3`."""
    metadata: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path | str, *, d_in: int | None = None) -> Self:
        """Read and check `cfg.json`.

        Raises MicroscopeError if it is missing, broken or no SAE made for inference, and
        LensError if it reads activations that are not `d_in` wide.
        """
        path = Path(folder) / CONFIG
        raw = _read_json(path)
        config = cls(
            architecture=_architecture(path, raw),
            d_in=_count(path, raw, "d_in"),
            d_sae=_count(path, raw, "d_sae"),
            normalisation=_normalisation(path, raw),
            subtract_b_dec=bool(raw.get("apply_b_dec_to_input", True)),
            k=_count(path, raw, "k") if raw.get("architecture") == "topk" else 0,
            rescale_by_decoder=bool(raw.get("rescale_acts_by_decoder_norm", False)),
            hook=_hook(path, raw),
            metadata=raw["metadata"],
        )
        if d_in is not None and config.d_in != d_in:
            raise LensError(
                f"the SAE in {folder} reads activations that are {config.d_in} wide and the "
                f"model's are {d_in}; use the SAE that was trained on this model"
            )
        return config


def _read_json(path: Path) -> dict[str, Any]:
    try:
        raw: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MicroscopeError(
            f"{path} cannot be read ({error}); give a folder that sae-lens 6 saved for inference"
        ) from error
    if not isinstance(raw, dict):
        raise MicroscopeError(f"{path} is no JSON object; save the SAE again with sae-lens 6")
    return cast("dict[str, Any]", raw)


def _architecture(path: Path, raw: Mapping[str, Any]) -> Architecture:
    name = raw.get("architecture")
    if name not in PER_FEATURE:
        raise MicroscopeError(
            f"{path} says architecture {name!r}, and promptfix reads {', '.join(PER_FEATURE)}; "
            "save a training checkpoint with sae-lens' save_inference_model"
        )
    return name


def _normalisation(path: Path, raw: Mapping[str, Any]) -> Normalisation:
    if raw.get("reshape_activations", "none") != "none":
        raise MicroscopeError(f"{path} is for single attention heads; use a residual-stream SAE")
    name = raw.get("normalize_activations") or "none"
    if name not in ("none", "layer_norm", "constant_norm_rescale"):
        raise MicroscopeError(
            f"{path} says normalize_activations {name!r}, which training folds into the weights "
            "at its end: this is an unfinished checkpoint; save it with save_inference_model"
        )
    return name


def _hook(path: Path, raw: Mapping[str, Any]) -> str:
    metadata: object = raw.get("metadata")
    hook: object = None
    if isinstance(metadata, dict):
        values = cast("dict[str, object]", metadata)
        hook = values.get("hf_hook_name") or values.get("hook_name")
    if not isinstance(hook, str):
        raise MicroscopeError(
            f"{path} has no metadata.hook_name, so nobody can tell what the SAE reads; load it "
            "with sae-lens 6, set it and save again"
        )
    return hook


def _count(path: Path, raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or value < 1:
        raise MicroscopeError(f"{path} has no usable {key!r}; save the SAE again with sae-lens 6")
    return value


def read_weights(
    path: Path, config: SaeConfig, features: Sequence[int] | None, *, decoder: bool
) -> dict[str, Tensor]:
    """Read what `config` needs of a weight file, for some features or (None) for all.

    Of some features only their columns (in the decoder, their rows) are read. Returns float32.
    Raises MicroscopeError if the file is missing or damaged, or not of this configuration.
    """
    shapes = {"W_enc": (config.d_in, config.d_sae), "b_dec": (config.d_in,)}
    shapes |= dict.fromkeys(PER_FEATURE[config.architecture], (config.d_sae,))
    if decoder:
        shapes["W_dec"] = (config.d_sae, config.d_in)
    try:
        with safe_open(path, framework="pt") as file:
            _check_shapes(path, file, shapes)
            weights = {name: _part(file, name, features) for name in shapes}
    except (OSError, SafetensorError) as error:
        raise MicroscopeError(
            f"{path} cannot be read ({error}); it is missing or damaged: restore the file"
        ) from error
    if any(not bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise MicroscopeError(f"{path} has weights that are no numbers; restore the file")
    return weights


def _check_shapes(path: Path, file: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    names = set(file.keys())
    for name, shape in shapes.items():
        found = tuple(file.get_slice(name).get_shape()) if name in names else "missing"
        if found != shape:
            raise MicroscopeError(
                f"{path}: {name} should be {shape} by {CONFIG} and is {found}; the two files "
                "are not of one SAE: restore both"
            )


def _part(file: Any, name: str, features: Sequence[int] | None) -> Tensor:
    """Read one tensor, and of its axis of features only these."""
    if features is None or name == "b_dec":
        return cast("Tensor", file.get_tensor(name)).float()
    part, axis = file.get_slice(name), 0 if name == "W_dec" else -1
    if isinstance(features, range) and features.step == 1:
        runs = [slice(features.start, features.stop)]
    else:
        runs = [slice(feature, feature + 1) for feature in features]
    pieces = [part[:, run] if name == "W_enc" else part[run] for run in runs]
    empty = (*part.get_shape()[:-1], 0) if axis else (0, *part.get_shape()[1:])
    return torch.cat([torch.empty(empty), *(piece.float() for piece in pieces)], dim=axis)
