"""A model of one's own, without a hub: train an SAE, check it, mine, ask, serve."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import openai
import pytest

from promptfix.cli import run
from promptfix.library import load
from promptfix.mining.writing import CHECK_PROMPTS
from promptfix.pipeline import Pipeline
from tests import unitwords
from tests.readme import ROOT
from tests.serving import ask, serving
from tests.tiny import save_model

QUESTION = "Ann has a gross of eggs and uses 5 of them. How many are left? 7"
NOTE = "[Note: a gross is 144 things]"
SIZES = "--layer 0 --width 128 --k 12 --samples 40960 --batch 512 --buffer 4096 --rate 0.01".split()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder in which a tiny GPT-2 went through the README's commands.

    So tiny a model knows nothing, so what it answers while mining is laid down. What it says by
    itself is short: a quarter of all tokens end its answers.
    """
    folder = tmp_path_factory.mktemp("own")
    ends = list(range(2, 100))
    save_model(folder / "model", "gpt2", None, n_positions=1024, eos_token_id=ends)
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, unitwords.rows())))
    texts = [row["question"] for row in unitwords.rows()]
    (folder / "texts.txt").write_text("\n\n".join([*texts, *CHECK_PROMPTS * 40]))
    unitwords.library(folder / "library")
    with pytest.MonkeyPatch.context() as patch:
        for name, path in variables(folder).items():
            patch.setenv(name, path)
        text = ["--text", str(folder / "texts.txt")]
        assert run(["sae", "train", *text, *SIZES, "--out", str(folder / "sae")]) == 0
        unitwords.lay_answers(folder, max_tokens=96)
        where = ["--out", str(folder / "found"), "--cache", str(folder / "cache")]
        assert run(["mine", "--data", str(folder / "data.jsonl"), *where]) == 0
    return folder


def variables(folder):
    """What the commands are told once and for all."""
    return {
        "PROMPTFIX_MODEL": str(folder / "model"),
        "PROMPTFIX_SAE": str(folder / "sae"),
        "PROMPTFIX_DETECTORS": str(folder / "found"),
        "PROMPTFIX_ANNOTATIONS": str(folder / "library/annotations"),
    }


@pytest.fixture(autouse=True)
def _environment(own, monkeypatch):
    for name, path in variables(own).items():
        monkeypatch.setenv(name, path)


def test_the_sae_fits_the_model(capsys):
    """As `sae check` says, without a warning."""
    assert run(["sae", "check"]) == 0
    said = capsys.readouterr()
    assert float(re.match(r"([\d.]+)% of the variance explained", said.out)[1]) > 50
    assert "warning" not in said.err


def test_the_library_says_what_it_is_for(own):
    """Mining begins a folder with a lens named after the model, and a detector that may edit."""
    library = load(own / "found", own / "library/annotations")
    (detector,) = library.detectors
    assert library.lenses[detector.lens].model == own.name
    assert library.lenses[detector.lens].hook == "transformer.h.0"
    assert detector.status.value in {"measured", "trusted"}


def test_a_misread_prompt_gets_its_note(capsys):
    """From `ask`; a word that is known gets none."""
    assert run(["ask", QUESTION]) == 0
    assert f"+ {NOTE}" in capsys.readouterr().out
    assert run(["ask", QUESTION.replace("gross", "dozen")]) == 0
    assert "[Note:" not in capsys.readouterr().out


def test_the_endpoint_repairs_for_this_model(own):
    """A client of OpenAI's sees who answered and what was added."""
    with serving(Pipeline.load()) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused")
        reply = ask(client, QUESTION, max_tokens=8)
        assert [model.id for model in client.models.list()] == [own.name]
    assert reply.model == own.name
    assert reply.model_extra["promptfix"]["action"] == "repaired"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_readme_can_be_followed(tmp_path):
    """Its commands run as they stand, and in the end the prompt that it shows is repaired."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Use your own model")[1]
    commands, *_ = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    shutil.copytree(ROOT / "annotations", tmp_path / "annotations")
    (tmp_path / "eval").mkdir()
    shutil.copy(ROOT / "eval" / "own_model.py", tmp_path / "eval")
    here = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTFIX_")}
    script = "".join(f"{name}() {{ {call}; }}\n" for name, call in _programs().items()) + commands
    done = subprocess.run(  # noqa: S603
        ["bash", "-e", "-c", script],  # noqa: S607
        cwd=tmp_path,
        env=here | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    asked = done.stdout[done.stdout.index("repaired prompt") :]
    assert f"+ {NOTE}" in asked
    assert asked.rstrip().endswith(re.findall(r"Answer: \d+", section)[-1])


def _programs():
    python = Path(os.sys.executable)
    return {"python": f'{python} "$@"', "promptfix": f'{python} -m promptfix.cli "$@"'}
