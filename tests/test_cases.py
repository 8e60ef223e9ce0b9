"""Cases by hand are minimal pairs; what detectors do on them is recorded and held against them."""

import json
from pathlib import Path
from typing import Any

import pytest

from promptfix import assembly, cli, gate
from promptfix.cases import MAX_CHANGED, changed, digest, passes, tally
from promptfix.crosscheck import Shelf
from promptfix.errors import LibraryError, Problem
from promptfix.formats import Case, Term
from promptfix.library import check, load
from promptfix.measures import Count, Recording, Tally
from promptfix.mining.cases import record, write
from promptfix.pipeline import Pipeline
from promptfix.settings import Settings
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors
from tests.test_library import CASES, RECORDED, ROOT, Folders

WEIGHTS = ROOT / "promptfix/mini/weights"
LIBRARY = load(ROOT / "detectors", ROOT / "annotations")
KINDS = """
    unknown-unit-word spelled-number irrelevant-quantity reversed-comparison equal-groups
    start-unknown change-direction difference-asked literal-reading unknown-sense unknown-company
    unknown-multiple unknown-fraction unstated-number roman-numeral wrong-steps
""".split()
CASES_FILE = "detectors/unit/cases.jsonl"
RECORDED_FILE = "detectors/unit/tiny.recorded.json"
TALLY: dict[str, Any] = RECORDED["detectors"]["gross@1"]
GROSS = detector(
    "gross", "unit", parts=[Term(feature=4, weight=1.0, at="user")], lexical=True, lens="tiny"
)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A library whose one detector has cases and a recording."""
    return Folders(tmp_path)


def checked(folders: Folders) -> list[Problem]:
    """What `promptfix check` reports."""
    try:
        check(folders.root / "detectors", folders.root / "annotations")
    except LibraryError as error:
        return list(error.problems)
    return []


def with_line(line: int, **keys: object) -> list[dict[str, object]]:
    """The sound cases, with keys of one line changed; None takes one away."""
    cases: list[dict[str, object]] = [dict(case) for case in CASES]
    changed_line = cases[line - 1] | keys
    cases[line - 1] = {key: value for key, value in changed_line.items() if value is not None}
    return cases


FAULTS: list[tuple[int, dict[str, object], str, str]] = [
    (3, {"id": "fire-0"}, "$.id", "another id"),
    (2, {"pair_of": "quiet-1"}, "$.pair_of", "fire case"),
    (2, {"pair_of": "nothing"}, "$.pair_of", "fire case"),
    (2, {"pair_of": None}, "$", "schema"),
    (1, {"pair_of": "fire-1"}, "$", "schema"),
    (1, {"on": "dozen"}, "$", "schema"),
    (1, {"expect": "maybe"}, "$.expect", "schema"),
    (1, {"colour": "red"}, "$.colour", "remove"),
    (2, {"prompt": "how many are 0 GROSS of pens!"}, "$.prompt", "make the difference"),
    (
        2,
        {"prompt": "A quite other text of more than nine words with nothing kept."},
        "$.prompt",
        "at most 8",
    ),
]


@pytest.mark.parametrize(("line", "keys", "path", "remedy"), FAULTS)
def test_a_fault_is_reported_with_its_line(
    folders: Folders, line: int, keys: dict[str, object], path: str, remedy: str
) -> None:
    """What is wrong with a case is found in its line, with a JSON path and what to do."""
    folders.write_lines(CASES_FILE, with_line(line, **keys))
    problems = folders.problems()
    where = f"{CASES_FILE}:{line}"
    assert [p for p in problems if (p.file, p.path) == (where, path) and remedy in p.remedy]


def test_broken_lines_come_in_one_report(folders: Folders) -> None:
    """A line that is no JSON, an empty one and a key said twice do not hide each other."""
    lines = [json.dumps(case) for case in CASES]
    lines[0], lines[2], lines[4] = "{", "", '{"id": "a", "id": "b"}'
    (folders.root / CASES_FILE).write_text("\n".join(lines), "utf-8")
    files = {problem.file for problem in folders.problems()}
    assert {f"{CASES_FILE}:{line}" for line in (1, 3, 5)} <= files
    (folders.root / CASES_FILE).write_bytes(b"\xff")
    assert any("not UTF-8" in problem.message for problem in folders.problems())


def test_too_few_pairs_are_reported(folders: Folders) -> None:
    """A file has at least five pairs; two quiet cases of one fire case are one pair."""
    folders.write_lines(CASES_FILE, with_line(4, pair_of="fire-0"))
    (problem,) = folders.problems()
    assert (problem.file, problem.path) == (CASES_FILE, "$")
    assert "is 4" in problem.message


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("Ann has 3 gross of pens.", "Ann has 432 pens", 3),
        ("He sees A b", "he sees a B!", 0),
        ("a b c", "c a b", 2),
        ("", "one two", 2),
    ],
)
def test_changed_words(one: str, other: str, count: int) -> None:
    """Words that come, go or change count once; case and marks do not count."""
    assert changed(one, other) == changed(other, one) == count


def _tally(fire: tuple[int, int], quiet: tuple[int, int]) -> Tally:
    fired, n = fire
    return Tally(fire=Count(n=n, fired=fired), quiet=Count(n=quiet[1], fired=quiet[0]), fired={})


@pytest.mark.parametrize(
    ("fire", "quiet", "expected"),
    [
        ((6, 6), (0, 6), True),
        ((0, 6), (0, 6), True),
        ((3, 6), (3, 6), True),
        ((2, 6), (3, 6), False),
        ((6, 6), (4, 6), False),
        ((3, 7), (3, 6), False),
    ],
)
def test_the_gate(fire: tuple[int, int], quiet: tuple[int, int], expected: bool) -> None:
    """It fires on no smaller share of fire than of quiet cases, and on at most half of these."""
    assert passes(_tally(fire, quiet)) is expected


REFUTED: list[tuple[str, dict[str, object], str, str]] = [
    (RECORDED_FILE, {"cases": "0" * 64}, "$.cases", "--record"),
    (RECORDED_FILE, {"lens": "other"}, "$.lens", "call the file"),
    (RECORDED_FILE, {"detectors": {}}, "$.status", "--record"),
    (RECORDED_FILE, {"detectors": {"gross@2": TALLY}}, "$.detectors['gross@2']", "--record"),
    (
        RECORDED_FILE,
        {"detectors": {"gross@1": {**TALLY, "quiet": {"n": 4, "fired": 0}}}},
        "$.detectors['gross@1']",
        "--record",
    ),
    (
        RECORDED_FILE,
        {"detectors": {"gross@1": {**TALLY, "fire": {"n": 5, "fired": 6}}}},
        "$.detectors.gross@1.fire",
        "schema",
    ),
    (RECORDED_FILE, {"machine": "mine"}, "$.machine", "remove"),
    ("detectors/unit/gross.json", {"version": 2}, "$.status", "--record"),
]


@pytest.mark.parametrize(("file", "keys", "path", "remedy"), REFUTED)
def test_a_recording_that_does_not_belong_is_reported(
    folders: Folders, file: str, keys: dict[str, object], path: str, remedy: str
) -> None:
    """A recording of other cases, of another version or with other counts does not pass."""
    folders.change(file, **keys)
    assert [p for p in checked(folders) if p.path == path and remedy in p.remedy]


def _fires_on(*ids: str) -> dict[str, Any]:
    cases = [Case.model_validate(case) for case in CASES]
    return {"detectors": {"gross@1": tally(cases, ids).model_dump()}}


def test_a_measured_detector_that_cannot_tell_the_pairs_apart_is_reported(folders: Folders) -> None:
    """One that fires on more quiet than fire cases is refused, unless it is experimental."""
    folders.change(RECORDED_FILE, **_fires_on("fire-0", "quiet-1", "quiet-2"))
    (problem,) = checked(folders)
    assert problem.file == RECORDED_FILE
    assert "1 of 5 fire cases and 2 of 5 quiet" in problem.message
    assert "experimental" in problem.remedy
    folders.change("detectors/unit/gross.json", status="experimental")
    assert checked(folders) == []


def test_a_measured_detector_needs_cases_and_a_recording(folders: Folders) -> None:
    """Without them `check` complains, and the library loads all the same."""
    (folders.root / RECORDED_FILE).unlink()
    (problem,) = checked(folders)
    assert (problem.path, problem.remedy) == ("$.status", "run promptfix check --record")
    (folders.root / CASES_FILE).unlink()
    (problem,) = checked(folders)
    assert (problem.path, problem.remedy) == ("$.misunderstanding", f"write {CASES_FILE}")
    assert folders.load().detectors
    folders.change("detectors/unit/gross.json", status="experimental")
    assert checked(folders) == []


def test_cases_may_wait_for_a_detector_but_not_for_a_misunderstanding(folders: Folders) -> None:
    """A folder of cases alone is about something that an annotation answers."""
    for name in ("gross.json", "gross.measured.json", "tiny.recorded.json"):
        (folders.root / "detectors/unit" / name).unlink()
    assert checked(folders) == []
    (folders.root / "detectors/unit").rename(folders.root / "detectors/units")
    (problem,) = checked(folders)
    assert "no annotation is about units" in problem.message


def test_cases_and_recordings_do_not_change_the_digest(folders: Folders) -> None:
    """The library is the same whether or not somebody looked at what it does."""
    before = folders.load().digest
    folders.change(RECORDED_FILE, **_fires_on("fire-0"))
    folders.write_lines(CASES_FILE, with_line(1, prompt="How many are a gross of pens?"))
    assert folders.load().digest == before


def test_recording_says_which_cases_fired(folders: Folders) -> None:
    """Every case of a misunderstanding with a detector is read; what is written is read again."""
    microscope = FakeMicroscope({"gross": {4: 2.0}, "pens": {4: 0.5}}, lens="tiny")
    library = folders.load()
    recordings = record(microscope, library)
    assert recordings == {"unit": Recording.model_validate(RECORDED)}
    (folders.root / RECORDED_FILE).unlink()
    assert write(recordings, folders.root / "detectors") == [folders.root / RECORDED_FILE]
    assert folders.load().recordings == {("unit", "tiny"): recordings["unit"]}
    assert checked(folders) == []
    assert record(FakeMicroscope(lens="other"), library) == {}


def test_a_finding_about_another_word_does_not_count(folders: Folders) -> None:
    """Where a case says what it is `on`, firing elsewhere is no hit."""
    microscope = FakeMicroscope({"gross": {4: 2.0}}, lens="tiny")

    def fired(on: str) -> int:
        cases = [case | {"on": on} if case["expect"] == "fire" else case for case in CASES]
        folders.write_lines(CASES_FILE, cases)
        library = with_detectors(folders.load(), GROSS)
        return record(microscope, library)["unit"].detectors["gross@1"].fire.fired

    assert fired("pens") == 0
    assert fired("gross") == 5


def test_a_detector_is_silent_where_its_note_cannot_be_made(folders: Folders) -> None:
    """On a case by hand as on any prompt, whatever its features do there."""
    library = with_detectors(folders.load(), GROSS)
    microscope = FakeMicroscope({"pens": {4: 2.0}}, lens="tiny")
    assert record(microscope, library)["unit"].detectors["gross@1"].fire.fired == 0


def test_check_record_writes_and_shows_the_pass_rates(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`promptfix check --record` reads the cases also when the recording is stale, then checks."""
    microscope = FakeMicroscope({"gross": {4: 2.0}}, lens="tiny")

    def build(settings: Settings) -> Pipeline:
        return Pipeline(microscope, FakeModel(), assembly.load_library(settings))

    monkeypatch.setattr(assembly, "build", build)
    monkeypatch.setenv("COLUMNS", "100")
    folders.change(RECORDED_FILE, cases="0" * 64)
    named = [f"--{name}={folders.root / name}" for name in ("detectors", "annotations")]
    assert cli.run(["check", *named]) == 1
    capsys.readouterr()
    assert cli.run(["check", "--record", *named]) == 0
    said = capsys.readouterr().out
    (row,) = [line for line in said.splitlines() if "gross@1" in line]
    assert "5 of 5" in row
    assert "0 of 5" in row
    assert "10 cases" in said
    assert cli.run(["check", "--record", "--json", *named]) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_misunderstanding_has_pairs(kind: str) -> None:
    """Each has at least six fire cases, each with a quiet one."""
    cases = LIBRARY.cases[kind]
    firing = {case.id for case in cases if case.expect == "fire"}
    assert len(firing) >= 6
    assert {case.pair_of for case in cases if case.expect == "quiet"} == firing


@pytest.mark.parametrize(
    ("kind", "case"),
    [(k, c) for k, cases in LIBRARY.cases.items() for c in cases if c.expect == "fire"],
    ids=lambda value: value.id if isinstance(value, Case) else value,
)
def test_a_fire_case_can_be_answered(kind: str, case: Case) -> None:
    """Every annotation of the misunderstanding can be made for it."""
    annotations = [a for a in LIBRARY.annotations if a.misunderstanding == kind]
    assert annotations
    for annotation in annotations:
        assert LIBRARY.fill(annotation, case.prompt, None), annotation.id


def test_no_prompt_is_there_twice() -> None:
    """The cases of all misunderstandings are different prompts."""
    prompts = [case.prompt for cases in LIBRARY.cases.values() for case in cases]
    assert len(set(prompts)) == len(prompts)


def test_the_shipped_recordings_pass() -> None:
    """They are of the present detectors and cases, and bear the claims out."""
    shelf = Shelf.read(ROOT / "detectors", ROOT / "annotations", None)
    assert list(gate.problems(shelf)) == []
    for (kind, lens), recording in LIBRARY.recordings.items():
        present = {d.stamp for d in LIBRARY.detectors_for(lens) if d.misunderstanding == kind}
        assert set(recording.detectors) == present
        assert recording.cases == digest(LIBRARY.cases[kind])


@pytest.mark.skipif(not (WEIGHTS / "model").is_dir(), reason="promptfix/mini/weights is not there")
def test_the_embedded_model_does_what_was_recorded() -> None:
    """Reading the cases again gives the recordings."""
    pytest.importorskip("torch")
    pipeline = assembly.load(detectors=ROOT / "detectors", annotations=ROOT / "annotations")
    lens = pipeline.microscope.lens
    recorded = {kind: seen for (kind, on), seen in LIBRARY.recordings.items() if on == lens}
    assert record(pipeline.microscope, pipeline.library) == recorded


def test_the_limit_on_words_is_what_the_shipped_pairs_need() -> None:
    """No shipped pair comes near to being two different prompts."""
    for cases in LIBRARY.cases.values():
        named = {case.id: case.prompt for case in cases}
        for case in cases:
            if case.pair_of:
                count = changed(case.prompt, named[case.pair_of])
                assert count <= min(MAX_CHANGED, len(case.prompt.split()) // 2), case.id
