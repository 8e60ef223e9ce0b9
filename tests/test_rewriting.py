"""Notes go in at the end, can be taken out again, and are never put in twice."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.formats import Annotation, Tables, Unit
from promptfix.library import Library
from promptfix.measures import Outcomes, Source, Uplift
from promptfix.records import Check, Finding, Prompt, Span, Verification
from promptfix.rewriting import CLOSE, OPEN, answerable, note, remove, rewrite, settle
from promptfix.testing import LENS, PROVENANCE, finding

KINDS = {"unit": "{statement}", "digits": "{numbers}", "group": "{groups} times {size}"}
FILLERS = {"unit": "unit-word", "digits": "number-word", "group": "each"}


def annotation(kind: str, name: str | None = None) -> Annotation:
    """An annotation for the misunderstanding of that name."""
    return Annotation(
        id=name or kind,
        version=1,
        misunderstanding=kind,
        task="math",
        placement="end",
        template=KINDS[kind],
        filler=FILLERS[kind],
        provenance=PROVENANCE,
    )


def uplift(name: str, repaired: int, harmed: int = 0) -> Uplift:
    """What an annotation did on 100 prompts."""
    counts = Outcomes(prompts=100, annotated=100, repaired=repaired, harmed=harmed)
    source = Source(command="test", data={}, seeds=())
    return Uplift(annotation=f"{name}@1", lens=LENS, calibration=counts, source=source)


def library(*more: Annotation, **uplifts: int) -> Library:
    """One annotation of each kind, and more; uplifts by id."""
    return Library(
        digest="0" * 12,
        detectors=(),
        annotations=(*(annotation(kind) for kind in KINDS), *more),
        tables=Tables(units={"gross": Unit(value=144, text="a gross is 144 things")}),
        uplifts={(name, LENS): uplift(name, n) for name, n in uplifts.items()},
    )


TEXT = "There are five boxes with 8 gross of pens each. How many pens?"
FINDINGS = [finding(kind, name=f"{kind}-x") for kind in KINDS]
PIECES = [
    "🙂",
    "👩‍👩‍👧",
    "e\u0301",
    "שלום",
    "\u200f",
    "مرحبا",
    "\r\n",
    "\n",
    "\r",
    "]",
    "[Note: x]",
    "\u2028",
]
ANY = st.one_of(
    st.text(),
    st.lists(
        st.one_of(
            st.sampled_from([*PIECES, " two gross ", " five boxes with 8 pens each"]), st.text()
        )
    ).map("".join),
).filter(lambda text: bool(text.strip()))
AROUND = st.lists(st.sampled_from(PIECES) | st.text(), max_size=4).map("".join)
TEXTS = ANY | st.tuples(AROUND, AROUND).map(f" {TEXT} ".join)
"""Half of them have room for two notes."""


@given(TEXTS, st.permutations(FINDINGS))
def test_removing_the_edits_gives_the_original(text: str, findings: list[Finding]) -> None:
    """Whatever the text, the user's words stand unchanged and the edits come out again."""
    repair = rewrite(Prompt(text=text), findings, library(), lens=LENS)
    if repair is not None:
        assert repair.repaired.text.startswith(text)
        assert remove(repair) == repair.original


@given(TEXTS, st.permutations(FINDINGS))
def test_rewriting_twice_changes_nothing_more(text: str, findings: list[Finding]) -> None:
    """A prompt that ends in notes is left alone."""
    repair = rewrite(Prompt(text=text), findings, library(), lens=LENS)
    if repair is not None:
        assert rewrite(repair.repaired, findings, library(), lens=LENS) is None


@given(TEXTS, st.permutations(FINDINGS))
def test_the_order_of_findings_does_not_matter(text: str, findings: list[Finding]) -> None:
    """The same findings in any order make the same repair."""
    made = [rewrite(Prompt(text=text), f, library(), lens=LENS) for f in (FINDINGS, findings)]
    assert made[0] == made[1]


def test_a_note_stands_in_its_own_brackets_at_the_end() -> None:
    """The form of a note is fixed."""
    repair = rewrite(Prompt(text=TEXT), FINDINGS[:1], library(), lens=LENS)
    assert repair is not None
    assert repair.repaired.text == f"{TEXT}{OPEN}a gross is 144 things{CLOSE}"
    assert repair.edits[0].annotation == "unit@1"


def test_at_most_the_limit_is_added_strongest_first() -> None:
    """Of three possible notes, the two with the highest uplift go in, the best first."""
    repair = rewrite(Prompt(text=TEXT), FINDINGS, library(group=9, digits=3, unit=5), lens=LENS)
    assert repair is not None
    assert [edit.annotation for edit in repair.edits] == ["group@1", "unit@1"]
    assert rewrite(Prompt(text=TEXT), FINDINGS, library(), lens=LENS, limit=0) is None


def test_one_note_for_a_misunderstanding() -> None:
    """Two detectors of one misunderstanding bring one note."""
    twice = [finding("unit", name="a"), finding("unit", name="b")]
    repair = rewrite(Prompt(text=TEXT), twice, library(), lens=LENS)
    assert repair is not None
    assert len(repair.edits) == 1


def test_the_annotation_with_the_highest_uplift_wins() -> None:
    """Among annotations of one misunderstanding the measured best is used, ties by id."""
    rival = annotation("unit", "alternative")
    for uplifts, expected in [
        ({}, "alternative@1"),
        ({"unit": 1}, "unit@1"),
        ({"unit": 1, "alternative": 2}, "alternative@1"),
        ({"unit": 2, "alternative": 2}, "alternative@1"),
    ]:
        repair = rewrite(Prompt(text=TEXT), FINDINGS[:1], library(rival, **uplifts), lens=LENS)
        assert repair is not None
        assert repair.edits[0].annotation == expected


def test_what_cannot_be_filled_is_only_reported() -> None:
    """A finding whose slots the text does not fill, or that nothing answers, adds no note."""
    assert rewrite(Prompt(text="Hello there."), FINDINGS, library(), lens=LENS) is None
    assert rewrite(Prompt(text=TEXT), [finding("unheard-of")], library(), lens=LENS) is None


@pytest.mark.parametrize("words", ["", "a ] b", "a [b", "x" * 500])
def test_words_that_break_a_note_make_none(words: str) -> None:
    """Brackets inside a note, or too many words, mean no note."""
    assert note(words) is None


def test_line_breaks_do_not_break_a_note() -> None:
    """A value that runs over two lines becomes one line."""
    assert note("a\r\n b\u2028c") == f"{OPEN}a b c{CLOSE}"


def test_what_becomes_of_uncleared_findings() -> None:
    """It stays, or is taken out (always, or if it did harm), or the original is given back."""
    findings = FINDINGS.copy()
    random.Random(1).shuffle(findings)
    repair = rewrite(Prompt(text=TEXT), findings, library(), lens=LENS)
    assert repair is not None
    names = [edit.finding.detector for edit in repair.edits]
    checks = tuple(
        Check(detector=name, threshold=1.0, before=2.0, after=after)
        for name, after in zip(names, (3.0, 0.0), strict=True)
    )
    seen = Verification(verified=False, checks=checks)
    assert settle(repair, seen, "keep") == repair
    assert settle(repair, seen, "report") is None
    dropped = settle(repair, seen, "drop")
    assert dropped is not None
    assert [edit.finding.detector for edit in dropped.edits] == names[1:]
    assert settle(repair, seen, "calibrated") == repair
    assert settle(repair, seen, "calibrated", {names[1]}) == repair  # that one cleared
    assert settle(repair, seen, "calibrated", {names[0]}) == dropped


def test_only_the_word_that_a_note_was_measured_for_is_answered() -> None:
    """Of several numbers in words that is the largest; the parser says which."""
    text = "Ann has two caps and thirty pens. How many things?"
    spans = [Span(start=text.index(w), end=text.index(w) + len(w)) for w in ("two", "thirty")]
    small, large = (finding("digits", span=span) for span in spans)
    assert answerable(Prompt(text=text), [small, large], library(), lens=LENS) == (large,)
    assert rewrite(Prompt(text=text), [small], library(), lens=LENS) is None


def test_findings_of_one_detector_that_one_note_answers_are_one() -> None:
    """Of two words of one expression the first is told; another detector's is told as well."""
    text = "Ann has two hundred and six beads. How many?"
    two, six = (Span(start=text.index(w), end=text.index(w) + 3) for w in ("two", "six"))
    beads = Span(start=text.index("beads"), end=text.index("beads") + 5)
    found = [finding("digits", span=span) for span in (two, six, beads)]
    other = finding("digits", name="other", span=six)
    kept = answerable(Prompt(text=text), [*found, other], library(), lens=LENS)
    assert kept == (found[0], other)
    unknown = [finding("unheard-of", span=span) for span in (two, six)]
    assert answerable(Prompt(text=text), unknown, library(), lens=LENS) == tuple(unknown)
