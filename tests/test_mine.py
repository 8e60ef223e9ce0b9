"""`promptfix mine` on a tiny model whose answers are laid down in its cache."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from promptfix.datafiles import SIDECAR
from promptfix.evidence import doubts
from promptfix.library import check
from promptfix.library import load as load_library
from promptfix.microscope import Microscope
from promptfix.mining.run import Job, run
from promptfix.mining.writing import CHECK_PROMPTS
from promptfix.network import load_network
from promptfix.records import Prompt
from promptfix.sae import Sae
from promptfix.tasks import DataError
from tests import unitwords
from tests.tiny import save_model, save_sae

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A model, an SAE, data, a library without detectors, and a cache of answers."""
    folder = tmp_path_factory.mktemp("mine")
    save_model(folder / "model", max_position_embeddings=1024)
    _fit(folder / "model", save_sae(folder / "sae", hook="model.layers.0"))
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, unitwords.rows())))
    unitwords.library(folder / "library")
    unitwords.lay_answers(folder, max_tokens=4)
    return folder


def _fit(model, sae):
    """Give a random SAE the decoder that fits the model best, since others are refused."""
    texts = [Prompt(text=row["question"]) for row in list(unitwords.rows())[:60]]
    texts += [Prompt(text=text) for text in CHECK_PROMPTS]
    loaded = Sae.load(sae)
    microscope = Microscope(load_network(model), loaded, "fit")
    x = torch.cat([residual for _, residual in microscope.residuals(texts)])
    weights = load_file(sae / "sae_weights.safetensors")
    weights["W_dec"] = torch.linalg.lstsq(
        loaded.encode(x), x - weights["b_dec"]
    ).solution.contiguous()
    save_file(weights, sae / "sae_weights.safetensors")


def _job(bench, library, **changes):
    usual = {
        "model": bench / "model",
        "sae": bench / "sae",
        "data": (bench / "data.jsonl",),
        "out": library / "detectors",
        "annotations": library / "annotations",
        "cache": bench / "cache",
        "max_tokens": 4,
        "null_runs": 19,
        "texts": 40,
    }
    return Job(**(usual | changes))


@pytest.fixture(scope="module")
def mined(bench):
    """What one run writes."""
    library = bench / "mined"
    shutil.copytree(bench / "library", library)
    return library, run(_job(bench, library), log=lambda _: None)


def _files(library):
    found = sorted(p for p in library.rglob("*") if p.is_file())
    return {str(p.relative_to(library)): p.read_bytes() for p in found if SIDECAR not in p.name}


def test_what_is_misread_is_found(mined):
    """The detector fires on a gross and not on a dozen, harms nothing, and matches no null."""
    library, detectors = mined
    (detector,) = detectors
    known = load_library(library / "detectors", library / "annotations")
    measured = known.measurements[detector.id]
    seen = measured.calibration
    assert seen.repaired > 0.8 * seen.prompts / 2
    assert seen.harmed == 0
    assert seen.annotated < 0.6 * seen.prompts
    assert measured.null.matched == 0
    assert measured.library == seen
    assert doubts(measured, None) == []


def test_everything_written_holds_together(mined):
    """The folder passes `promptfix check`, and nothing half-written is left."""
    library, _ = mined
    check(library / "detectors", library / "annotations")
    assert not list(library.rglob("*.tmp"))


def test_what_was_done_to_it_is_written_down(mined):
    """Falsification, cause and selection are in the measurement, dates only in the sidecar."""
    library, (detector,) = mined
    known = load_library(library / "detectors", library / "annotations")
    measured = known.measurements[detector.id]
    assert measured.falsification.lookup.annotated > measured.calibration.annotated
    assert measured.cause.fired > 0
    assert measured.selection.repaired > 0
    sidecar = json.loads((library / f"detectors/{detector.lens}{SIDECAR}").read_text())
    assert sidecar["date"][:2] == "20"
    assert not any(sidecar["date"][:10].encode() in data for data in _files(library).values())


def test_equal_runs_write_equal_files(bench, mined):
    """The same command on the same data writes the same bytes, in a new folder and over the old."""
    library, _ = mined
    again = bench / "again"
    shutil.copytree(bench / "library", again)
    run(_job(bench, again), log=lambda _: None)
    assert _files(again) == _files(library)
    run(_job(bench, again), log=lambda _: None)
    assert _files(again) == _files(library)


def _only(bench, tmp_path, **changes):
    rows = [json.loads(line) | changes for line in (bench / "data.jsonl").read_text().splitlines()]
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    library = tmp_path / "library"
    shutil.copytree(bench / "library", library)
    return _job(bench, library, data=(file,)), library


def test_one_answer_for_all_is_refused(bench, tmp_path):
    """Nothing can be learnt where every answer is the same, and nothing is written."""
    job, library = _only(bench, tmp_path, answer="7")
    before = _files(library)
    with pytest.raises(DataError, match="same answer"):
        run(job, log=lambda _: None)
    assert _files(library) == before


def test_a_model_that_gets_everything_wrong_is_refused(bench, tmp_path):
    """There is no uplift to learn from, and the error says so; no detector is written."""
    rows = [json.loads(line) for line in (bench / "data.jsonl").read_text().splitlines()]
    file = tmp_path / "wrong.jsonl"
    wrong = [row | {"answer": str(5000 + n)} for n, row in enumerate(rows)]
    file.write_text("\n".join(map(json.dumps, wrong)))
    library = tmp_path / "library"
    shutil.copytree(bench / "library", library)
    with pytest.raises(DataError, match="all right or all wrong"):
        run(_job(bench, library, data=(file,)), log=lambda _: None)
    assert not list(library.rglob("*.measured.json"))


@pytest.mark.parametrize("content", ["", '{"task": "poetry", "text": "x"}', '{"question": "How?"}'])
def test_data_without_labels_is_refused(bench, tmp_path, content):
    """Empty files, unknown tasks and missing answers are one sentence that names the file."""
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match=r"bad\.jsonl"):
        run(_job(bench, bench / "library", data=(file,)), log=lambda _: None)
