"""Readings and rules make findings, deterministically and fast."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptfix.detection import Ruleset, detect, verify
from promptfix.formats import Condition, Status, Term, Weighted
from promptfix.records import Edit, Finding, Prompt, Span
from promptfix.rewriting import apply
from promptfix.testing import detector, finding, reading

TEXT = "Tom bought two gross of pencils."
WORD = Term(feature=4, weight=1.0, at="user")
END = Term(feature=7, weight=2.0, at="readout")


def test_a_lexical_detector_points_at_the_word() -> None:
    """A rule about words is scored by word, and its finding spans the whole word."""
    rules = Ruleset([detector("gross", parts=[WORD], lexical=True)])
    (found,) = detect(reading(TEXT, {"gross": {4: 1.5}, "two": {4: 0.5}}), rules).findings
    assert found.span is not None
    assert found.span.of(TEXT) == "gross"
    assert found.score == 1.5
    assert found.evidence[0].span == found.span


def test_subword_tokens_count_as_their_word() -> None:
    """Two features on two pieces of one word hold together, and the span is the whole word."""
    made = reading("prefix gross")
    tokens = (
        made.tokens[0],
        made.tokens[1],
        made.tokens[2].model_copy(update={"span": Span(start=6, end=9)}),
        made.tokens[3].model_copy(
            update={"position": 3, "span": Span(start=9, end=12), "kind": "user"}
        ),
        made.tokens[3].model_copy(update={"position": 4}),
    )
    acts = [{"feature": 1, "position": 2, "value": 1.0}, {"feature": 2, "position": 3, "value": 1}]
    split = made.model_validate({**made.model_dump(), "tokens": tokens, "activations": acts})
    conditions = [Condition(feature=f, at="user", at_least=1.0) for f in (1, 2)]
    rules = Ruleset([detector("both", parts=conditions, lexical=True)])
    (found,) = detect(split, rules).findings
    assert found.span == Span(start=7, end=12)


def test_a_contextual_detector_speaks_for_the_text() -> None:
    """A rule over words and the read-out adds both up and has no span."""
    rules = Ruleset([detector("conflict", parts=[WORD, END], bias=-0.5, threshold=2.0)])
    (found,) = detect(reading(TEXT, {"two": {4: 1.0}, "of": {4: 0.1}}, {7: 1.0}), rules).findings
    assert found.span is None
    assert found.score == pytest.approx(2.5)
    assert [part.value for part in found.evidence] == [1.0, 1.0]


def test_a_negative_weight_holds_a_rule_back() -> None:
    """A feature with a negative weight takes its part away from the score."""
    held = Term(feature=9, weight=-1.0, at="readout")
    rules = Ruleset([detector("held", parts=[WORD, held])])
    assert detect(reading(TEXT, {"two": {4: 1.2}}), rules).findings
    assert not detect(reading(TEXT, {"two": {4: 1.2}}, {9: 0.5}), rules).findings


def test_all_conditions_must_hold() -> None:
    """A rule of conditions scores the least of its ratios, and 0 if one feature is silent."""
    parts = [
        Condition(feature=4, at="user", at_least=1.0),
        Condition(feature=7, at="readout", at_least=2.0),
    ]
    rules = Ruleset([detector("both", parts=parts)])
    (found,) = detect(reading(TEXT, {"two": {4: 3.0}}, {7: 4.0}), rules).findings
    assert found.score == 2.0
    outcome = detect(reading(TEXT, {"two": {4: 3.0}}), rules)
    assert not outcome.findings
    assert outcome.near_misses[0].score == 0.0


@pytest.mark.parametrize("level", [49.0, 98.0, 0.3, 103.0])
def test_what_is_at_the_level_reaches_it(level: float) -> None:
    """Also where the level times its reciprocal is less than 1."""
    rules = Ruleset([detector("at", parts=[Condition(feature=7, at="readout", at_least=level)])])
    assert detect(reading(TEXT, {}, {7: level}), rules).findings
    assert not detect(reading(TEXT, {}, {7: level * (1 - 1e-9)}), rules).findings


def test_silence_fires_nothing() -> None:
    """A reading without activations has neither findings nor near misses."""
    rules = Ruleset([detector("gross", parts=[WORD]), detector("end", parts=[END])])
    assert detect(reading(TEXT), rules) == ((), ())
    assert detect(reading(TEXT, {"two": {1: 1.0}}), Ruleset([])) == ((), ())


def test_near_misses_are_the_closest() -> None:
    """Of the rules that did not fire, those nearest to their threshold are named."""
    made = [detector(f"d{n}", parts=[WORD], threshold=float(n)) for n in (1, 2, 3, 4, 5)]
    outcome = detect(reading(TEXT, {"two": {4: 1.0}}), Ruleset(made), near=2)
    assert [found.detector for found in outcome.findings] == ["d1@1"]
    assert [miss.detector for miss in outcome.near_misses] == ["d2@1", "d3@1"]
    assert outcome.near_misses[0].lacking == 1.0


def test_order_of_detectors_does_not_matter() -> None:
    """The same detectors in another order give the same outcome."""
    made = [detector(f"d{n}", parts=[WORD], lexical=n % 2 == 0) for n in range(6)]
    seen = reading(TEXT, {"two": {4: 1.0}, "gross": {4: 2.0}})
    assert detect(seen, Ruleset(made)) == detect(seen, Ruleset(reversed(made)))


def test_a_text_without_words_can_be_read() -> None:
    """Punctuation alone has no words; the read-out still counts."""
    rules = Ruleset([detector("w", parts=[WORD], lexical=True), detector("end", parts=[END])])
    assert [f.detector for f in detect(reading("?!", None, {7: 1.0}), rules).findings] == ["end@1"]


def test_ten_thousand_detectors_cost_little() -> None:
    """Ten thousand detectors that stay quiet take little longer than ten."""
    many = [
        detector(
            f"d{n}",
            parts=[
                Term(feature=10 + 8 * n + k, weight=1.0, at="user" if k % 2 else "readout")
                for k in range(8)
            ],
            status=Status.experimental,
        )
        for n in range(10_000)
    ]
    rules = Ruleset([detector("gross", parts=[WORD], lexical=True), *many])
    seen = reading(TEXT * 8, {"gross": {4: 2.0}, "two": {17: 0.1}})
    best = min(_timed(seen, rules) for _ in range(5))
    assert best < 0.05


def _timed(seen: object, rules: Ruleset) -> float:
    start = time.perf_counter()
    detect(seen, rules)  # pyright: ignore[reportArgumentType]
    return time.perf_counter() - start


def _edit(found: Finding) -> Edit:
    return Edit(annotation="a@1", at=len(TEXT), text="\n[Note: gross is 144]", finding=found)


def test_verification_compares_the_read_out_only() -> None:
    """A finding at the read-out clears or not; one about words alone cannot be compared."""
    rules = Ruleset([detector("word", parts=[WORD], lexical=True), detector("end", parts=[END])])
    word, end = finding("w", name="word"), finding("e", name="end")
    both = apply(Prompt(text=TEXT), [_edit(word), _edit(end)])
    one = apply(Prompt(text=TEXT), [_edit(word)])
    assert both is not None
    assert one is not None
    after = both.repaired.text
    assert verify(both, reading(after, {"gross": {4: 9.0}}), rules).verified is True
    assert verify(both, reading(after, None, {7: 1.0}), rules).verified is False
    assert verify(one, reading(one.repaired.text), rules).verified is None


def test_a_notes_own_words_do_not_count_in_verification() -> None:
    """Features that fire on the note's words alone do not keep a finding from clearing."""
    parts = [WORD, END]
    rules = Ruleset([detector("end", parts=parts)])
    repair = apply(
        Prompt(text="Two dozen?"), [_edit(finding("e", name="end")).model_copy(update={"at": 10})]
    )
    assert repair is not None
    seen = reading(repair.repaired.text, {"gross": {4: 5.0}})
    (check,) = verify(repair, seen, rules).checks
    assert check.after == 0.0


PLACES = st.sampled_from(["user", "readout"])
LEVELS = st.sampled_from([0.5, 1.0, 2.0, 4.0])
TERMS = st.lists(
    st.builds(Term, feature=st.integers(0, 5), weight=st.sampled_from([-1.0, 0.5, 1.0]), at=PLACES),
    min_size=1,
    max_size=4,
)
CONDITIONS = st.lists(
    st.builds(Condition, feature=st.integers(0, 5), at=PLACES, at_least=LEVELS),
    min_size=1,
    max_size=3,
)
FIRING = st.dictionaries(st.integers(0, 7), LEVELS, max_size=4)


@given(
    st.lists(st.tuples(TERMS | CONDITIONS, st.booleans()), max_size=6),
    st.lists(FIRING, min_size=4, max_size=4),
    FIRING,
)
def test_findings_are_those_of_the_definition(rules, on_words, readout) -> None:
    """Whatever the rules and activations, scores are what the formats say, unit by unit."""
    made = [
        detector(f"d{n}", parts=parts, lexical=lexical) for n, (parts, lexical) in enumerate(rules)
    ]
    words = ["one", "two", "three", "four"]
    seen = reading(" ".join(words), dict(zip(words, on_words, strict=True)), readout)
    expected = {
        (rule.stamp, unit): score
        for rule in made
        for unit in (words if rule.by_word else [None])
        if (
            score := _score(
                rule, _values(rule, unit, dict(zip(words, on_words, strict=True)), readout)
            )
        )
        is not None
    }
    found = {
        (finding.detector, finding.span and finding.span.of(seen.prompt.text)): finding.score
        for finding in detect(seen, Ruleset(made)).findings
    }
    assert found == pytest.approx(expected)


def _values(rule, unit, on_words, readout) -> list[float]:
    """What each part of a rule sees in a word, or (None) in the whole text."""
    seen = list(on_words.values()) if unit is None else [on_words[unit]]
    return [
        readout.get(part.feature, 0.0)
        if part.at == "readout"
        else max(firing.get(part.feature, 0.0) for firing in seen)
        for part in rule.parts
    ]


def _score(rule, values) -> float | None:
    """The score of a rule that fires; None if it does not, or all is silent."""
    if isinstance(rule.rule, Weighted):
        score = rule.rule.bias + sum(
            term.weight * value for term, value in zip(rule.parts, values, strict=True)
        )
    else:
        score = min(v / part.at_least for part, v in zip(rule.parts, values, strict=True))
    return score if score >= 1.0 and any(values) else None
