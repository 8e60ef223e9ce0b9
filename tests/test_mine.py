"""`promptfix mine` on a tiny model whose answers are laid down in its cache."""

import json
import shutil
from pathlib import Path

import pytest

from promptfix.datafiles import REPORT, SIDECAR
from promptfix.evidence import doubts
from promptfix.lens import identify
from promptfix.library import check
from promptfix.library import load as load_library
from promptfix.mining.run import Job, answers_file, run
from promptfix.tasks import DataError
from tests import unitwords

ROOT = Path(__file__).resolve().parent.parent


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
    """The same command on the same data finds the same, and writes the same bytes over the old."""
    library, detectors = mined
    again = bench / "again"
    shutil.copytree(library, again)
    assert run(_job(bench, again), log=lambda _: None) == detectors
    assert _files(again) == _files(library)


def test_a_run_that_finds_nothing_takes_nothing_away(bench, mined, tmp_path):
    """Too few prompts to learn from leave the detectors and notes of an earlier run alone."""
    library = shutil.copytree(mined[0], tmp_path / "library")
    few = tmp_path / "few.jsonl"
    few.write_text("".join((bench / "data.jsonl").read_text().splitlines(keepends=True)[:40]))
    before = _files(library)
    assert run(_job(bench, library, data=(few,)), log=lambda _: None) == []
    report = next(name for name in before if name.endswith(REPORT))
    now = _files(library)
    assert json.loads(now.pop(report))["tasks"] == json.loads(before.pop(report))["tasks"]
    assert now == before


def test_notes_of_other_detectors_are_not_written_over(bench, mined, tmp_path):
    """A new folder of detectors takes a copy of the annotations, not what belongs to another."""
    library, _ = mined
    before = _files(library)
    job = _job(bench, library, out=tmp_path / "found")
    with pytest.raises(DataError, match="measured for detectors that are not in"):
        run(job, log=lambda _: None)
    assert _files(library) == before


def _with_answers(bench, tmp_path, gold):
    rows = map(json.loads, (bench / "data.jsonl").read_text().splitlines())
    rows = [row | {"answer": gold(row)} for row in rows]
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    library = tmp_path / "library"
    shutil.copytree(bench / "library", library)
    return _job(bench, library, data=(file,)), library


def test_answers_are_kept_apart_by_what_decides_them(bench):
    """Another chat template or number type is another file."""
    lens = identify(bench / "model", bench / "sae")
    other = lens.model_copy(update={"template_sha256": "0" * 64})
    kept = [(lens, "auto"), (other, "auto"), (lens, "bfloat16")]
    assert len({answers_file(*one) for one in kept}) == 3


def test_one_answer_for_all_is_refused(bench, tmp_path):
    """Nothing can be learnt where every answer is the same, and nothing is written."""
    job, library = _with_answers(bench, tmp_path, lambda _: "7")
    before = _files(library)
    with pytest.raises(DataError, match="same answer"):
        run(job, log=lambda _: None)
    assert _files(library) == before


GOLD = {
    "wrong": lambda row: str(5000 + int(row["id"][1:])),
    "right": lambda row: unitwords.say(row, row["question"]).removeprefix("Answer: "),
}


@pytest.mark.parametrize("gold", GOLD.values(), ids=GOLD)
def test_a_model_that_gets_everything_wrong_or_right_is_refused(bench, tmp_path, gold):
    """There is no uplift to learn from, and the error says so; nothing is written."""
    job, library = _with_answers(bench, tmp_path, gold)
    before = _files(library)
    with pytest.raises(DataError, match="all right or all wrong"):
        run(job, log=lambda _: None)
    assert _files(library) == before


@pytest.mark.parametrize("content", ["", '{"task": "poetry", "text": "x"}', '{"question": "How?"}'])
def test_data_without_labels_is_refused(bench, tmp_path, content):
    """Empty files, unknown tasks and missing answers are one sentence that names the file."""
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match=r"bad\.jsonl"):
        run(_job(bench, bench / "library", data=(file,)), log=lambda _: None)
