"""A sparse autoencoder (SAE) at inference, as sae-lens computes it, with torch alone.

`SaeSlice` holds the features that detectors name and nothing else: each is one column of the
encoder, so a handful costs hundreds of times less than all. `Sae` is the whole autoencoder, for
looking at any feature, for mining and for measuring how well it reconstructs.

Both compute in float32, whatever the weights are stored in, and know nothing about the model
whose activations they are given. Importing sae-lens would take seconds and brings wandb and
transformer-lens along; what it computes at inference is a few lines, and a test compares the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from promptfix.errors import MicroscopeError
from promptfix.saefile import WEIGHTS, Normalisation, SaeConfig, read_weights


@dataclass(frozen=True, slots=True, eq=False)
class SaeSlice:
    """Some features of an SAE."""

    config: SaeConfig
    features: tuple[int, ...]
    """The features held, in the order in which `encode` returns them."""
    weights: Mapping[str, Tensor]
    """`W_enc` [d_in, n], one vector [n] per name in `saefile.PER_FEATURE`, `b_dec` [d_in]."""

    @classmethod
    def load(cls, folder: Path | str, features: Sequence[int], *, d_in: int | None = None) -> Self:
        """Read the columns of these features, and no other, from a sae-lens folder.

        Raises MicroscopeError if the folder cannot be used, if a feature does not exist, or if
        the SAE is topk, and LensError if it does not read activations that are `d_in` wide.
        """
        config = SaeConfig.load(folder, d_in=d_in)
        if config.architecture == "topk":
            raise MicroscopeError(
                f"the SAE in {folder} is topk: whether one feature fires depends on all others, "
                "so single features cannot be read; read all features, or use a JumpReLU SAE"
            )
        _check_features(folder, features, config.d_sae)
        weights = read_weights(Path(folder) / WEIGHTS, config, features, decoder=False)
        return cls(config, tuple(features), weights)

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations [..., d_in] of any dtype into features [..., n], float32."""
        return _encode(self.config, self.weights, x)


@dataclass(frozen=True, slots=True, eq=False)
class Sae:
    """A whole SAE."""

    config: SaeConfig
    weights: Mapping[str, Tensor]
    """As in SaeSlice with n = d_sae, and `W_dec` [d_sae, d_in]."""

    @classmethod
    def load(cls, folder: Path | str, *, d_in: int | None = None, device: str = "cpu") -> Self:
        """Read a sae-lens folder. Raises MicroscopeError or LensError, as SaeSlice.load."""
        config = SaeConfig.load(folder, d_in=d_in)
        weights = read_weights(Path(folder) / WEIGHTS, config, None, decoder=True)
        return cls(config, {name: tensor.to(device) for name, tensor in weights.items()})

    @property
    def features(self) -> tuple[int, ...]:
        """All features, as in a slice."""
        return tuple(range(self.config.d_sae))

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations [..., d_in] of any dtype into features [..., d_sae], float32."""
        return _encode(self.config, self.weights, x)

    def reconstruct(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """Decode features [..., d_sae] in place of the activations x [..., d_in], float32.

        The features are those of x itself unless others are given. Run-time normalisation is
        undone with the statistics of x, which is why decoding needs it.
        """
        features = self.encode(x) if features is None else features
        if self.config.rescale_by_decoder:
            features = features / _decoder_norms(self.weights)
        decoded = features @ self.weights["W_dec"] + self.weights["b_dec"]
        return _denormalise(self.config.normalisation, decoded, _beside(self.weights, x))


def _encode(config: SaeConfig, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    x = _normalise(config.normalisation, _beside(weights, x))
    if config.subtract_b_dec:
        x = x - weights["b_dec"]
    raw = x @ weights["W_enc"]
    if config.architecture == "gated":
        # sae-lens multiplies the encoder by exp(r_mag) first; this order is the same, for half.
        opened = raw + weights["b_gate"] > 0
        return (raw * weights["r_mag"].exp() + weights["b_mag"]).relu() * opened
    pre = raw + weights["b_enc"]
    if config.architecture == "jumprelu":
        return pre.relu() * (pre > weights["threshold"])
    if config.architecture == "topk":
        return _topk(config, weights, pre)
    return pre.relu()


def _beside(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    return x.to(device=weights["b_dec"].device, dtype=torch.float32)


def _topk(config: SaeConfig, weights: Mapping[str, Tensor], pre: Tensor) -> Tensor:
    if config.rescale_by_decoder:
        pre = pre * _decoder_norms(weights)
    values, indices = pre.topk(config.k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, indices, values.relu())


def _decoder_norms(weights: Mapping[str, Tensor]) -> Tensor:
    return weights["W_dec"].norm(dim=-1)


def _normalise(kind: Normalisation, x: Tensor) -> Tensor:
    if kind == "layer_norm":
        # Not torch's layer norm: the deviation is the unbiased one and 1e-5 is added outside.
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.std(-1, keepdim=True) + 1e-5)
    if kind == "constant_norm_rescale":
        return x * _rescaling(x)
    return x


def _denormalise(kind: Normalisation, decoded: Tensor, x: Tensor) -> Tensor:
    if kind == "layer_norm":
        return decoded * x.std(-1, keepdim=True) + x.mean(-1, keepdim=True)
    if kind == "constant_norm_rescale":
        return decoded / _rescaling(x)
    return decoded


def _rescaling(x: Tensor) -> Tensor:
    return x.shape[-1] ** 0.5 / x.norm(dim=-1, keepdim=True)


def _check_features(folder: Path | str, features: Sequence[int], d_sae: int) -> None:
    wrong = [feature for feature in features if not 0 <= feature < d_sae]
    if wrong:
        raise MicroscopeError(
            f"the SAE in {folder} has features 0 to {d_sae - 1}, and {wrong[0]} was asked for; "
            "the detectors belong to another SAE"
        )
    if len(set(features)) != len(features):
        raise MicroscopeError("a feature was asked for twice; name each once")
