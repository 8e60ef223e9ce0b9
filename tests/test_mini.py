"""The embedded model as it ships: small enough, whole, and known to the library."""

import json
from collections import Counter
from pathlib import Path

import pytest
from safetensors.torch import load_file

from promptfix.assembly import EMBEDDED

ROOT = Path(__file__).resolve().parent.parent
TYPED = [json.loads(line) for line in (ROOT / "eval" / "hand_typed.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def pipeline():
    from promptfix import Pipeline

    return Pipeline.load()


def test_the_weights_fit_their_budget():
    """Model, SAE and tokenizer together take at most 40 MB."""
    assert sum(f.stat().st_size for f in EMBEDDED.rglob("*") if f.is_file()) <= 40_000_000


def test_the_weights_are_an_ordinary_folder():
    """Safetensors and JSON, nothing that has to be executed."""
    suffixes = {f.suffix for f in EMBEDDED.rglob("*") if f.is_file()}
    assert suffixes <= {".safetensors", ".json", ".jinja"}


def test_the_sae_says_where_it_comes_from():
    """The SAE's metadata name model, hook, template and data."""
    metadata = json.loads((EMBEDDED / "sae" / "cfg.json").read_text())["metadata"]
    for key in (
        "model_name",
        "model_sha256",
        "hook_name",
        "hook_layer",
        "template_sha256",
        "data_digest",
        "threshold",
        "l0",
        "explained_variance",
        "plan",
    ):
        assert metadata[key] not in (None, "")
    assert (load_file(EMBEDDED / "sae" / "sae_weights.safetensors")["threshold"] > 0).all()


def test_mini_does_what_its_results_say(pipeline):
    """The hand-typed problems are answered as eval/results/mini_abilities.json says."""
    from promptfix import Prompt
    from promptfix.tasks import correct

    said = pipeline.model.answer_many([Prompt(text=row["question"]) for row in TYPED])
    right = sum(correct(a.text, row["answer"]) for a, row in zip(said, TYPED, strict=True))
    results = json.loads((ROOT / "eval/results/mini_abilities.json").read_text())
    assert abs(right - results["hand-typed"]["correct"]) <= 1


def test_a_quiet_prompt_is_answered_as_the_plain_model_answers_it(pipeline):
    """When nothing fires, prompt and answer are those of the plain model."""
    text = "A baker made 48 rolls and 35 buns. He sold 57 of all he made. How many were not sold?"
    trace = pipeline.answer(text, compare=True)
    assert trace.action == "none"
    assert trace.answer == pipeline.model.answer(trace.prompt)


def test_a_finding_that_no_note_answers_changes_nothing(pipeline):
    """Where no note can be made, prompt and answer are those of the plain model too."""
    trace = pipeline.answer("Write a short letter to my aunt.", compare=True)
    assert trace.action in ("none", "detected")
    assert trace.answer == pipeline.model.answer(trace.prompt)


def test_there_are_measured_detectors(pipeline):
    """The library ships measured detectors, each with an annotation that answers it."""
    lens = pipeline.microscope.lens
    tasks = {a.misunderstanding: a.task for a in pipeline.library.annotations}
    measured = [d for d in pipeline.library.detectors_for(lens) if d.status.value == "measured"]
    assert {tasks[d.misunderstanding] for d in measured} >= {"math"}


def test_inspect_shows_so_many_features_of_the_whole_sae(capsys):
    """`--top 2` the two strongest of each token, as JSON too."""
    from promptfix import cli
    from promptfix.records import Reading

    assert cli.run(["inspect", "--json", "--top", "2", "a gross"]) == 0
    seen = Reading.model_validate_json(capsys.readouterr().out)
    assert set(Counter(activation.position for activation in seen.activations).values()) == {2}
