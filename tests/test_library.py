"""Data files are loaded all or nothing, with every problem in one report."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from promptfix.cases import digest
from promptfix.datafiles import find
from promptfix.errors import LibraryError, Problem
from promptfix.formats import Case, Status, Weighted
from promptfix.library import Library, check, load

ROOT = Path(__file__).parents[1]
LENS = {
    "model": "tiny",
    "sae": "tiny",
    "model_sha256": "0" * 64,
    "sae_sha256": "1" * 64,
    "tokenizer_sha256": "2" * 64,
    "template_sha256": "3" * 64,
    "layer": 1,
    "hook": "model.layers.1",
    "d_in": 8,
    "d_sae": 64,
}
PROVENANCE = {"author": "promptfix", "created": "2026-11-21", "found_by": "a test"}
DETECTOR = {
    "id": "gross",
    "version": 1,
    "misunderstanding": "unit",
    "lens": "tiny",
    "scope": "lexical",
    "status": "measured",
    "rule": {
        "kind": "weighted",
        "terms": [{"feature": 4, "weight": 1, "at": "user"}],
        "bias": 0,
        "threshold": 1.5,
    },
    "readings": {"4": "unit words"},
    "provenance": PROVENANCE,
}
OUTCOMES = {"prompts": 1000, "annotated": 100, "repaired": 50, "harmed": 4}
SOURCE = {"command": "promptfix mine", "data": {"train": "a" * 64}, "seeds": [1]}
MEASURED = {
    "detector": "gross@1",
    "lens": "tiny",
    "annotation": "unit-a@1",
    "calibration": OUTCOMES,
    "harm": {"at_most": 0.0092, "confidence": 0.95},
    "source": SOURCE,
}
ANNOTATION = {
    "id": "unit-a",
    "version": 1,
    "misunderstanding": "unit",
    "task": "math",
    "placement": "end",
    "template": "{statement}",
    "filler": "unit-word",
    "provenance": PROVENANCE,
}
CASES = [
    case
    for n in range(5)
    for case in (
        {"id": f"fire-{n}", "prompt": f"How many are {n} gross of pens?", "expect": "fire"},
        {
            "id": f"quiet-{n}",
            "prompt": f"How many are {n} pens?",
            "expect": "quiet",
            "pair_of": f"fire-{n}",
        },
    )
]
RECORDED = {
    "$schema": "../recorded.schema.json",
    "lens": "tiny",
    "cases": digest(map(Case.model_validate, CASES)),
    "detectors": {
        "gross@1": {
            "fire": {"n": 5, "fired": 5},
            "quiet": {"n": 5, "fired": 0},
            "fired": {str(case["id"]): case["expect"] == "fire" for case in CASES},
        }
    },
}
UPLIFT = {"annotation": "unit-a@1", "lens": "tiny", "calibration": OUTCOMES, "source": SOURCE}


class Folders:
    """A complete library on disk, for a test to damage."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("detectors/lenses.json", {"lenses": {"tiny": LENS}})
        self.write("detectors/unit/gross.json", DETECTOR)
        self.write("detectors/unit/gross.measured.json", MEASURED)
        self.write("detectors/unit/tiny.recorded.json", RECORDED)
        self.write_lines("detectors/unit/cases.jsonl", CASES)
        self.write("annotations/unit-a.json", ANNOTATION)
        self.write("annotations/measured/unit-a.tiny.json", UPLIFT)
        self.write("annotations/tables/units.json", {"gross": {"value": 144, "text": "144"}})

    def write(self, name: str, content: object) -> None:
        """Write a file as JSON."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), "utf-8")

    def write_lines(self, name: str, lines: Iterable[object]) -> None:
        """Write a file with one JSON value a line."""
        (self.root / name).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    def change(self, name: str, **keys: object) -> None:
        """Set keys of a file; None takes one away."""
        content: dict[str, Any] = json.loads((self.root / name).read_text("utf-8")) | keys
        self.write(name, {key: value for key, value in content.items() if value is not None})

    def load(self, tables: Path | None = None) -> Library:
        """Load what is there."""
        return load(self.root / "detectors", self.root / "annotations", tables)

    def problems(self) -> list[Problem]:
        """What is reported when it is loaded, all of which `check` reports too."""
        with pytest.raises(LibraryError) as loaded:
            self.load()
        assert set(loaded.value.problems) <= set(self.checked())
        return list(loaded.value.problems)

    def checked(self) -> list[Problem]:
        """What `check` reports, which holds the files against their schemas too."""
        with pytest.raises(LibraryError) as caught:
            check(self.root / "detectors", self.root / "annotations")
        return list(caught.value.problems)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A library without a fault."""
    return Folders(tmp_path)


def test_a_sound_library_loads(folders: Folders) -> None:
    """All files become one value, and check agrees with load."""
    library = folders.load()
    (detector,) = library.detectors_for("tiny")
    assert detector.status is Status.measured
    assert isinstance(detector.rule, Weighted)
    annotation = library.annotation_for("unit", "tiny")
    assert annotation is not None
    assert library.uplift(annotation, "tiny") == pytest.approx(0.46)
    assert library.uplift(annotation, "other") is None
    assert library.detectors_for("tiny", disabled=["gross"]) == ()
    assert check(folders.root / "detectors", folders.root / "annotations") == library


def test_the_digest_names_the_content(folders: Folders, tmp_path: Path) -> None:
    """The digest is the same elsewhere and in another layout, and changes with a value."""
    before = folders.load().digest
    assert len(before) == 12
    shutil.copytree(folders.root / "detectors", tmp_path / "else/d")
    path = tmp_path / "else/d/unit/gross.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4))
    assert load(tmp_path / "else/d", folders.root / "annotations").digest == before
    folders.change("detectors/unit/gross.json", readings={"4": "other words"})
    assert folders.load().digest != before


def test_own_tables_go_before_the_librarys(folders: Folders, tmp_path: Path) -> None:
    """A folder of own tables adds entries and overrides the library's."""
    own = {"gross": {"value": 7, "text": "a gross is 7"}, "fistful": {"value": 5, "text": "five"}}
    folders.write("mine/units.json", own)
    library = folders.load(tmp_path / "mine")
    annotation = library.annotations[0]
    assert library.fill(annotation, "How many are two gross?", None) is not None
    assert library.tables.units["gross"].value == 7
    assert set(library.tables.units) == {"gross", "fistful"}
    assert library.digest != folders.load().digest


FAULTS: list[tuple[str, dict[str, object], str, str]] = [
    ("detectors/unit/gross.json", {"colour": "red"}, "$.colour", "remove"),
    ("detectors/unit/gross.json", {"version": None}, "$.version", "add the key"),
    ("detectors/unit/gross.json", {"version": "1"}, "$.version", "schema"),
    ("detectors/unit/gross.json", {"id": "other"}, "$.id", "same"),
    ("detectors/unit/gross.json", {"misunderstanding": "units"}, "$.misunderstanding", "folder"),
    ("detectors/unit/gross.json", {"lens": "unknown"}, "$.lens", "lenses.json"),
    ("detectors/unit/gross.json", {"readings": {"4": "x", "5": "y"}}, "$", "schema"),
    ("detectors/unit/gross.json", {"status": "proven"}, "$.status", "schema"),
    ("detectors/unit/gross.json", {"version": 2}, "$.status", "experimental"),
    ("detectors/unit/gross.measured.json", {"lens": "other"}, "$.detector", "measure again"),
    ("detectors/unit/gross.measured.json", {"detector": "gross@2"}, "$.detector", "measure again"),
    ("annotations/unit-a.json", {"filler": "magic"}, "$.filler", "unit-word"),
    ("annotations/unit-a.json", {"template": "{wrong}"}, "$.template", "statement"),
    ("annotations/unit-a.json", {"template": "{value!r}"}, "$.template", "schema"),
    ("annotations/unit-a.json", {"template": "a [b]"}, "$.template", "schema"),
    ("annotations/unit-a.json", {"misunderstanding": "other"}, "$.misunderstanding", "add one"),
    ("annotations/measured/unit-a.tiny.json", {"lens": "big"}, "$.lens", "call the file"),
    ("annotations/measured/unit-a.tiny.json", {"annotation": "b@1"}, "$.annotation", "measure"),
    (
        "annotations/tables/units.json",
        {"gross": {"value": 0, "text": "x"}},
        "$.gross.value",
        "schema",
    ),
]


@pytest.mark.parametrize(("file", "keys", "path", "remedy"), FAULTS)
def test_a_fault_is_reported_with_path_and_remedy(
    folders: Folders, file: str, keys: dict[str, object], path: str, remedy: str
) -> None:
    """What is wrong in a file is found, where it stands, with what to do."""
    folders.change(file, **keys)
    found = [p for p in folders.problems() if p.path == path and remedy in p.remedy]
    assert found, folders.problems()


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("detectors/lenses.json", "detectors/lenses"),
        ("detectors/unit/gross.json", "detectors/detector"),
        ("detectors/unit/gross.measured.json", "detectors/measured"),
        ("detectors/unit/tiny.recorded.json", "detectors/recorded"),
        ("annotations/unit-a.json", "annotations/annotation"),
        ("annotations/measured/unit-a.tiny.json", "annotations/measured"),
    ],
)
def test_check_holds_every_file_against_its_schema(
    folders: Folders, file: str, schema: str
) -> None:
    """A key too many breaks the schema of the file, which the remedy names."""
    folders.change(file, colour="red")
    found = [(p.path, p.remedy) for p in folders.checked() if p.file == file]
    assert ("$", f"see {schema}.schema.json") in found


def test_check_holds_cases_and_tables_against_their_schemas(folders: Folders) -> None:
    """By the line, and by the entry."""
    folders.write_lines("detectors/unit/cases.jsonl", [*CASES[:-1], {**CASES[-1], "colour": "red"}])
    folders.change("annotations/tables/units.json", dozen={"value": 12, "text": "x", "colour": "y"})
    found = {(p.file, p.path, p.remedy) for p in folders.checked()}
    line, table = "detectors/unit/cases.jsonl:10", "annotations/tables/units.json"
    assert (line, "$", "see detectors/case.schema.json") in found
    assert (table, "$.dozen", "see annotations/tables.units.schema.json") in found


def test_a_feature_that_the_lens_does_not_have(folders: Folders) -> None:
    """A rule cannot name more features than its SAE has."""
    folders.write("detectors/lenses.json", {"lenses": {"tiny": {**LENS, "d_sae": 4}}})
    assert folders.problems()[0].path == "$.rule"


def test_a_rule_that_fires_on_silence_is_refused(folders: Folders) -> None:
    """The bias of a rule lies below its threshold."""
    folders.change("detectors/unit/gross.json", rule={**DETECTOR["rule"], "bias": 2.0})
    (problem,) = [p for p in folders.problems() if p.file == "detectors/unit/gross.json"]
    assert problem.path == "$.rule"


def test_duplicate_ids_are_reported(folders: Folders) -> None:
    """Two files in two folders cannot have one id."""
    folders.write("detectors/other/gross.json", {**DETECTOR, "misunderstanding": "other"})
    assert any("same id" in problem.message for problem in folders.problems())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "no JSON"),
        (b"\xff{}", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"[]", "object"),
    ],
)
def test_a_file_that_cannot_be_decoded(folders: Folders, content: bytes, message: str) -> None:
    """Broken JSON, broken UTF-8, a repeated key and the wrong type are reported, not raised."""
    (folders.root / "annotations/tables/units.json").write_bytes(content)
    assert any(message in problem.message for problem in folders.problems())


@pytest.mark.parametrize(
    "file",
    ["detectors/unit/gross.json", "detectors/unit/cases.jsonl", "annotations/tables/units.json"],
)
def test_null_is_no_data(folders: Folders, file: str) -> None:
    """A file or a line that says it is reported like any other of the wrong type."""
    (folders.root / file).write_text("null\n")
    assert any(
        file in problem.file and "object" in problem.message for problem in folders.problems()
    )


def test_missing_folders_are_reported(folders: Folders, tmp_path: Path) -> None:
    """A folder that is not there is the one problem, with a remedy."""
    for roots in (("nowhere", "annotations"), ("detectors", "nowhere")):
        with pytest.raises(LibraryError, match=r"(?s)^1 problem.*no such folder"):
            load(*(folders.root / name for name in roots))
    with pytest.raises(LibraryError, match="no such folder"):
        folders.load(tmp_path / "nowhere")


def test_all_problems_come_at_once(folders: Folders) -> None:
    """Faults in several files are in one report."""
    folders.change("detectors/unit/gross.json", colour="red")
    folders.change("annotations/unit-a.json", filler="magic")
    (folders.root / "annotations/tables/units.json").write_text("{")
    files = {problem.file for problem in folders.problems()}
    assert {"detectors/unit/gross.json", "annotations/unit-a.json"} < files
    assert "annotations/tables/units.json" in files


def test_the_shipped_library_is_sound() -> None:
    """The data at the top of the repository passes its own check."""
    library = check(ROOT / "detectors", ROOT / "annotations")
    assert library.annotations
    assert library.tables.units["gross"].value == 144


def test_data_is_found_as_set_or_in_the_checkout(tmp_path: Path) -> None:
    """A chosen folder is taken as it is; without one, that of the checkout."""
    assert find("detectors", tmp_path) == tmp_path
    assert find("detectors").name == "detectors"
