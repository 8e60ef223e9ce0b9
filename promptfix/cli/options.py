"""The options that commands share, and what is loaded from them."""

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from promptfix.errors import PromptError

if TYPE_CHECKING:
    from promptfix.pipeline import Pipeline
    from promptfix.settings import Settings

PromptText: TypeAlias = Annotated[
    str, typer.Argument(metavar="PROMPT", help="The prompt; - reads it from standard input.")
]
ModelDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="DIR",
        help="Hugging Face folder, or org/name@revision in the local cache; else the embedded one.",
    ),
]
SaeDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--sae",
        metavar="DIR",
        help="Its SAE in the sae-lens format, or release/sae_id once it is imported.",
    ),
]
Device: TypeAlias = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, ...; auto takes a GPU if there is one.")
]
DtypeName: TypeAlias = Annotated[
    str | None,
    typer.Option("--dtype", help="auto, float32, bfloat16 or float16: what the model computes in."),
]
DetectorsDir: TypeAlias = Annotated[
    Path | None, typer.Option("--detectors", metavar="DIR", help="Folder of detectors.")
]
AnnotationsDir: TypeAlias = Annotated[
    Path | None, typer.Option("--annotations", metavar="DIR", help="Folder of annotations.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings(**chosen: Any) -> "Settings":
    """Read the settings, those options before all others that were given."""
    from promptfix.settings import Settings

    return Settings.read(**{name: value for name, value in chosen.items() if value is not None})


def pipeline(chosen: "Settings") -> "Pipeline":
    """Load a pipeline, and show on a terminal that it takes a moment."""
    from promptfix import assembly

    with busy("loading the model"), _uncollected():
        return assembly.build(chosen)


@contextmanager
def _uncollected() -> Generator[None]:
    """Look for no garbage meanwhile, nor later among what is made here.

    Importing torch and transformers makes hundreds of thousands of objects that stay. To go through
    them again and again took a sixth of a cold start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def busy(doing: str) -> Generator[None]:
    """Show on a terminal's stderr what is being done."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield


def prompt_text(argument: str) -> str:
    """Take the prompt from the command line or, for `-`, from standard input.

    One line break at the end of standard input is the shell's and not the prompt's. Raises
    PromptError if it is closed or its bytes are not UTF-8.
    """
    if argument != "-":
        return argument
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - it may be
        raise PromptError("standard input is closed; pipe the prompt into it")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"standard input is not UTF-8: byte {error.start} cannot be read; convert it"
        raise PromptError(message) from error
    return text.removesuffix("\n").removesuffix("\r")
