"""The commands that look at one prompt: ask, repair, inspect."""

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from promptfix.cli.options import (
    AnnotationsDir,
    AsJson,
    DetectorsDir,
    Device,
    DtypeName,
    ModelDir,
    PromptText,
    SaeDir,
    busy,
    pipeline,
    prompt_text,
    settings,
)

if TYPE_CHECKING:
    from promptfix.pipeline import Pipeline
    from promptfix.records import Activation, Prompt, Reading, Trace
    from promptfix.settings import Settings

DEMO = (
    "Nina has 3 cats and 17 fish. She buys 6 fish. How many fish does she have now?",
    "A baker made 63 rolls and 28 pies. He sold 35 rolls. How many rolls does he have left?",
    "A school orders 3 gross of pencils. How many pencils is that?",
    "There are 3 quintets of dancers. How many dancers are there?",
    "Tom has 9 caps and Ann has triple that number. How many caps does Ann have?",
    "How many days are there in 3 fortnights?",
    "A library had 60 comics. It jettisoned 14 comics. How many comics does it have?",
    (
        'Is the word "quagmire" used literally or metaphorically in this sentence? '
        "The talks became a quagmire."
    ),
    (
        'Is the word "swallowed" used literally or metaphorically in this sentence? '
        "He swallowed the calumny."
    ),
    "A bowl holds 17 apples and 12 pears. Mia ate 5 of the pears. How many pears are left?",
    "A baker made 34 rolls. He sold 9. How many rolls are left?",
)
"""What `demo` asks."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    example = "Example: promptfix {}"
    app.command(epilog=example.format('ask "A shop sold two gross of pencils. How many?"'))(ask)
    app.command(epilog=example.format("demo"))(demo)
    app.command(epilog=example.format("repair --json - < problem.txt"))(repair)
    app.command(epilog=example.format('inspect --top 5 "She sold three score of eggs."'))(inspect)


def ask(
    prompt: PromptText,
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
    as_json: AsJson = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")] = 96,
) -> None:
    """Repair a prompt and answer it, and the prompt as it came, to compare."""
    from promptfix.records import Prompt, Sampling

    asked = Prompt(text=prompt_text(prompt))
    chosen = settings(
        model=model,
        sae=sae,
        detectors=detectors,
        annotations=annotations,
        device=device,
        dtype=dtype,
    )
    loaded = pipeline(chosen)
    with busy("asking"):
        trace = loaded.answer(asked, compare=True, sampling=Sampling(max_tokens=max_tokens))
    _print_trace(trace, as_json=as_json)


def repair(
    prompt: PromptText,
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
    as_json: AsJson = False,
) -> None:
    """Repair a prompt without answering it."""
    from promptfix.records import Prompt

    asked = Prompt(text=prompt_text(prompt))
    chosen = settings(
        model=model,
        sae=sae,
        detectors=detectors,
        annotations=annotations,
        device=device,
        dtype=dtype,
    )
    _print_trace(pipeline(chosen).repair(asked), as_json=as_json)


def inspect(
    prompt: PromptText,
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
    as_json: AsJson = False,
    top: Annotated[
        int, typer.Option(min=0, help="Also show so many features of the whole SAE per token.")
    ] = 0,
) -> None:
    """Show which features fire on which tokens: those that detectors look at."""
    from promptfix.records import Prompt

    asked = Prompt(text=prompt_text(prompt))
    chosen = settings(
        model=model,
        sae=sae,
        detectors=detectors,
        annotations=annotations,
        device=device,
        dtype=dtype,
    )
    loaded = pipeline(chosen)
    reading = loaded.microscope.read(asked).reading
    everything = _read_all(loaded, chosen, asked, top) if top else None
    if as_json:
        print((everything or reading).model_dump_json(indent=2))
        return
    from promptfix.assembly import EMBEDDED
    from promptfix.cli import tables
    from promptfix.hub import sae_folder
    from promptfix.neuronpedia import load_readings

    detectors_here = loaded.library.detectors_for(loaded.microscope.lens)
    meanings = load_readings(sae_folder(chosen.sae or EMBEDDED / "sae"))
    meanings |= {int(f): line for det in detectors_here for f, line in det.readings.items()}
    tables.reading(reading, meanings)
    if everything is not None:
        tables.strongest(everything, meanings)


def demo(
    model: ModelDir = None,
    sae: SaeDir = None,
    detectors: DetectorsDir = None,
    annotations: AnnotationsDir = None,
    device: Device = None,
    dtype: DtypeName = None,
    as_json: AsJson = False,
) -> None:
    """Ask a few prompts, typed by hand, and show before and after; as JSON, one trace a line."""
    chosen = settings(
        model=model,
        sae=sae,
        detectors=detectors,
        annotations=annotations,
        device=device,
        dtype=dtype,
    )
    loaded = pipeline(chosen)
    for number, prompt in enumerate(DEMO):
        trace = loaded.answer(prompt, compare=True)
        if as_json:
            print(trace.model_dump_json())
            continue
        if number:
            print()
        _print_trace(trace, as_json=False)


def _read_all(loaded: "Pipeline", chosen: "Settings", prompt: "Prompt", top: int) -> "Reading":
    """Read a prompt through the whole SAE; the `top` features of each token, strongest first."""
    from promptfix.assembly import EMBEDDED
    from promptfix.errors import MicroscopeError
    from promptfix.hub import sae_folder
    from promptfix.microscope import Microscope
    from promptfix.sae import Sae

    narrow = loaded.microscope
    if not isinstance(narrow, Microscope):
        raise MicroscopeError("only a local model can be read through its whole SAE; omit --top")
    sae = Sae.load(sae_folder(chosen.sae or EMBEDDED / "sae"))
    seen = Microscope(narrow.network, sae, narrow.lens).read(prompt).reading
    at: dict[int, list[Activation]] = defaultdict(list)
    for activation in sorted(seen.activations, key=lambda activation: -activation.value):
        at[activation.position].append(activation)
    best = [activation for token in seen.tokens for activation in at[token.position][:top]]
    return seen.model_copy(update={"activations": tuple(best)})


def _print_trace(trace: "Trace", *, as_json: bool) -> None:
    if as_json:
        print(trace.model_dump_json(indent=2))
        return
    from promptfix.cli import show

    show.trace(trace)
