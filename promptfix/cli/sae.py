"""The commands for SAEs: sae list, import, train, check, readings."""

from pathlib import Path
from typing import Annotated

import typer

from promptfix.cli.options import AsJson, Device, DtypeName, ModelDir, SaeDir, settings
from promptfix.errors import SettingsError

sae = typer.Typer(help="SAEs: find, import, train and check them.")
Layers = Annotated[list[int], typer.Option("--layer", min=0, help="Which layer; may be repeated.")]
Texts = Annotated[
    list[Path],
    typer.Option(
        "--text",
        metavar="FILE",
        help="Texts, apart by blank lines, or JSON lines with a key text; may be repeated.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    commands = {
        "sae list --model gemma-3-1b-it": list_,
        "sae import gemma-scope-2-1b-it-res/layer_13_width_16k_l0_medium": import_,
        "sae train --text texts.txt --layer 6 --width 4096 --k 32 --out my/sae": train,
        "sae check --model my/model --sae sae": check,
        "sae readings batch-0.jsonl.gz --sae sae": readings,
    }
    for example, command in commands.items():
        name = example.split()[1]
        sae.command(name, epilog=f"Example: promptfix {example}")(command)
    app.add_typer(sae, name="sae")


@sae.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Find, import, train and check SAEs."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def list_(
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this model, by any part.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that read other places than the residual.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the published SAEs that sae-lens knows: name, model, active features, variance."""
    import json
    from dataclasses import asdict

    from promptfix.training.registry import published

    found = [each for each in published(model) if every or each.residual]
    if as_json:
        typer.echo(json.dumps([asdict(each) | {"name": each.name} for each in found], indent=2))
        return
    for each in found:
        typer.echo("\t".join([each.name, each.model, f"l0 {each.l0 or '?'}"]))
    typer.echo(f"{len(found)} SAEs; promptfix sae import NAME brings one here", err=True)


def import_(
    name: Annotated[str, typer.Argument(metavar="RELEASE/SAE_ID", help="As sae list shows it.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Else a cache that --sae knows.")
    ] = None,
) -> None:
    """Bring a published SAE here, with its revision, its hashes and its own figures."""
    from promptfix.hub import imported
    from promptfix.training.registry import import_sae

    release, _, sae_id = name.partition("/")
    if not sae_id:
        raise SettingsError(
            f"{name} is no RELEASE/SAE_ID; promptfix sae list shows which there are"
        )
    out = folder or imported(release, sae_id)
    config = import_sae(name, out)
    typer.echo(f"{config.architecture}, {config.d_sae} features at {config.hook}: {out}")


def train(
    text: Texts,
    layer: Layers,
    width: Annotated[int, typer.Option(min=1, help="Features.")],
    k: Annotated[int, typer.Option(min=1, help="Mean active features per token.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Its folder; of several, one a layer.")],
    model: ModelDir = None,
    samples: Annotated[int, typer.Option(min=1, help="Activations to train on.")] = 3_000_000,
    batch: Annotated[int, typer.Option(min=1, help="Activations per step.")] = 2048,
    buffer: Annotated[int, typer.Option(min=1, help="Activations held in memory.")] = 65_536,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 8e-4,
    seed: Annotated[int, typer.Option(help="Decides every random choice.")] = 0,
    device: Device = None,
    dtype: DtypeName = None,
) -> None:
    """Train an SAE on a model's residual stream, and measure it on texts held out.

    The same command goes on where an interrupted run ended.
    """
    from promptfix.assembly import EMBEDDED
    from promptfix.hub import model_folder, model_name
    from promptfix.network import load_network
    from promptfix.training.documents import files_digest, from_files
    from promptfix.training.sae import About, SaePlan, train_saes

    if k >= width:
        raise SettingsError(f"of {width} features, {k} cannot be the mean active; choose k below")
    chosen = settings(model=model, device=device, dtype=dtype)
    folder = model_folder(chosen.model or EMBEDDED / "model")
    network = load_network(folder, chosen.device, chosen.dtype)
    corpus = from_files(text, network.tokenizer, network.context)
    about = About(model_name(folder), folder, files_digest(text))
    plan = SaePlan(
        layer[0], width, k, samples=samples, rate=rate, batch=batch, buffer=buffer, seed=seed
    )
    outs = {each: out if len(set(layer)) == 1 else out / f"layer-{each}" for each in layer}
    for each, quality in train_saes(network, corpus, plan, outs, about).items():
        recovered = quality.loss_recovered
        typer.echo(
            f"layer {each}, on {quality.positions} positions held out: "
            f"{quality.explained_variance:.1%} of the variance explained, {quality.l0:.1f} "
            f"features active, {quality.dead:.1%} dead"
            + (f", {recovered:.1%} of the loss recovered" if recovered is not None else "")
            + f": {outs[each]}"
        )


def check(
    model: ModelDir = None,
    sae: SaeDir = None,
    text: Annotated[
        list[Path] | None, typer.Option("--text", metavar="FILE", help="Else built-in prompts.")
    ] = None,
    device: Device = None,
    dtype: DtypeName = None,
) -> None:
    """Measure how an SAE fits a model, and hold that against the SAE's own figures."""
    from itertools import islice

    from promptfix.assembly import EMBEDDED
    from promptfix.health import compare, measure
    from promptfix.hub import model_folder, sae_folder
    from promptfix.lens import warn_of_other_form
    from promptfix.mining.writing import CHECK_PROMPTS
    from promptfix.network import load_network
    from promptfix.saefile import SaeConfig
    from promptfix.training.documents import read_texts

    chosen = settings(model=model, sae=sae, device=device, dtype=dtype)
    folder = model_folder(chosen.model or EMBEDDED / "model")
    place = sae_folder(chosen.sae or EMBEDDED / "sae")
    warn_of_other_form(folder, place)
    texts = [words for file in text or () for words in islice(read_texts(file), 200)]
    network = load_network(folder, chosen.device, chosen.dtype)
    found = measure(network, place, texts or CHECK_PROMPTS)
    typer.echo(
        f"{1 - found.unexplained:.1%} of the variance explained, {found.l0:.1f} features active"
    )
    compare(SaeConfig.load(place), found)


def readings(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Neuronpedia exports.")],
    sae: SaeDir = None,
) -> None:
    """Keep Neuronpedia's readings of features beside an SAE, where inspect and mine find them."""
    from promptfix.hub import sae_folder
    from promptfix.neuronpedia import import_readings

    chosen = settings(sae=sae).sae
    if chosen is None:
        raise SettingsError("name the SAE that the readings are for, with --sae")
    done = import_readings(files, sae_folder(chosen))
    typer.echo(f"{done.readings} readings kept, {done.skipped} lines passed over")
