"""Small networks compute the same with packed weights."""

from pathlib import Path

import pytest
import torch

from promptfix import packing
from promptfix.network import Network, load_network
from promptfix.packing import is_small, pack
from tests.tiny import save_model

IDS = ([3], [5, 9, 4, 7, 8], [6, 4] * 30)


@pytest.fixture(params=["llama", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny model: GPT-2's layers are no linear layers to torch, and stay as they are."""
    return save_model(tmp_path, request.param)


def answers(network: Network) -> list[torch.Tensor]:
    """What comes next after prompts of several lengths."""
    return [network.read(ids).logits for ids in IDS]


def test_packing_changes_no_result(folder: Path) -> None:
    """A packed network predicts what the plain one does, but for rounding."""
    plain, packed = (load_network(folder, device="cpu") for _ in range(2))
    pack(packed.model)
    for expected, found in zip(answers(plain), answers(packed), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_only_float32_is_packed(folder: Path) -> None:
    """Other types have what they need in torch: their results stay the same to the bit."""
    network = load_network(folder, device="cpu", dtype="bfloat16")
    expected = answers(network)
    pack(network.model)
    assert all(map(torch.equal, answers(network), expected))


def test_what_is_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted in parameters."""
    model = load_network(folder, device="cpu").model
    assert is_small(model)
    monkeypatch.setattr(packing, "SMALL", sum(map(torch.numel, model.parameters())))
    assert not is_small(model)
