"""A lens pins a model, a layer, an SAE, a tokenizer and a chat template by their hashes.

Feature numbers mean nothing elsewhere: a detector that is applied to another model, or to another
layer of the same one, still fires, at random. So nothing is read through a lens that does not
match, and what matches still has to see what it should on a few saved prompts (health.py).
"""

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from promptfix.errors import LensError, MicroscopeError, PromptfixWarning
from promptfix.formats import Lens, SelfCheck
from promptfix.hooks import layer_of
from promptfix.hub import model_name
from promptfix.saefile import CONFIG, WEIGHTS, SaeConfig

_HASHES = {
    "model_sha256": "the model's weights",
    "sae_sha256": "the SAE",
    "tokenizer_sha256": "the tokenizer",
    "template_sha256": "the chat template",
}
_REMEDIES = {
    "tokenizer.json": "restore it, or make it with AutoTokenizer.from_pretrained(...) and "
    "save_pretrained",
    "model.safetensors": "restore it; other formats are not read: convert them with transformers",
}
_NO_TEMPLATE = hashlib.sha256(b"").hexdigest()
_CHAT_NAME = re.compile(r"(?i)(?:^|[-_./])(?:it|instruct|chat|sft|dpo|distill|oss)(?:$|[-_./])")
"""How names of models that were tuned for chats differ from those of their base."""


def identify(model: Path | str, sae: Path | str, check: SelfCheck | None = None) -> Lens:
    """Make the entry of detectors/lenses.json for a model and an SAE, both folders.

    Raises MicroscopeError if a file is missing or broken, and LensError if the SAE's own metadata
    names another model.
    """
    model, sae = Path(model), Path(sae)
    config = SaeConfig.load(sae)
    layer = layer_of(config.hook)
    if layer is None:
        raise MicroscopeError(
            f"the SAE in {sae} names no decoder layer but {config.hook!r}; use one that reads the "
            "residual stream"
        )
    weights = model_sha256(model)
    if config.metadata.get("model_sha256", weights) != weights:
        raise LensError(
            f"the SAE in {sae} was trained on another model than the one in {model}; "
            "use that model, or train an SAE on this one"
        )
    return Lens(
        model=model_name(model),
        sae=sae.resolve().name,
        model_sha256=weights,
        sae_sha256=sae_sha256(sae),
        tokenizer_sha256=file_sha256(model / "tokenizer.json"),
        template_sha256=template_sha256(model),
        layer=layer,
        hook=config.hook,
        d_in=config.d_in,
        d_sae=config.d_sae,
        self_check=check,
    )


def check_lens(name: str, lens: Lens, model: Path | str, sae: Path | str) -> None:
    """Compare a lens with the folders to be loaded.

    Raises LensError if they differ, MicroscopeError if a file is missing or broken.
    """
    found = identify(model, sae)
    if wrong := _differences(lens, found):
        raise LensError(
            f"the lens {name} does not fit what is in {model} and {sae}: {', '.join(wrong)} "
            f"changed; restore those files, or name the folders that {name} is for"
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


def warn_of_other_form(model: Path | str, sae: Path | str) -> None:
    """Warn if one of model and SAE is made for chats and the other, as far as it says, is not."""
    metadata = SaeConfig.load(sae).metadata
    trained_on, template = str(metadata.get("model_name") or ""), template_sha256(Path(model))
    chats = template != _NO_TEMPLATE
    if (seen := metadata.get("template_sha256")) is not None:
        same = seen == template
    else:
        named = trained_on.rpartition("/")[2] in ("", model_name(Path(model)).rpartition("/")[2])
        same = named or chats == bool(_CHAT_NAME.search(trained_on))
    if not same:
        here = "is made for chats" if chats else "has no chat template"
        warnings.warn(
            PromptfixWarning(
                f"the SAE was trained on {trained_on or 'a model'} with another form of prompts, "
                f"and the model in {model} {here}: its features may stand for other things; hold "
                "them against prompts with promptfix sae check, or use an SAE made for this model"
            ),
            stacklevel=2,
        )


def model_sha256(folder: Path) -> str:
    """Hash a model's weights: of one file its sha256, of several that of their `sha256sum`s."""
    names = _weight_files(folder)
    hashes = [file_sha256(folder / name) for name in names]
    if len(names) == 1:
        return hashes[0]
    listing = "".join(f"{digest}  {name}\n" for digest, name in zip(hashes, names, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def sae_sha256(folder: Path) -> str:
    """Hash an SAE: its weights, and its configuration whatever the order of the keys."""
    config = json.dumps(_read_json(folder / CONFIG), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{config}\n{file_sha256(folder / WEIGHTS)}\n".encode()).hexdigest()


def template_sha256(folder: Path) -> str:
    """Hash the chat template; of a model without one, the empty text."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file_sha256(file)
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


def file_sha256(path: Path) -> str:
    """Hash a file. Raises MicroscopeError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        remedy = _REMEDIES.get(path.name, "restore it")
        raise MicroscopeError(f"{path} cannot be read ({error.strerror}); {remedy}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise MicroscopeError(f"{path} cannot be read ({error}); restore it") from error
