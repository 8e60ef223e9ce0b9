"""A sparse autoencoder (SAE) at inference, as sae-lens computes it, with torch alone.

`SaeSlice` holds the features that detectors name and nothing else: each is one column of the
encoder, so a handful costs hundreds of times less than all. `Sae` is the whole autoencoder, for
looking at any feature and for mining; `blocks` and `fit` measure how well one reconstructs without
ever holding all of it.

Both compute in float32, whatever the weights are stored in, and know nothing about the model
whose activations they are given. Importing sae-lens would take seconds and brings wandb and
transformer-lens along; what it computes at inference is a few lines, and a test compares the two.
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from promptfix.errors import MicroscopeError
from promptfix.saefile import WEIGHTS, Normalisation, SaeConfig, read_weights

_ROWS = 512
"""How many positions all features of an SAE are computed for at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class SaeSlice:
    """Some features of an SAE.

    Of a topk SAE the whole encoder is held and computed, since whether one of its features fires
    depends on all others; only what comes out is cut down to the features asked for.
    """

    config: SaeConfig
    features: tuple[int, ...]
    """The features held, in the order in which `encode` returns them."""
    weights: Mapping[str, Tensor]
    """`W_enc` [d_in, n], one vector [n] per name in `saefile.PER_FEATURE`, `b_dec` [d_in];
    n is the number of features held, for topk that of all, with `norms` [n] if they count."""

    @classmethod
    def load(
        cls,
        folder: Path | str,
        features: Sequence[int],
        *,
        d_in: int | None = None,
        device: str = "cpu",
    ) -> Self:
        """Read the columns of these features, and no other, from a sae-lens folder.

        Raises MicroscopeError if the folder cannot be used or a feature does not exist, and
        LensError if it does not read activations that are `d_in` wide.
        """
        config = SaeConfig.load(folder, d_in=d_in)
        _check_features(folder, features, config.d_sae)
        coupled = config.architecture == "topk"
        weights = read_weights(
            Path(folder) / WEIGHTS,
            config,
            None if coupled else features,
            decoder=config.rescale_by_decoder,
        )
        weights = _with_norms(config, weights)
        weights.pop("W_dec", None)
        return cls(config, tuple(features), _on(device, weights))

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations [..., d_in] of any dtype into features [..., n], float32."""
        if self.config.architecture == "topk":
            columns = list(self.features)
            flat = x.reshape(-1, x.shape[-1]).split(_ROWS)
            found = [_encode(self.config, self.weights, rows)[:, columns] for rows in flat]
            return torch.cat(found).view(*x.shape[:-1], -1)
        with _one_thread():
            return _encode(self.config, self.weights, x)


@dataclass(frozen=True, slots=True, eq=False)
class Sae:
    """A whole SAE, or a block of one."""

    config: SaeConfig
    weights: Mapping[str, Tensor]
    """As in SaeSlice with n = d_sae, and `W_dec` [d_sae, d_in]."""

    @classmethod
    def load(cls, folder: Path | str, *, d_in: int | None = None, device: str = "cpu") -> Self:
        """Read a sae-lens folder. Raises MicroscopeError or LensError, as SaeSlice.load."""
        config = SaeConfig.load(folder, d_in=d_in)
        weights = read_weights(Path(folder) / WEIGHTS, config, None, decoder=True)
        return cls(config, _on(device, _with_norms(config, weights)))

    @property
    def features(self) -> tuple[int, ...]:
        """All features, as in a slice."""
        return tuple(range(self.config.d_sae))

    def encode(self, x: Tensor) -> Tensor:
        """Encode activations [..., d_in] of any dtype into features [..., d_sae], float32."""
        return _encode(self.config, self.weights, x)

    def decode(self, features: Tensor) -> Tensor:
        """Add up what features [..., d_sae] stand for: [..., d_in], without `b_dec`."""
        if self.config.rescale_by_decoder:
            features = features / self.weights["norms"]
        return features @ self.weights["W_dec"]

    def reconstruct(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """Decode features [..., d_sae] in place of the activations x [..., d_in], float32.

        The features are those of x itself unless others are given. Run-time normalisation is
        undone with the statistics of x, which is why decoding needs it.
        """
        features = self.encode(x) if features is None else features
        return self.finish(x, self.decode(features))

    def finish(self, x: Tensor, decoded: Tensor) -> Tensor:
        """Turn what features of the activations x add up to into a reconstruction of x."""
        decoded = decoded + self.weights["b_dec"]
        return _denormalise(self.config.normalisation, decoded, _beside(self.weights, x))


class Fit(NamedTuple):
    """How well an SAE fits activations."""

    l0: float
    """Mean number of active features per position."""
    unexplained: float
    """Share of the variance that it leaves unexplained."""


def blocks(folder: Path | str, *, d_in: int | None = None, size: int = 4096) -> Iterator[Sae]:
    """Read an SAE `size` features at a time, so that it is never whole in memory.

    A topk SAE comes in one piece. Raises as `Sae.load` does.
    """
    config = SaeConfig.load(folder, d_in=d_in)
    if config.architecture == "topk":
        yield Sae.load(folder)
        return
    for first in range(0, config.d_sae, size):
        some = range(first, min(first + size, config.d_sae))
        weights = read_weights(Path(folder) / WEIGHTS, config, some, decoder=True)
        yield Sae(config, _with_norms(config, weights))


def fit(sae: Iterable[Sae], x: Tensor) -> Fit:
    """Measure how an SAE, in one or several blocks, fits activations [positions, d_in]."""
    active, decoded, block = 0.0, torch.zeros(()), None
    x = x.float().cpu()
    for block in sae:
        parts = [_active_and_decoded(block, rows) for rows in x.split(_ROWS)]
        active += sum(count for count, _ in parts)
        decoded = decoded + torch.cat([part for _, part in parts])
    assert block is not None, "an SAE has at least one feature"
    error = (x - block.finish(x, decoded).cpu()).square().sum()
    variance = (x - x.mean(0)).square().sum()
    return Fit(active / len(x), float(error / variance))


def _active_and_decoded(block: Sae, rows: Tensor) -> tuple[float, Tensor]:
    features = block.encode(rows)
    return float((features != 0).sum()), block.decode(features)


_ALONE = threading.Lock()


@contextmanager
def _one_thread() -> Generator[None]:
    """Compute on one thread: for products this small, waking others takes longer than they help."""
    with _ALONE:  # the number is the whole process's
        several = torch.get_num_threads()
        if several == 1:
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(several)


def _on(device: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in weights.items()}


def _with_norms(config: SaeConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the decoder's norms where features are compared by what they add to the output."""
    if config.rescale_by_decoder:
        weights["norms"] = weights["W_dec"].norm(dim=-1)
    return weights


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
        pre = pre * weights["norms"]
    values, indices = pre.topk(config.k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, indices, values.relu())


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
