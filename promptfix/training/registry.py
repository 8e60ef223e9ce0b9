"""The SAEs that sae-lens knows: list them, and bring one here as a folder that says all about it.

The list is a file of the installed sae-lens and is read without importing it; only an import of an
SAE imports sae_lens, since only it knows all the formats.
"""

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptfix.errors import MicroscopeError

if TYPE_CHECKING:
    from promptfix.saefile import SaeConfig

_BESIDE = re.compile(r"(?i)transcoder|crosscoder|clt|mlp|att|hook_z|hook_q|embed|temporal")
"""What names of SAEs say that read another place than the residual stream."""


@dataclass(frozen=True, slots=True)
class Published:
    """One SAE of the registry."""

    release: str
    sae_id: str
    model: str
    repo: str
    path: str
    """Of its files in the repository."""
    l0: float | None
    explained_variance: float | None
    neuronpedia: str | None

    @property
    def name(self) -> str:
        """What `--sae` and `promptfix sae import` take."""
        return f"{self.release}/{self.sae_id}"

    @property
    def residual(self) -> bool:
        """Whether it seems to read the residual stream."""
        return not _BESIDE.search(f"{self.name} {self.path}")


def published(model: str | None = None) -> list[Published]:
    """List the SAEs of the registry; of one model, given by its id, name or a part of that."""
    wanted = (model or "").rpartition("/")[2].lower()
    return [
        sae
        for sae in _read_registry()
        if wanted in sae.model.lower() or wanted in sae.release.lower()
    ]


def import_sae(name: str, folder: Path) -> "SaeConfig":
    """Bring `release/sae_id` into a folder, with what is known about it, and check it.

    Raises MicroscopeError if there is no such SAE, if it is of no use here, or if its files are
    not in the local cache and cannot be had: then it says which ones.
    """
    from promptfix.saefile import SaeConfig

    found = [sae for sae in _read_registry() if sae.name == name]
    if not found:
        raise MicroscopeError(
            f"sae-lens' registry has no {name}; promptfix sae list --model NAME shows what it has"
        )
    if not found[0].residual:
        raise MicroscopeError(
            f"{name} does not read the residual stream; promptfix sae list shows those that do"
        )
    _fetch(found[0]).save_model(str(folder))
    _describe(found[0], folder)
    return SaeConfig.load(folder)


@cache
def _read_registry() -> tuple[Published, ...]:
    import yaml

    package = importlib.util.find_spec("sae_lens")
    if package is None or not package.submodule_search_locations:
        raise MicroscopeError("sae-lens is not installed; pip install sae-lens")
    file = Path(package.submodule_search_locations[0]) / "pretrained_saes.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=loader)  # noqa: S506 - it is a safe loader
    return tuple(
        _published(release, entry, sae)
        for release, entry in content.items()
        for sae in entry["saes"]
    )


def _published(release: str, entry: dict[str, Any], sae: dict[str, Any]) -> Published:
    explained = sae.get("variance_explained", 1.0)
    return Published(
        release=release,
        sae_id=str(sae["id"]),
        model=str(entry["model"]),
        repo=str(entry["repo_id"]),
        path=str(sae["path"]),
        l0=sae.get("l0") or None,
        explained_variance=None if explained == 1.0 else explained,
        neuronpedia=sae.get("neuronpedia"),
    )


def _fetch(sae: Published) -> Any:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from sae_lens import SAE

    try:
        return SAE.from_pretrained(sae.release, sae.sae_id)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise MicroscopeError(
            f"{sae.name} is not in the local Hugging Face cache and cannot be downloaded "
            f"({type(error).__name__}); where there is a network, run "
            f"`hf download {sae.repo} --include '{sae.path}*'` and copy the cache here, or import "
            "it there and copy the folder"
        ) from error


def _describe(sae: Published, folder: Path) -> None:
    """Write into cfg.json where the SAE is from, at which revision, and its own figures."""
    from promptfix.lens import file_sha256
    from promptfix.saefile import CONFIG, WEIGHTS

    config = json.loads((folder / CONFIG).read_text("utf-8"))
    known = {
        "release": sae.release,
        "sae_id": sae.sae_id,
        "repo_id": sae.repo,
        "revision": _revision(sae.repo),
        "l0": sae.l0,
        "explained_variance": sae.explained_variance,
        "neuronpedia_id": sae.neuronpedia,
        "weights_sha256": file_sha256(folder / WEIGHTS),
    }
    config["metadata"] = {
        key: value
        for key, value in ((config.get("metadata") or {}) | known).items()
        if value is not None
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def _revision(repo: str) -> str | None:
    """The commit that the cache has of a repository's main branch."""
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "refs" / "main"
    return cached.read_text("utf-8").strip() if cached.is_file() else None
