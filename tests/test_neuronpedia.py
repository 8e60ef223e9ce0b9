"""Readings are imported from export files whatever else is in them, and keep their source."""

import gzip
import json
import re
import shutil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptfix.assembly import EMBEDDED
from promptfix.cli import run
from promptfix.neuronpedia import ExportError, _line, import_readings, load_readings
from tests.tiny import save_sae

SOURCE = {"modelId": "tiny", "layer": "1-res-64"}


def line(index, description, **more):
    return SOURCE | {"index": index, "description": description} | more


@pytest.fixture
def sae(tmp_path):
    return save_sae(tmp_path / "sae", extra={"neuronpedia_id": "tiny/1-res-64"})


def write(folder, lines, name="batch-0.jsonl"):
    content = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    file = folder / name
    file.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    return file


@pytest.mark.parametrize("name", ["batch-0.jsonl", "batch-0.jsonl.gz"])
def test_readings_are_kept_with_their_source(tmp_path, sae, name):
    """Feature numbers come as text; what is no reading of this SAE is counted."""
    lines = [
        line("3", "words\n about  storms", explanationModelName="some-model"),
        line(7, "numbers"),
        line("64", "beyond the last feature"),
        line("5", ""),
        "{broken",
        "[1, 2]",
        line("3", "another reading of the same"),
    ]
    done = import_readings([write(tmp_path, lines, name)], sae)
    assert (done.readings, done.skipped) == (2, 4)
    assert load_readings(sae) == {3: "words about storms", 7: "numbers"}
    kept = json.loads((sae / "readings.json").read_text())["sources"]
    assert kept[0]["file"] == name
    assert kept[0]["explained_by"] == ["some-model"]
    assert kept[0]["sae"] == ["tiny/1-res-64"]


def test_a_list_is_read_too(tmp_path, sae):
    """Some exports are one JSON list."""
    file = tmp_path / "all.json"
    file.write_text(json.dumps([line("1", "a"), line("2", "b"), 3]))
    assert import_readings([file], sae).readings == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line("1", "a") | {"layer": "2-res-64"}], "is about tiny/2-res-64"),
        (["nothing of the kind"], "no explanation"),
        ([], "no explanation"),
    ],
)
def test_an_export_of_something_else_is_refused(tmp_path, sae, lines, message):
    """Of another layer, or no export at all; nothing is written."""
    with pytest.raises(ExportError, match=message):
        import_readings([write(tmp_path, lines)], sae)
    assert load_readings(sae) == {}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"no gzip", "a.jsonl.gz"),
        (gzip.compress(b"{}")[:10] + b"\xff" * 20, "a.jsonl.gz"),
        (b"\xff\xfe", "a.jsonl"),
        (b"[1,", "a.json"),
    ],
)
def test_a_damaged_file_is_refused_and_named(tmp_path, sae, content, name):
    """Truncated, packed wrongly or not text."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=name):
        import_readings([tmp_path / name], sae)


@example(entry={"description": "\x1b", "index": 0})
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["index", "description", "modelId", "layer", "x"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=8,
    )
)
def test_no_line_breaks_the_import(entry):
    """Whatever JSON it is: a reading of one printable line, or none."""
    found = _line(entry)
    assert found is None or (found.feature >= 0 and found.text.isprintable() and found.text)


def test_inspect_shows_imported_readings(tmp_path, capsys):
    """Of the features that it shows."""
    sae = shutil.copytree(EMBEDDED / "sae", tmp_path / "sae")
    export = write(tmp_path, [{"index": str(n), "description": f"told {n}"} for n in range(4096)])
    assert run(["sae", "readings", str(export), "--sae", str(sae)]) == 0
    assert "4096 readings kept" in capsys.readouterr().out
    assert run(["inspect", "--top", "1", "--sae", str(sae), "Tom has two apples."]) == 0
    told = re.findall(r"^(\d+): told (\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert told
    assert all(feature == number for feature, number in told)
