"""The README's examples of a service and its clients are run as they stand."""

import json
import shutil
import subprocess

import pytest

from promptfix.assembly import EMBEDDED
from promptfix.hub import model_name
from promptfix.pipeline import Pipeline
from tests.readme import ADDRESS, ROOT, blocks
from tests.serving import CLIENT, serving

PYTHON = blocks("python")
CURL = [text for text in blocks("sh") if text.startswith("curl")]


@pytest.fixture(scope="module")
def address():
    """The address of a service with the embedded model, without http://."""
    with serving(Pipeline.load()) as url:
        yield url.removeprefix("http://")


@pytest.mark.parametrize("text", PYTHON, ids=range(len(PYTHON)))
def test_python(text, address, monkeypatch, capsys):
    """Clients that name no address are OpenAI's, which the environment sends to the service."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{address}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    exec(compile(text.replace(ADDRESS, address), "README.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("text", CURL)
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(text, address):
    """The answer has the whole trace, as the example asks for."""
    command = text.replace(ADDRESS, address)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert '"near_misses"' in done.stdout


def test_the_embedded_model_is_called_mini(address):
    """By the service, by the detectors' lens and by its folder, as in the examples."""
    listed = CLIENT.get(f"http://{address}/v1/models").json()["data"]
    lenses = json.loads((ROOT / "detectors/lenses.json").read_text("utf-8"))["lenses"]
    named = {lens["model"] for lens in lenses.values()}
    assert (
        {model["id"] for model in listed} == named == {model_name(EMBEDDED / "model")} == {"mini"}
    )
    assert 'model="mini"' in "".join(PYTHON)


def test_there_are_examples():
    """Of each way in."""
    together = "".join(PYTHON)
    assert CURL
    for words in ("base_url=", "promptfix.wrap(", "trace_of(", "Pipeline.load()"):
        assert words in together
