"""Settings -> Pipeline: the only place that chooses implementations. Imports torch when called."""

from pathlib import Path
from typing import Any

from promptfix import library
from promptfix.datafiles import find
from promptfix.errors import SettingsError
from promptfix.library import Library
from promptfix.pipeline import Pipeline
from promptfix.settings import Settings

EMBEDDED = Path(__file__).resolve().parent / "mini" / "weights"
"""Where the embedded model lies: `model/` and `sae/`."""


def load(**chosen: Any) -> Pipeline:
    """Read the settings, `chosen` before all others, and build a pipeline."""
    return build(Settings.read(**chosen))


def build(settings: Settings) -> Pipeline:
    """Load the library, the model and its SAE.

    Raises LibraryError, SettingsError, LensError, MicroscopeError.
    """
    from promptfix.local import load_local

    known = load_library(settings)
    _check_ids(settings.disabled, known)
    local = load_local(
        model=settings.model or EMBEDDED / "model",
        sae=settings.sae or EMBEDDED / "sae",
        library=known,
        lens=settings.lens,
        disabled=settings.disabled,
        device=settings.device,
        dtype=settings.dtype,
        at_once=settings.at_once,
    )
    return Pipeline(local.microscope, local.model, known, settings.policy)


def load_library(settings: Settings) -> Library:
    """Load the detectors, annotations and tables that the settings name, or the library's own."""
    return library.load(*data_folders(settings), settings.tables)


def check_library(settings: Settings) -> Library:
    """Load them and hold them against their JSON Schemas too."""
    return library.check(*data_folders(settings), settings.tables)


def data_folders(settings: Settings) -> tuple[Path, Path]:
    """The folders of the detectors and of the annotations."""
    return find("detectors", settings.detectors), find("annotations", settings.annotations)


def _check_ids(disabled: frozenset[str], known: Library) -> None:
    """Refuse a misspelt id, which would leave the detector that was meant switched on."""
    ids = {detector.id for detector in known.detectors}
    if unknown := ", ".join(sorted(disabled - ids)):
        listed = ", ".join(sorted(ids)) or "none"
        raise SettingsError(f"disabled: no detector is called {unknown}; there are {listed}")
