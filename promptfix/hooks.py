"""Where in a model an SAE looks, and how to see what passes there.

A hook name is a module of the model (`model.layers.3`, `transformer.h.3`), with `.output` or
`.input` behind it if one likes, or a TransformerLens name (`blocks.3.hook_resid_post`). Names of
decoder layers and of what is in them are understood in any model, whatever its modules are called.
"""

import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, cast

from torch import Tensor, nn

from promptfix.errors import LensError

Side: TypeAlias = Literal["in", "out"]

_LENS_STYLE = re.compile(r"blocks\.(\d+)\.(?:hook_)?(resid_post|out|resid_pre|in)")
_LAYER = re.compile(r"(?:[a-z_]+\.)*(?:layers|h|blocks)\.(\d+)(?:\.(.+))?")
_OTHER_LENS_STYLE = re.compile(r"hook_.+|blocks\.\d+\..*hook_.+")
_SIDES: dict[str, Side] = {"resid_post": "out", "out": "out", "resid_pre": "in", "in": "in"}


class _HeardEnough(Exception):  # noqa: N818 - it is no error
    """Ends a run of the model whose rest nobody needs."""


class Tap:
    """A hook on one module: it hands out what passes there, to whoever is listening.

    Each thread listens for itself. While nobody does, the hook does nothing, so that it never
    has to be removed and the model is the plain model.
    """

    def __init__(self, model: nn.Module, hook: str) -> None:
        """Hook into the model. Raises LensError if it has no such place."""
        module, side = resolve(model, hook)
        self._listener = threading.local()
        if side == "out":
            module.register_forward_hook(self._leaving)
        else:
            module.register_forward_pre_hook(self._entering, with_kwargs=True)

    @contextmanager
    def listening(
        self, heard: list[Tensor] | None = None, *, stop: bool = False
    ) -> Generator[list[Tensor]]:
        """Collect what passes, one [batch, tokens, d] for each run of the model in this thread.

        It is added to `heard`, if given. With `stop`, the first run ends at the tap, which leaves
        the `with` block.
        """
        heard = [] if heard is None else heard
        self._listener.heard, self._listener.stop = heard, stop
        try:
            yield heard
        except _HeardEnough:
            pass
        finally:
            self._listener.heard = None

    def _leaving(self, _module: nn.Module, _args: object, output: Tensor | tuple[Tensor]) -> None:
        self._hear(output[0] if isinstance(output, tuple) else output)

    def _entering(
        self, _module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]
    ) -> None:
        self._hear(args[0] if args else kwargs["hidden_states"])

    def _hear(self, passing: Tensor) -> None:
        heard = cast("list[Tensor] | None", getattr(self._listener, "heard", None))
        if heard is not None:
            heard.append(passing.detach())
            if self._listener.stop:
                raise _HeardEnough


def resolve(model: nn.Module, hook: str) -> tuple[nn.Module, Side]:
    """Find the module of a hook name, and on which side of it to look.

    Raises LensError if the model has no such place.
    """
    name, side = _parse(hook)
    modules = dict(model.named_modules())
    if name in modules:
        return modules[name], side
    if _OTHER_LENS_STYLE.fullmatch(name):
        raise LensError(
            f"the SAE reads {hook!r}, and of TransformerLens' names promptfix knows those of the "
            "residual stream (hook_resid_pre, hook_resid_post); use the release's residual SAE"
        )
    layers = _decoder_layers(model)
    # The same layer under another prefix: a wrapper for images, say, or another family's name.
    match = _LAYER.fullmatch(name)
    if match and int(match[1]) < len(layers):
        inside = dict(layers[int(match[1])].named_modules())
        if (rest := match[2] or "") in inside:
            return inside[rest], side
    raise LensError(
        f"the model has no place called {hook!r} among its {len(layers)} decoder layers; "
        "use the model that the SAE was trained on"
    )


def layer_of(hook: str) -> int | None:
    """Read the number of the layer from a hook name, e.g. 3 from `model.layers.3`."""
    match = _LAYER.fullmatch(_parse(hook)[0])
    return int(match[1]) if match else None


def name_of_layer(model: nn.Module, layer: int) -> str:
    """The name of the module of a layer, e.g. `model.layers.3`. Raises LensError without it."""
    wanted, _ = resolve(model, f"layers.{layer}")
    return next(name for name, module in model.named_modules() if module is wanted)


def _parse(hook: str) -> tuple[str, Side]:
    """Split a hook name into the name of a module and a side."""
    if match := _LENS_STYLE.fullmatch(hook):
        return f"layers.{match[1]}", _SIDES[match[2]]
    if hook.endswith(".input"):
        return hook.removesuffix(".input"), "in"
    return hook.removesuffix(".output"), "out"


def _decoder_layers(model: nn.Module) -> list[nn.Module]:
    """Find the blocks of the text decoder: the list of modules that is as long as it is deep."""
    config = cast("Any", model).config.get_text_config(decoder=True)
    found = [
        (name, list(module))
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == config.num_hidden_layers
        and not re.search(r"vision|visual|audio|encoder\b", name)
    ]
    if not found:
        raise LensError("no decoder layers were found in the model; use a causal language model")
    return min(found, key=lambda item: item[0].count("."))[1]
