"""The commands that run for a while: mini train, mine, serve."""

from pathlib import Path
from typing import Annotated, Any

import typer

from promptfix.cli.options import (
    AnnotationsDir,
    DetectorsDir,
    Device,
    DtypeName,
    ModelDir,
    SaeDir,
    pipeline,
    settings,
)

AT_ONCE = 16
"""How many requests the loaded model takes together where nothing else is said."""
mini = typer.Typer(help="The embedded model.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    mini.command(epilog="Example: promptfix mini train --out runs/mini --preset small")(train)
    app.add_typer(mini, name="mini")
    app.command(
        epilog="Example: promptfix mine --data problems.jsonl --out found --annotations notes"
    )(mine)
    app.command(epilog="Example: promptfix serve --port 8000")(serve)


@mini.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Train the embedded model."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where model/ and sae/ are made.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="PROMPTFIX_DATA",
            help="Folder of the data sets; without it, generated text alone.",
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            help="full, gpu for more tokens, mini-2, or small and small-2 for a first look."
        ),
    ] = "full",
    start: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of a model to go on from.")
    ] = None,
    frozen: Annotated[
        int, typer.Option(help="So many of its first layers stay, and an SAE of them with them.")
    ] = 0,
) -> None:
    """Train the embedded model, from scratch or from `start`: corpus, tokenizer, model, SAE.

    The same command goes on where an interrupted run ended.
    """
    from promptfix.mini import recipe

    recipe.run(out, data, preset, start=start, frozen=frozen)


def mine(
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of detectors; those of this model for the same task are replaced.",
        ),
    ],
    data: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Labelled prompts, JSON lines.")
    ] = None,
    from_traces: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Traces with feedback, kept by `promptfix serve`."),
    ] = None,
    answers_from: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Server whose answers count, up to its /v1."),
    ] = None,
    answers_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model there that answers.")
    ] = None,
    answers_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", envvar="PROMPTFIX_SERVICE_UPSTREAM_KEY", help="Its API key, if any."
        ),
    ] = None,
    model: ModelDir = None,
    sae: SaeDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
    cache: Annotated[
        Path, typer.Option(metavar="DIR", help="Keeps answers, so that a run can go on.")
    ] = Path("runs/mine"),
    seed: Annotated[int, typer.Option(min=0, help="Decides every random choice.")] = 0,
) -> None:
    """Find detectors: features that say which prompts an annotation turns right."""
    from promptfix.assembly import EMBEDDED, data_folders
    from promptfix.hub import model_folder, sae_folder
    from promptfix.mining.run import Job, run
    from promptfix.remote import RemoteModel

    if not data and not from_traces:
        raise typer.BadParameter("name labelled prompts with --data or --from-traces")
    if (answers_from is None) != (answers_model is None):
        raise typer.BadParameter("--answers-from and --answers-model go together")
    answers = None
    if answers_from is not None and answers_model is not None:
        answers = RemoteModel(answers_from, answers_model, answers_key)
    chosen = settings(
        model=model, sae=sae, detectors=out, annotations=annotations, device=device, dtype=dtype
    )
    job = Job(
        model=model_folder(chosen.model or EMBEDDED / "model"),
        sae=sae_folder(chosen.sae or EMBEDDED / "sae"),
        data=tuple(data or ()),
        traces=tuple(from_traces or ()),
        answers=answers,
        out=out,
        annotations=data_folders(chosen)[1],
        cache=cache,
        seed=seed,
        device=chosen.device,
        dtype=chosen.dtype,
    )
    found = run(job)
    typer.echo(f"{len(found)} detectors written to {out}")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="The server that answers, up to its /v1.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="off, detect or repair.")] = None,
    traces: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where traces are kept; none keeps none.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of settings.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the settings in force, and end.")
    ] = False,
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
) -> None:
    """Serve an OpenAI-compatible endpoint that repairs prompts before they are answered."""
    from promptfix.service.settings import ServiceSettings
    from promptfix.settings import SERVICE, as_toml

    given = {"host": host, "port": port, "upstream": upstream, "mode": mode, "traces": traces}
    wanted: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    service = ServiceSettings.read(config, **wanted)
    chosen = settings(
        config=config,
        model=model,
        sae=sae,
        detectors=detectors,
        annotations=annotations,
        device=device,
        dtype=dtype,
    )
    if "at_once" not in chosen.model_fields_set:
        chosen = chosen.model_copy(update={"at_once": AT_ONCE})
    if print_config:
        typer.echo(f"{as_toml(chosen)}\n\n[{SERVICE}]\n{as_toml(service)}")
        return
    loaded = pipeline(chosen)
    from promptfix.service.serving import serve as run

    run(loaded, service)
