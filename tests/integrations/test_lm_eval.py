"""lm-evaluation-harness against the service, with this project's tasks, from the README."""

import json
import subprocess

import pytest

from eval.gateways import peer
from tests.readme import ADDRESS, ROOT, block

MATHS = [
    {
        "id": "1",
        "question": "There are 3 quintets of dancers. How many dancers are there?",
        "answer": "15",
    },
    {"id": "2", "question": "Tom has 3 apples and gets 4 more. How many apples?", "answer": "7"},
    {"id": "3", "question": "Who is older?", "answer": "Ann"},
]
METAPHORS = [
    {"id": "1", "sentence": "The storm ate the village .", "target": "ate", "label": 1},
    {"id": "2", "sentence": "The dog ate the bone .", "target": "ate", "label": 0},
]
FILES = {
    "math/svamp-test": MATHS,
    "math/asdiv-all": MATHS,
    "math/mawps-test": MATHS,
    "metaphor/moh-x": METAPHORS,
}
CHOICES = """
task: choices
output_type: multiple_choice
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
doc_to_text: "{{question}}\\nAnswer:"
doc_to_choice: ["7", "a long tale"]
doc_to_target: 0
"""
"""A task for log-likelihoods, which text completions are asked for."""
TOKENIZER = ROOT / "promptfix" / "mini" / "weights" / "model"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder laid out as PROMPTFIX_DATA is, with made-up rows."""
    folder = tmp_path_factory.mktemp("data")
    for name, rows in FILES.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


@pytest.fixture
def harness(data, offline, tmp_path):
    """Run a shell command that calls `lm_eval`, and read the results that it writes."""

    def run(command):
        program = peer("lm_eval", "lm_eval")
        command = command.strip().replace("lm_eval run", f"{program} run --output_path {tmp_path}")
        env = offline | {"PROMPTFIX_DATA": str(data)}
        done = subprocess.run(  # noqa: S602 - as in the README
            command, shell=True, env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        (file,) = tmp_path.rglob("results_*.json")
        found = json.loads(file.read_text("utf-8"))
        file.unlink()
        return found

    return run


def test_the_readme_command(service, harness, actions):
    """All four tasks, unread, in the way of the README; items without a number are left out."""
    before = actions()
    command = block("sh", "lm_eval run").replace(ADDRESS, service.removeprefix("http://"))
    found = harness(command)
    assert {name: found["n-samples"][name]["effective"] for name in found["results"]} == {
        "promptfix_svamp": 2,
        "promptfix_asdiv": 2,
        "promptfix_mawps": 2,
        "promptfix_moh_x": 2,
    }
    assert all(0 <= result["correct,none"] <= 1 for result in found["results"].values())
    assert actions().get("skipped", 0) - before.get("skipped", 0) == 8


def test_prompts_are_repaired(service, harness, actions):
    """Without the switch the service reads, and mini answers a misread prompt better for it."""
    before = actions()
    command = block("sh", "lm_eval run").replace(ADDRESS, service.removeprefix("http://"))
    command = command.partition("  --gen_kwargs")[0].rstrip("\\\n ")
    found = harness(
        command.replace(
            "promptfix_svamp,promptfix_asdiv,promptfix_mawps,promptfix_moh_x", "promptfix_svamp"
        )
    )
    after = actions()
    assert sum(after.values()) - sum(before.values()) == 2
    assert after.get("repaired", 0) > before.get("repaired", 0)
    assert found["results"]["promptfix_svamp"]["correct,none"] > 0


def test_log_likelihoods(service, harness, data):
    """Text completions give those of a prompt's own tokens, as multiple choice needs them."""
    task = data / "choices" / "choices.yaml"
    task.parent.mkdir()
    task.write_text(CHOICES.replace("FILE", str(data / "math/svamp-test.jsonl")), "utf-8")
    found = harness(
        f"lm_eval run --model local-completions --include_path {task.parent} --tasks choices "
        f"--model_args base_url={service}/v1/completions,model=mini,tokenizer={TOKENIZER}"
    )
    assert found["results"]["choices"]["acc,none"] == 1
