"""The commands that run for a while: mini train, mine, serve."""

from pathlib import Path
from typing import Annotated

import typer

from promptfix.cli.options import (
    AnnotationsDir,
    DetectorsDir,
    ModelDir,
    SaeDir,
    pipeline,
    settings,
)

mini = typer.Typer(help="The embedded model.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    mini.command(epilog="Example: promptfix mini train --out runs/mini --preset small")(train)
    app.add_typer(mini, name="mini")
    app.command(epilog="Example: promptfix mine --data problems.jsonl --out found")(mine)
    app.command(epilog="Example: promptfix serve --port 8765")(serve)


@mini.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Train the embedded model."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is written.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of data sets; else PROMPTFIX_DATA.")
    ] = None,
    preset: Annotated[str, typer.Option(help="How large a run.")] = "default",
    resume: Annotated[bool, typer.Option(help="Go on where an earlier run ended.")] = True,
) -> None:
    """Train the embedded model from scratch: corpus, tokenizer, model, SAE."""
    from promptfix.mini import recipe

    recipe.run(folder=out, data=data, preset=preset, resume=resume)


def mine(
    data: Annotated[list[Path], typer.Option(metavar="FILE", help="Labelled prompts, JSON lines.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where detectors are written.")],
    model: ModelDir = None,
    sae: SaeDir = None,
    annotations: AnnotationsDir = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keeps answers, so that a run can go on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides every random choice.")] = 0,
) -> None:
    """Find detectors: features that say which prompts an annotation turns right."""
    from promptfix import mining

    mining.run(
        model=model, sae=sae, data=data, out=out, annotations=annotations, cache=cache, seed=seed
    )


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
) -> None:
    """Serve an OpenAI-compatible endpoint that repairs prompts before it answers them."""
    from promptfix.service.settings import ServiceSettings

    given = {"host": host, "port": port}
    service = ServiceSettings.read(**{k: v for k, v in given.items() if v is not None})
    chosen = settings(model=model, sae=sae, detectors=detectors, annotations=annotations)
    loaded = pipeline(chosen)
    from promptfix.service.serving import serve as run

    run(loaded, service)
