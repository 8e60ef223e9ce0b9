"""Names of models and SAEs -> folders, without ever asking the network.

A model is a folder, or `org/name` or `org/name@revision` in the local Hugging Face cache. An SAE
is a folder, or `release/sae_id` as `promptfix sae import` has put it into promptfix's own cache.
What is not there is refused with the command that gets it.
"""

import os
import re
from pathlib import Path

from promptfix.errors import MicroscopeError

_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_PLAIN = frozenset({"model", "weights"})
"""Folders that say nothing about which model lies in them."""


def model_folder(source: Path | str) -> Path:
    """Find the folder of a model. Raises MicroscopeError with the command that downloads it."""
    if Path(source).is_dir():
        return Path(source)
    match = _ID.fullmatch(str(source))
    no_name = MicroscopeError(
        f"there is no folder {source}; give a Hugging Face folder, or a name as org/name or "
        "org/name@revision"
    )
    if match is None:
        raise no_name
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, revision = match["name"], match["revision"]
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except HFValidationError:  # ../model, say
        raise no_name from None
    except LocalEntryNotFoundError as error:
        wanted = f"hf download {name}" + (f" --revision {revision}" if revision else "")
        raise MicroscopeError(
            f"there is no folder {source}, and no such model in the local Hugging Face cache; "
            f"run `{wanted}` where there is a network, or give a folder"
        ) from error


def model_name(folder: Path) -> str:
    """Name a model for people: as its folder says, or in the Hugging Face cache by its id."""
    here = folder.absolute()
    cached = here.parent.parent.name
    if here.parent.name == "snapshots" and cached.startswith("models--"):
        return cached.removeprefix("models--").replace("--", "/")
    named = (part for part in reversed(here.resolve().parts) if part not in _PLAIN)
    return next(named)


def sae_folder(source: Path | str) -> Path:
    """Find the folder of an SAE. Raises MicroscopeError with the command that imports it."""
    if Path(source).is_dir():
        return Path(source)
    release, _, sae_id = str(source).partition("/")
    if sae_id and (kept := imported(release, sae_id)).is_dir():
        return kept
    if not sae_id or Path(source).is_absolute():
        raise MicroscopeError(f"there is no folder {source}; give a folder that sae-lens 6 saved")
    raise MicroscopeError(
        f"there is no folder {source}, and nothing of that name has been imported; if it is "
        f"release/sae_id of sae-lens' registry, run `promptfix sae import {source}`"
    )


def imported(release: str, sae_id: str) -> Path:
    """Where an SAE of the registry is kept if no other place was given."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "promptfix" / "saes" / release / sae_id
