"""The commands for the data files: check, schema."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptfix.cli.options import (
    AnnotationsDir,
    AsJson,
    DetectorsDir,
    ModelDir,
    SaeDir,
    pipeline,
    settings,
)

if TYPE_CHECKING:
    from promptfix.errors import LibraryError
    from promptfix.library import Library
    from promptfix.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: promptfix check --detectors my/detectors")(check)
    app.command(epilog="Example: promptfix schema --check")(schema)


def check(
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    model: ModelDir = None,
    sae: SaeDir = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="First let the model read the cases, and write what fires."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check all data files, and show everything that is wrong; exit code 1 if anything is."""
    from promptfix import assembly
    from promptfix.errors import LibraryError

    chosen = settings(detectors=detectors, annotations=annotations, model=model, sae=sae)
    if record:
        _record(chosen, as_json=as_json)
    try:
        library = assembly.check_library(chosen)
    except LibraryError as error:
        _report(error, as_json=as_json)
        raise typer.Exit(1) from error
    _print_json(_counts(library)) if as_json else typer.echo(_summary(library))


def schema(
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    write: Annotated[bool, typer.Option("--write", help="Write them to their places.")] = False,
    stale: Annotated[
        bool, typer.Option("--check", help="Exit with 1 if those in their places are stale.")
    ] = False,
) -> None:
    """Print the JSON Schemas of the data files."""
    files = _schema_files(settings(detectors=detectors, annotations=annotations))
    if stale:
        _complain(path for path, content in files.items() if _read(path) != content)
    elif write:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
            typer.echo(path)
    else:
        from promptfix.schemas import schemas

        _print_json(schemas())


def _record(chosen: "Settings", *, as_json: bool) -> None:
    """Record what the detectors of a lens do on the cases, and show it."""
    from promptfix.assembly import data_folders
    from promptfix.cli import tables
    from promptfix.mining import cases

    loaded = pipeline(chosen.model_copy(update={"disabled": frozenset[str]()}))
    recordings = cases.record(loaded.microscope, loaded.library)
    cases.write(recordings, data_folders(chosen)[0])
    if not as_json:
        tables.pass_rates(recordings)


def _schema_files(chosen: "Settings") -> dict[Path, str]:
    """Where each schema belongs, and what has to be in it."""
    import json

    from promptfix.assembly import data_folders
    from promptfix.schemas import schemas

    detectors, annotations = data_folders(chosen)
    roots = {"detectors": detectors, "annotations": annotations}
    placed: dict[Path, str] = {}
    for name, content in schemas().items():
        folder, _, rest = name.partition("/")
        placed[roots[folder] / rest] = json.dumps(content, indent=2, sort_keys=True) + "\n"
    return placed


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def _complain(paths: Iterable[Path]) -> None:
    if stale := ", ".join(map(str, paths)):
        typer.echo(f"stale: {stale}; run promptfix schema --write", err=True)
        raise typer.Exit(1)
    typer.echo("the schemas are up to date")


def _counts(library: "Library") -> dict[str, Any]:
    return {
        "library": library.digest,
        "detectors": len(library.detectors),
        "annotations": len(library.annotations),
        "lenses": len(library.lenses),
        "cases": sum(map(len, library.cases.values())),
        "problems": [],
    }


def _summary(library: "Library") -> str:
    counts = _counts(library)
    kinds = ("detectors", "annotations", "lenses", "cases")
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    return f"all is well: {listed}; library {library.digest}"


def _report(error: "LibraryError", *, as_json: bool) -> None:
    if as_json:
        _print_json({"problems": [vars(problem) for problem in error.problems]})
        return
    from promptfix.cli import show

    show.problems(error.problems)


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))
