"""The command line: what it prints, its exit codes, and one sentence for all that goes wrong."""

import gc
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from promptfix import assembly, cli
from promptfix.errors import LensError
from promptfix.formats import Term
from promptfix.pipeline import Pipeline, Policy
from promptfix.records import ANSWER_TOKENS, Reading, Trace
from promptfix.settings import Settings
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors

UNIT = detector(
    "unit-word-fake",
    parts=[Term(feature=812, weight=1.0, at="user"), Term(feature=9, weight=1.0, at="readout")],
    threshold=2.0,
)
GROSS = "A shop sold two gross of pencils. How many is that?"


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeMicroscope:
    """Commands load a pipeline of fakes in which "gross" is misread until there is a note."""
    monkeypatch.setenv("COLUMNS", "100")
    microscope = FakeMicroscope(
        {"gross": {812: 1.5}, "dozen": {812: 0.75}},
        lambda text: {} if "[Note:" in text else {9: 1.0},
    )
    model = FakeModel(lambda text: "Answer: 288" if "144" in text else "Answer: 24")

    def build(settings: Settings) -> Pipeline:
        library = with_detectors(assembly.load_library(settings), UNIT)
        return Pipeline(microscope, model, library, Policy())

    monkeypatch.setattr(assembly, "build", build)
    return microscope


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence that a command fails with."""
    assert cli.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("promptfix: ")
    assert "Traceback" not in said.err
    return said.err.removeprefix("promptfix: ").strip()


def test_ask_shows_a_repair(capsys: pytest.CaptureFixture[str]) -> None:
    """Both prompts with the note marked, the finding with its features, and both answers."""
    assert cli.run(["ask", GROSS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"  {GROSS}" in lines
    assert "misunderstanding: unknown-unit-word" in lines
    assert '  feature 812 on "gross": 1.50  feature 812' in lines
    assert "  feature 9 at the read-out: 1.00  feature 9" in lines
    assert any(line.startswith("+ [Note: ") and "144" in line for line in lines)
    assert "  unit-word-fake@1: score 2.50 -> 1.50, cleared" in lines
    before = lines.index("answer to the prompt as it came")
    assert lines[before:] == [
        "answer to the prompt as it came",
        "  Answer: 24",
        "answer to the repaired prompt",
        "  Answer: 288",
    ]


def test_ask_shows_near_misses(capsys: pytest.CaptureFixture[str]) -> None:
    """When nothing fired, the nearest misses say why not, and there is one answer."""
    assert cli.run(["ask", "one dozen eggs"]) == 0
    said = capsys.readouterr().out
    assert "nothing recognised" in said
    assert "nearest: unknown-unit-word" in said
    assert "score 1.75 of 2.00" in said
    assert said.count("Answer: 24") == 1


def test_json_is_the_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints a Trace and nothing else, with both answers for `ask`, none for `repair`."""
    assert cli.run(["ask", "--json", GROSS]) == 0
    trace = Trace.model_validate_json(capsys.readouterr().out)
    assert trace.action == "repaired"
    assert trace.answer != trace.original_answer
    assert cli.run(["repair", "--json", GROSS]) == 0
    assert Trace.model_validate_json(capsys.readouterr().out).answer is None


def test_an_answer_that_was_not_taken_is_shown(
    capsys: pytest.CaptureFixture[str], fakes: FakeMicroscope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, beside the repair that was not kept and the answer that was."""
    model = FakeModel(lambda text: "2 * 12 = 24" if "[Note:" in text else "Answer: 288")

    def build(settings: Settings) -> Pipeline:
        library = with_detectors(assembly.load_library(settings), UNIT)
        return Pipeline(fakes, model, library, Policy())

    monkeypatch.setattr(assembly, "build", build)
    assert cli.run(["ask", GROSS]) == 0
    said = capsys.readouterr().out
    assert "a repair that was not kept" in said
    assert "2 * 12 = 24\n  it does something else than the note says" in said
    assert said.endswith("answer\n  Answer: 288\n")


def test_a_broken_microscope_is_said(
    capsys: pytest.CaptureFixture[str], fakes: FakeMicroscope
) -> None:
    """When looking fails, the answer is there all the same, and why nobody looked."""
    fakes.broken = RuntimeError("no tensor")
    assert cli.run(["ask", GROSS]) == 0
    said = capsys.readouterr().out
    assert "not looked at\n  no tensor" in said
    assert "Answer: 24" in said


def test_garbage_is_not_looked_for_while_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is before and after, also where loading fails."""
    seen: list[bool] = []

    def build(_: Settings) -> Pipeline:
        seen.append(gc.isenabled())
        raise LensError("no lens; bring one")

    monkeypatch.setattr(assembly, "build", build)
    assert gc.isenabled()
    assert cli.run(["repair", GROSS]) == 2
    assert seen == [False]
    assert gc.isenabled()


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_dash_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ending: bytes
) -> None:
    """`-` takes the prompt from stdin, without the line break that the shell adds."""
    stdin(monkeypatch, "two gross of caf\u00e9s \U0001f600".encode() + ending)
    assert cli.run(["repair", "--json", "-"]) == 0
    trace = Trace.model_validate_json(capsys.readouterr().out)
    assert trace.prompt.text == "two gross of caf\u00e9s \U0001f600"


def test_bad_utf8_on_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are no UTF-8 are refused, and where they are is said."""
    stdin(monkeypatch, b"two \xff gross")
    assert failure(capsys, "ask", "-").startswith("standard input is not UTF-8: byte 4")


def test_closed_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is none to read, that is said."""
    monkeypatch.setattr("sys.stdin", None)
    assert failure(capsys, "ask", "-").startswith("standard input is closed")


def test_bad_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but white space, and arguments that were no UTF-8, are refused."""
    assert "empty" in failure(capsys, "ask", " \n")
    assert "lone surrogate" in failure(capsys, "repair", "a\udcff")


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line is one sentence that names the help."""
    assert failure(capsys, "asc").endswith("see promptfix --help")
    assert failure(capsys, "ask").endswith("see promptfix ask --help")
    assert "--sea" in failure(capsys, "ask", "x", "--sea", "x")
    assert "--max-tokens" in failure(capsys, "ask", "x", "--max-tokens", "0")


def test_settings_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing folder, a missing file and a misspelt variable are one sentence."""
    assert "the file is missing" in failure(capsys, "ask", "x", "--detectors", str(tmp_path))
    monkeypatch.setenv("PROMPTFIX_DETECTRS", "x")
    assert "PROMPTFIX_DETECTRS" in failure(capsys, "ask", "x")


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command quietly."""

    def build(_settings: Settings) -> Pipeline:
        raise KeyboardInterrupt

    monkeypatch.setattr(assembly, "build", build)
    assert cli.run(["ask", "x"]) == 130


def test_control_characters_are_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """A prompt cannot steer the terminal."""
    assert cli.run(["repair", "a \x1b[31m gross [bold]b[/bold]"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "a \u241b[31m gross [bold]b[/bold]" in said


def test_inspect_shows_tokens_by_features(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each token, a column for each feature that fires, and what the features mean."""
    assert cli.run(["inspect", "two gross and a dozen"]) == 0
    rows = [
        [cell.strip() for cell in line.strip("│┃ ").replace("┃", "│").split("│")]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert ["token", "9", "812"] in rows
    assert ["gross", ".", "1.50"] in rows
    assert ["read-out", "1.00", "."] in rows
    assert ["812  feature 812"] in rows


def test_inspect_json_is_the_reading(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints a Reading."""
    assert cli.run(["inspect", "--json", "gross"]) == 0
    assert Reading.model_validate_json(capsys.readouterr().out).lens == "fake"


def test_inspect_top_needs_a_local_model(capsys: pytest.CaptureFixture[str]) -> None:
    """What has no SAE at hand cannot show all of its features."""
    assert "--top" in failure(capsys, "inspect", "--top", "3", "gross")


def test_demo_asks_some_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    """`promptfix demo` repairs a few prompts and shows before and after; as JSON, a line each."""
    assert cli.run(["demo"]) == 0
    said = capsys.readouterr().out
    assert said.count("prompt\n") > 3
    assert "+ [Note: " in said
    assert cli.run(["demo", "--json"]) == 0
    traces = [*map(Trace.model_validate_json, capsys.readouterr().out.splitlines())]
    assert len(traces) > 3


def test_check_says_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped data files have no problems."""
    assert cli.run(["check"]) == 0
    assert capsys.readouterr().out.startswith("all is well: ")
    assert cli.run(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_check_reports_every_problem(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each problem with its file, its JSON path and a remedy; exit code 1."""
    (tmp_path / "lenses.json").write_text('{"lenses": {}, "lense": 1}', "utf-8")
    (tmp_path / "cut.json").write_text('{"id": ', "utf-8")
    assert cli.run(["check", "--detectors", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "detectors/lenses.json  $.lense\n" in said
    assert "detectors/cut.json  $\n" in said
    assert said.count("  remedy: ") >= 2
    assert cli.run(["check", "--json", "--detectors", str(tmp_path)]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {"$", "$.lense"} <= {problem["path"] for problem in problems}


def test_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Schemas are printed, written to their places, and found stale when they are not current."""
    folders = ["--detectors", str(tmp_path / "d"), "--annotations", str(tmp_path / "a")]
    assert cli.run(["schema"]) == 0
    assert "detectors/detector.schema.json" in json.loads(capsys.readouterr().out)
    assert cli.run(["schema", "--check", *folders]) == 1
    assert cli.run(["schema", "--write", *folders]) == 0
    assert cli.run(["schema", "--check", *folders]) == 0
    (tmp_path / "a" / "annotation.schema.json").write_text("{}", "utf-8")
    capsys.readouterr()
    assert cli.run(["schema", "--check", *folders]) == 1
    assert "annotation.schema.json" in capsys.readouterr().err


def test_committed_schemas_are_current() -> None:
    """The schemas in the repository are those that the formats generate."""
    assert cli.run(["schema", "--check"]) == 0


def test_serve_refuses_other_addresses_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody opens a model to the network by accident."""
    assert "API key" in failure(capsys, "serve", "--host", "0.0.0.0")  # noqa: S104 - refused
    assert "port" in failure(capsys, "serve", "--port", "70000")


COMMANDS = [
    *"ask demo repair inspect check schema mine serve".split(),
    "mini train",
    *(f"sae {name}" for name in "list import train check readings".split()),
]


def test_help_names_the_length_that_answers_have(capsys: pytest.CaptureFixture[str]) -> None:
    """The command line loads no records for its help, so that the number stands there again."""
    assert cli.run(["ask", "--help"]) == 0
    assert f"default: {ANSWER_TOKENS}" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Every command explains itself with an example that starts with itself."""
    assert cli.run([*command.split(), "--help"]) == 0
    assert f"Example: promptfix {command}" in capsys.readouterr().out


def test_help_is_quick() -> None:
    """Help imports neither torch nor the service nor the pipeline."""
    heavy = {"torch", "transformers", "litestar", "jsonschema", "numpy", "promptfix.pipeline"}
    code = (
        "import sys; from promptfix import cli; cli.run(['--help']); "
        f"print({heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_closed_pipe_is_no_error() -> None:
    """`promptfix schema | head` ends quietly."""
    command = f"{sys.executable} -m promptfix.cli schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert done.stdout == "{"
    assert done.stderr == ""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "promptfix.cli", "schema"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)  # noqa: S603 - our own interpreter
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_mini_train_wants_a_known_preset(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`mini train` runs the recipe, which knows its presets."""
    pytest.importorskip("torch")
    said = failure(capsys, "mini", "train", "--out", str(tmp_path), "--preset", "huge")
    assert "huge" in said


def test_mine_wants_data(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`mine` says which file it cannot read."""
    missing = str(tmp_path / "none.jsonl")
    assert missing in failure(capsys, "mine", "--data", missing, "--out", str(tmp_path))
