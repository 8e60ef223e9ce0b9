"""Small networks on a CPU: their linear layers laid out for oneDNN.

In float32 torch multiplies with MKL, which on other makers' processors leaves half of the speed
unused; oneDNN, which torch brings along, does not. Results differ by rounding only.
"""

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

SMALL = 50_000_000
"""Parameters below which a network is small: waking another thread for a prompt takes longer than
it helps, and a second copy of the weights does not matter."""
_OPS = cast("Any", torch.ops).mkldnn


def is_small(model: nn.Module) -> bool:
    """Say whether a network is small, and computes on a CPU."""
    parameters = list(model.parameters())
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    return on_cpu and sum(map(Tensor.numel, parameters)) < SMALL


def pack(model: nn.Module) -> None:
    """Let the linear layers compute with a packed copy of their weights, in inference only.

    Layers that are of another kind, or not in float32, stay as they are.
    """
    if not torch.backends.mkldnn.is_available():
        return
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.dtype == torch.float32:
            packed = _OPS._reorder_linear_weight(layer.weight.detach(), None)  # noqa: SLF001
            cast("Any", layer).forward = partial(_linear, packed, layer.bias)


def _linear(packed: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    return _OPS._linear_pointwise(x, packed, bias, "none", [], "")  # noqa: SLF001
