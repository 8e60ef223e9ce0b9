"""An SAE of one's own: trained on what promptfix looks at, resumed, measured, ready to use."""

import json
import shutil
from itertools import islice

import pytest
import torch

from promptfix.chat import encode
from promptfix.cli import run
from promptfix.health import measure
from promptfix.hooks import Tap
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.training.activations import Activations
from promptfix.training.documents import (
    Document,
    TextError,
    from_files,
    from_turn,
    read_texts,
)
from promptfix.training.sae import keep_features
from tests.tiny import TEMPLATE, TEXTS, WIDTH, save_model

K, FEATURES, STEPS = 8, 64, 60
SIZES = f"--width {FEATURES} --k {K} --samples {256 * STEPS} --batch 256 --rate 0.01".split()


def write_texts(folder, count=200):
    """Texts of a few sentences each, apart by blank lines."""
    texts = [f"{TEXTS[i % 3]}\nThere are {i} of them." for i in range(count)]
    file = folder / "texts.txt"
    file.write_text("\n\n".join(texts))
    return file


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def trained(request, tmp_path_factory):
    """Two layers in one pass, with the command."""
    folder = tmp_path_factory.mktemp("own")
    template = TEMPLATE if request.param == "llama" else None
    model = save_model(folder / "model", request.param, template)
    text = write_texts(folder)
    layers = ["--layer", "0", "--layer", "1"]
    paths = ["--model", str(model), "--text", str(text), "--out", str(folder / "sae")]
    assert run(["sae", "train", *paths, *layers, *SIZES, "--buffer", "2048"]) == 0
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", [0, 1])
def test_an_sae_is_trained_for_each_layer(trained, layer):
    """It loads, says what it reads and how good it is, and as many features fire as asked for."""
    network, folder = load_network(trained / "model", "cpu"), trained / "sae" / f"layer-{layer}"
    sae = Sae.load(folder, d_in=network.width)
    assert (sae.config.architecture, sae.config.d_sae) == ("jumprelu", FEATURES)
    assert sae.config.hook.endswith(f".{layer}")
    assert sae.config.hook in dict(network.model.named_modules())
    quality = json.loads((folder / "quality.json").read_text())
    assert quality["l0"] == pytest.approx(K, rel=0.25)
    assert 0 < quality["explained_variance"] < 1
    assert quality["positions"] > 50
    metadata = json.loads((folder / "cfg.json").read_text())["metadata"]
    assert metadata["l0"] == quality["l0"]
    assert metadata["explained_variance"] == quality["explained_variance"]
    assert not (trained / "sae.checkpoints").exists()


def test_what_was_measured_is_seen_again(trained):
    """The report's figures are those of the microscope on the same kind of text."""
    network, folder = load_network(trained / "model", "cpu"), trained / "sae" / "layer-1"
    quality = json.loads((folder / "quality.json").read_text())
    found = measure(network, folder, list(read_texts(trained / "texts.txt"))[:100])
    assert found.l0 == pytest.approx(quality["l0"], rel=0.2)
    assert 1 - found.unexplained == pytest.approx(quality["explained_variance"], abs=0.1)


@pytest.mark.filterwarnings("ignore")
def test_features_that_hardly_fire_can_be_left_out(trained, tmp_path):
    """Those that stay fire as before, in their order, and the folder still loads as an SAE."""
    folder = shutil.copytree(trained / "sae" / "layer-1", tmp_path / "fewer")
    before, x = Sae.load(folder), torch.randn(50, WIDTH) * 3
    counts = torch.arange(FEATURES).flip(0)
    keep_features(folder, counts, 40)
    after = Sae.load(folder)
    assert after.config.d_sae == 40
    torch.testing.assert_close(after.encode(x), before.encode(x)[:, :40])
    keep_features(folder, counts[:40].flip(0), 10)
    torch.testing.assert_close(Sae.load(folder).encode(x), before.encode(x)[:, 30:40])


def test_an_interrupted_training_goes_on(tmp_path, monkeypatch, capsys):
    """From its last checkpoint, past the texts it has read; another plan is refused."""
    model, text = save_model(tmp_path / "model"), write_texts(tmp_path)
    paths = ["--model", str(model), "--text", str(text), "--out", str(tmp_path / "sae")]
    command = ["sae", "train", *paths, "--layer", "1", *SIZES, "--buffer", "512"]
    handed_out, skipped, next_batch = [], [], Activations.__next__

    def stop_after(count):
        def batch(self):
            if len(handed_out) == count:
                raise KeyboardInterrupt
            handed_out.append(1)
            return next_batch(self)

        monkeypatch.setattr(Activations, "__next__", batch)

    skip = Activations.skip
    monkeypatch.setattr(Activations, "skip", lambda self, n: (skipped.append(n), skip(self, n)))
    stop_after(50)
    assert run(command) == 130
    assert len(list((tmp_path / "sae.checkpoints").iterdir())) == 1
    assert run([*command, "--seed", "1"]) == 2
    assert "another plan" in capsys.readouterr().err
    stop_after(None)
    handed_out.clear()
    assert run(command) == 0
    assert len(handed_out) < STEPS - 20
    assert skipped[0] > 0
    assert Sae.load(tmp_path / "sae").config.d_sae == FEATURES


def test_activations_are_those_that_the_microscope_looks_at(tmp_path):
    """User tokens and the read-out, of several layers the same rows, in bounded memory."""
    network = load_network(save_model(tmp_path / "model"), "cpu")
    corpus = from_files([write_texts(tmp_path)], network.tokenizer, network.context)
    hooks = ["model.layers.0", "model.layers.1"]
    stream = Activations(network, corpus.stream(), hooks, batch=32, buffer=256)
    batch = next(stream)
    assert {hook: rows.shape for hook, rows in batch.items()} == dict.fromkeys(hooks, (32, WIDTH))
    first = next(corpus.stream())
    chat = encode(network.tokenizer, Prompt(text=next(read_texts(tmp_path / "texts.txt"))))
    assert list(first.looked_at) == chat.looked_at
    tap = Tap(network.model, hooks[1])
    wanted = network.read(chat.ids, None, tap).residual[chat.looked_at]
    everything = torch.cat([rows[hooks[1]] for rows in islice(stream, 800)])
    exact = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(wanted, everything, compute_mode=exact).amin(1)
    assert float(distances.max()) < 1e-3
    assert stream.read < 4000


def test_held_out_texts_are_never_trained_on(tmp_path):
    """One of twenty, in every pass."""
    words = load_network(save_model(tmp_path / "model"), "cpu").tokenizer
    corpus = from_files([write_texts(tmp_path)], words, 160)
    held = {tuple(document.ids) for document in corpus.held}
    seen = {tuple(document.ids) for document in islice(corpus.stream(), 500)}
    assert len(held) == 10
    assert len(seen) == 190
    assert not held & seen


def test_of_a_turn_with_a_reply_the_template_counts_nowhere():
    """But for the read-out, which is the template's last token."""
    document = from_turn([1, 7, 8, 2, 3], [9, 2], frozenset({1, 2, 3}))
    assert document == Document([1, 7, 8, 2, 3, 9, 2], [1, 2, 4, 5], 3)


@pytest.mark.parametrize(
    ("content", "name", "texts"),
    [
        ("One.\nTwo.\n\n\nThree.\n", "a.txt", ["One.\nTwo.", "Three."]),
        ('{"text": "One"}\n{"question": "Two?", "gold": 2}\n', "a.jsonl", ["One", "Two?"]),
        ("", "a.txt", []),
    ],
)
def test_texts_are_read_from_paragraphs_and_json_lines(tmp_path, content, name, texts):
    """Blank lines part texts; a line of JSON has its text under one of three keys."""
    (tmp_path / name).write_text(content)
    assert list(read_texts(tmp_path / name)) == texts


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"{broken\n", "a.jsonl", "a.jsonl:1.*mend the line"),
        (b'{"text": "a"}\n{"words": "b"}\n', "a.jsonl", "a.jsonl:2"),
        (b"\xff\xfe broken", "a.txt", "UTF-8"),
    ],
)
def test_a_text_file_that_cannot_be_read_is_named(tmp_path, content, name, message):
    """With the line."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=message):
        list(read_texts(tmp_path / name))


def test_too_few_texts_are_refused(tmp_path):
    """Nothing could be held out."""
    words = load_network(save_model(tmp_path / "model"), "cpu").tokenizer
    with pytest.raises(TextError, match="fewer than 20"):
        from_files([write_texts(tmp_path, 19)], words, 160)


def test_texts_longer_than_the_context_are_cut(tmp_path):
    """Between words, and nothing is too long for the model."""
    words = load_network(save_model(tmp_path / "model"), "cpu").tokenizer
    (tmp_path / "a.txt").write_text("\n\n".join(["Tom has apples and eggs. " * 80] * 40))
    corpus = from_files([tmp_path / "a.txt"], words, 160)
    some = list(islice(corpus.stream(), 100))
    assert all(len(document.ids) < 160 for document in some)
    assert sum(len(document.ids) for document in some) > 100 * 60
