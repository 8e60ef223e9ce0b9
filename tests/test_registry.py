"""sae-lens' registry is read without importing it, and what is imported says where it is from."""

import subprocess
import sys

import pytest

from promptfix.cli import run
from promptfix.errors import MicroscopeError
from promptfix.hub import sae_folder
from promptfix.saefile import SaeConfig
from promptfix.training.registry import import_sae, published
from tests.tiny import save_sae

NAME = "gpt2-small-res-jb/blocks.8.hook_resid_pre"
COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Hugging Face cache that has one SAE of the registry, at tiny widths."""
    sae = next(sae for sae in published("gpt2-small") if sae.name == NAME)
    repo = tmp_path / "hub" / f"models--{sae.repo.replace('/', '--')}"
    save_sae(repo / "snapshots" / COMMIT / sae.path, "standard", hook="blocks.8.hook_resid_pre")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_listing_is_quick():
    """sae_lens is not imported for it, nor torch's heavy companions."""
    code = (
        "import sys; from promptfix.cli import run; run(['sae', 'list', '--model', 'gemma-3-1b']); "
        "print(sorted({'sae_lens', 'transformer_lens', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    *listed, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert len(listed) > 20
    assert all("gemma-3-1b" in line or "gemma-scope-2-1b" in line for line in listed)


def test_models_are_found_by_any_part_of_their_name():
    """Organisations and capitals do not matter; what reads other places is told apart."""
    found = published("google/Gemma-2-9b")
    assert {"gemma-scope-9b-it-res", "gemma-scope-9b-pt-res"} <= {sae.release for sae in found}
    assert not any(sae.residual for sae in found if sae.release.endswith("-mlp"))
    assert published("no-such-model") == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cache")
def test_an_import_says_where_it_is_from(capsys):
    """Release, revision, hashes and own figures; and `--sae` then knows it by its name."""
    assert run(["sae", "import", NAME]) == 0
    folder = sae_folder(NAME)
    assert "standard, 64 features at blocks.8.hook_resid_pre" in capsys.readouterr().out
    metadata = SaeConfig.load(folder).metadata
    assert (metadata["release"], metadata["revision"]) == ("gpt2-small-res-jb", COMMIT)
    assert metadata["repo_id"]
    assert len(metadata["weights_sha256"]) == 64
    assert metadata["neuronpedia_id"] == "gpt2-small/8-res-jb"


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_here_is_named_exactly(cache, monkeypatch):
    """With the command that downloads it; nothing half done is left."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    other = "gpt2-small-res-jb/blocks.9.hook_resid_pre"
    with pytest.raises(
        MicroscopeError, match=r"hf download \S+ --include 'blocks.9.hook_resid_pre"
    ):
        import_sae(other, cache / "out")
    assert not (cache / "out").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no-such/sae", "promptfix sae list"),
        ("gemma-scope-2b-pt-mlp-canonical/layer_0/width_16k/canonical", "residual stream"),
    ],
)
def test_what_is_of_no_use_is_refused_before_anything_is_fetched(tmp_path, name, message):
    """Unknown names, and SAEs that read another place."""
    with pytest.raises(MicroscopeError, match=message):
        import_sae(name, tmp_path)


def test_a_name_without_a_release_is_no_name(capsys):
    """It is told what a name is."""
    assert run(["sae", "import", "gemma"]) == 2
    assert "gemma is no RELEASE/SAE_ID" in capsys.readouterr().err


def test_every_entry_of_the_registry_can_be_read():
    """Thousands of them, all with a release, an id, a model and a repository."""
    everything = published()
    assert len(everything) > 10_000
    assert all(sae.release and sae.sae_id and sae.model and sae.repo for sae in everything)
