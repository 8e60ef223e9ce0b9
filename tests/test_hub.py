"""Names of models and SAEs are found in local caches, and what is missing is named."""

import shutil

import pytest

from promptfix.assembly import EMBEDDED
from promptfix.errors import MicroscopeError
from promptfix.hub import imported, model_folder, model_name, sae_folder
from promptfix.lens import identify
from promptfix.network import load_network
from tests.tiny import save_model, save_sae

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Hugging Face cache with one model, as `hf download` leaves it."""
    home = tmp_path / "hub"
    repo = home / "models--org--tiny-it"
    save_model(repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home))
    return home


@pytest.mark.parametrize("name", ["org/tiny-it", "org/tiny-it@main", f"org/tiny-it@{COMMIT}"])
def test_a_model_of_the_hub_is_found_in_the_cache(cache, name):
    """With and without a revision, and it is called by its name, not by its commit."""
    folder = model_folder(name)
    assert folder == cache / "models--org--tiny-it" / "snapshots" / COMMIT
    assert model_name(folder) == "org/tiny-it"
    assert load_network(name, "cpu").width == 32
    assert identify(folder, save_sae(cache / "sae")).model == "org/tiny-it"


def test_a_folder_is_called_by_what_says_something():
    """The embedded model lies in mini/weights/model."""
    assert model_name(EMBEDDED / "model") == "mini"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("org/other", "hf download org/other"),
        ("org/tiny-it@v9", "hf download org/tiny-it --revision v9"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_model_that_is_not_there_is_refused_with_the_command_that_gets_it(name, command):
    """Nothing is asked of the network."""
    with pytest.raises(MicroscopeError, match=f"run `{command}`"):
        model_folder(name)


def test_a_folder_goes_before_a_name(tmp_path, monkeypatch):
    """A relative folder may look like a name."""
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "org" / "mine")
    assert model_folder("org/mine").is_dir()
    shutil.rmtree(tmp_path / "org")
    for nowhere in (tmp_path / "nowhere", "../nowhere"):
        with pytest.raises(MicroscopeError, match="no folder"):
            model_folder(nowhere)


def test_an_imported_sae_is_found_by_its_registry_name(tmp_path, monkeypatch):
    """Before that, the message says how to import it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    name = "some-res-16k/blocks.3.hook_resid_post"
    with pytest.raises(MicroscopeError, match=f"promptfix sae import {name}"):
        sae_folder(name)
    kept = save_sae(imported(*name.split("/")))
    assert sae_folder(name) == kept
    assert sae_folder(kept) == kept
    with pytest.raises(MicroscopeError, match="give a folder"):
        sae_folder("nowhere")
