"""The flow: what reaches the model, what the trace says, and what a failure costs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from promptfix.errors import MicroscopeError, PromptError, PromptTooLong
from promptfix.formats import Detector, Status, Term
from promptfix.library import Library, load
from promptfix.measures import Bound, Measurement, Outcomes, Source
from promptfix.pipeline import Pipeline, Policy
from promptfix.records import Answer, Prompt, Sampling, Trace
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors

ROOT = Path(__file__).parents[1]
TEXT = "A shop has two gross of pencils. How many pencils is that?"
UNIT = detector("unit", parts=[Term(feature=4, weight=1.0, at="user")], lexical=True)
END = detector("end", parts=[Term(feature=7, weight=1.0, at="readout")])


@pytest.fixture(scope="module")
def known() -> Library:
    """The library's own annotations and tables."""
    return load(ROOT / "detectors", ROOT / "annotations")


def pipeline(
    library: Library,
    *detectors: Detector,
    broken: Exception | None = None,
    policy: Policy | None = None,
) -> tuple[Pipeline, FakeMicroscope, FakeModel]:
    """A pipeline of fakes in which feature 4 fires on "gross" and 7 until there is a note."""

    def readout(text: str) -> Mapping[int, float]:
        return {} if "[Note:" in text else {7: 2.0}

    microscope = FakeMicroscope({"gross": {4: 2.0}}, readout, broken)
    model = FakeModel()
    made = Pipeline(microscope, model, with_detectors(library, *detectors), policy or Policy())
    return made, microscope, model


def test_a_finding_is_repaired_and_answered(known: Library) -> None:
    """The model is asked the repaired prompt, and both prompts are in the trace."""
    made, _, model = pipeline(known, UNIT)
    trace = made.answer(TEXT)
    assert trace.action == "repaired"
    assert trace.repair is not None
    assert "144" in trace.repair.repaired.text
    assert [prompt for prompt, _ in model.asked] == [trace.repair.repaired]
    assert trace.verification is not None
    assert trace.verification.verified is None
    assert Trace.model_validate_json(trace.model_dump_json()) == trace


def test_when_nothing_fires_nothing_is_touched(known: Library) -> None:
    """The model gets the very prompt, and the prompt is read once."""
    made, microscope, model = pipeline(known, UNIT)
    prompt = Prompt(text="  How many pencils?\r\n", system="Be brief.")
    trace = made.answer(prompt)
    assert (trace.action, trace.repair, trace.findings) == ("none", None, ())
    assert [asked for asked, _ in model.asked] == [prompt]
    assert len(microscope.looked_at) == 1


def test_what_no_note_can_answer_is_no_finding(known: Library) -> None:
    """A detector that fires on a prompt without a unit word says nothing of it."""
    trace = pipeline(known, END)[0].answer("How many pencils is that?")
    assert (trace.action, trace.findings) == ("none", ())
    foreign = END.model_copy(update={"misunderstanding": "unheard-of"})
    assert pipeline(known, foreign)[0].answer("Hello.").action == "detected"


def test_one_prefill_serves_reading_and_answering(known: Library) -> None:
    """What reading left is handed to the re-reading, and what that left to the answer."""
    made, microscope, model = pipeline(known, UNIT)
    trace = made.answer(TEXT)
    assert trace.repair is not None
    assert [prefill for _, prefill in microscope.looked_at] == [None, TEXT]
    assert model.asked[0][1] == trace.repair.repaired.text


def test_comparing_answers_the_original_too(known: Library) -> None:
    """With compare, both prompts are answered; without a repair the answers are the same."""
    made, _, model = pipeline(known, UNIT)
    trace = made.answer(TEXT, compare=True)
    assert trace.original_answer is not None
    assert trace.original_answer.text == f"heard: {TEXT}"
    quiet = made.answer("Hello.", compare=True)
    assert quiet.original_answer == quiet.answer
    assert len(model.asked) == 3


def test_repairing_does_not_ask_the_model(known: Library) -> None:
    """Repairing gives the rewriting without an answer."""
    made, _, model = pipeline(known, UNIT)
    trace = made.repair(TEXT)
    assert trace.action == "repaired"
    assert trace.answer is None
    assert not model.asked


@pytest.mark.parametrize(("mode", "action"), [("off", "skipped"), ("detect", "detected")])
def test_modes_that_do_not_edit(known: Library, mode: str, action: str) -> None:
    """Mode off does not look; detect looks and proposes; both answer the prompt as it came."""
    made, microscope, model = pipeline(known, UNIT)
    trace = made.answer(TEXT, mode=mode)  # pyright: ignore[reportArgumentType]
    assert trace.action == action
    assert model.asked[0][0].text == TEXT
    assert len(microscope.looked_at) == (mode == "detect")
    assert (trace.repair is not None) == (mode == "detect")


def test_a_detector_edits_from_its_status_on(known: Library) -> None:
    """An experimental detector reports only, unless the policy lets it edit; retired is silent."""
    early = UNIT.model_copy(update={"status": Status.experimental})
    assert pipeline(known, early)[0].answer(TEXT).action == "detected"
    bold = Policy(edit_from=Status.experimental)
    assert pipeline(known, early, policy=bold)[0].answer(TEXT).action == "repaired"
    late = UNIT.model_copy(update={"status": Status.retired})
    assert pipeline(known, late)[0].answer(TEXT).action == "none"


def test_a_disabled_detector_does_not_fire(known: Library) -> None:
    """A detector that is switched off finds nothing."""
    made, _, _ = pipeline(known, UNIT, policy=Policy(disabled=frozenset({"unit"})))
    assert made.answer(TEXT).action == "none"


def test_verification_is_in_the_trace(known: Library) -> None:
    """A finding at the read-out that is gone after the note counts as cleared."""
    trace = pipeline(known, END)[0].answer(TEXT)
    assert trace.verification is not None
    assert trace.verification.verified is True


@pytest.mark.parametrize(
    ("policy", "harmed", "action"),
    [
        (Policy(uncleared="keep"), 3, "repaired"),
        (Policy(uncleared="report"), 0, "detected"),
        (Policy(uncleared="drop"), 0, "detected"),
        (Policy(), 0, "repaired"),
        (Policy(), 3, "detected"),
    ],
)
def test_a_finding_that_stays_is_settled_by_the_policy(
    known: Library, policy: Policy, harmed: int, action: str
) -> None:
    """Its note goes to the model as the policy says: by default unless such did harm before."""
    left = Outcomes(prompts=9, annotated=4, repaired=1, harmed=harmed)
    measured = Measurement(
        detector="end@1",
        lens="fake",
        annotation="unit-word-statement@1",
        calibration=left,
        uncleared=left,
        harm=Bound(at_most=0.5, confidence=0.95),
        source=Source(command="a test", data={}, seeds=(0,)),
    )
    library = replace(with_detectors(known, END), measurements={"end": measured})
    microscope, model = FakeMicroscope(readout=lambda _: {7: 2.0}), FakeModel()
    trace = Pipeline(microscope, model, library, policy).answer(TEXT)
    assert trace.action == action
    assert trace.verification is not None
    assert trace.verification.verified is False
    assert [asked == trace.prompt for asked, _ in model.asked] == [action == "detected"]


@pytest.mark.parametrize("error", [MicroscopeError("out of memory"), RuntimeError("bad kernel")])
def test_a_broken_microscope_does_not_cost_the_answer(known: Library, error: Exception) -> None:
    """The plain answer comes and the trace says what failed; a policy may raise instead."""
    made, _, model = pipeline(known, UNIT, broken=error)
    trace = made.answer(TEXT)
    assert (trace.action, trace.failure) == ("error", str(error))
    assert trace.answer is not None
    assert model.asked == [(Prompt(text=TEXT), None)]
    strict, _, _ = pipeline(known, UNIT, broken=error, policy=Policy(on_failure="error"))
    with pytest.raises(type(error)):
        strict.answer(TEXT)


def test_a_prompt_that_is_too_long(known: Library) -> None:
    """It is an error by default; the policy may hand it on unread."""
    error = PromptTooLong("600 tokens do not fit 512")
    with pytest.raises(PromptTooLong):
        pipeline(known, UNIT, broken=error)[0].answer(TEXT)
    lenient = Policy(on_too_long="pass-through")
    trace = pipeline(known, UNIT, broken=error, policy=lenient)[0].answer(TEXT)
    assert (trace.action, trace.failure) == ("skipped", str(error))


def test_what_fails_while_verifying_keeps_the_findings(known: Library) -> None:
    """If the repaired prompt cannot be read, the original is answered and the findings stay."""
    made, microscope, model = pipeline(known, UNIT)

    class Fragile(FakeMicroscope):
        def read(self, prompt: Prompt, prefill: object = None, *, keep: bool = True):
            if prefill is not None:
                raise MicroscopeError("gone")
            return microscope.read(prompt, keep=keep)

    fragile = Pipeline(Fragile(), model, made.library)
    trace = fragile.answer(TEXT)
    assert trace.action == "error"
    assert trace.findings
    assert model.asked[-1][0].text == TEXT


def test_nothing_is_kept_where_nobody_answers(known: Library) -> None:
    """Diagnosing alone asks for no prefill; answering is handed one."""
    made, microscope, model = pipeline(known, UNIT)
    assert made.repair(TEXT).action == "repaired"
    assert [prefill for _, prefill in microscope.looked_at] == [None, None]
    assert made.answer(TEXT).action == "repaired"
    assert model.asked[-1][1] is not None


def test_a_note_that_does_not_fit_is_left_out(known: Library) -> None:
    """A prompt that fits is answered as it came if it would be too long with its note."""

    class Tight(FakeMicroscope):
        def read(self, prompt: Prompt, prefill: object = None, *, keep: bool = True):
            if "[Note:" in prompt.text:
                raise PromptTooLong("130 tokens do not fit 128")
            return super().read(prompt, prefill, keep=keep)

    made, _, model = pipeline(known, UNIT)
    trace = Pipeline(Tight({"gross": {4: 2.0}}), model, made.library).answer(TEXT)
    assert trace.action == "detected"
    assert "130 tokens" in (trace.failure or "")
    assert model.asked[-1][0].text == TEXT


def test_a_note_leaves_room_for_the_answer(known: Library) -> None:
    """64 tokens, or as many as there were; who answers elsewhere has room of its own."""
    made, microscope, _ = pipeline(known, UNIT)
    repair = made.repair(TEXT).repair
    assert repair is not None
    length = microscope.read(repair.repaired).reading.readout + 1

    def asked(context: int, policy: Policy | None = None) -> Trace:
        model = FakeModel(context=context)
        return replace(made, model=model, policy=policy or Policy()).answer(TEXT)

    assert asked(length + 64).action == "repaired"
    for context in (length + 63, length + 1):
        trace = asked(context)
        assert (trace.action, trace.in_force.text) == ("detected", TEXT)
        assert f"leaves {context - length} of " in (trace.failure or "")
    assert asked(length + 1, Policy(answers="another")).failure is None


def test_the_answer_is_as_long_as_was_asked(known: Library) -> None:
    """How to sample is handed on to the model."""
    trace = pipeline(known)[0].answer(TEXT, sampling=Sampling(max_tokens=2))
    assert trace.answer is not None
    assert trace.answer.finish_reason == "length"


def test_an_empty_prompt_is_an_error(known: Library) -> None:
    """White space is refused before anything is read."""
    with pytest.raises(PromptError):
        pipeline(known)[0].answer("  ")


def test_an_answer_that_strays_from_its_note_is_not_taken(known: Library) -> None:
    """The prompt is answered as it came, and the trace holds both answers."""
    made, _, model = pipeline(known, UNIT)
    model.say = lambda text: "2 * 12 = 24\nAnswer: 24" if "[Note:" in text else "Answer: 288"
    trace = made.answer(TEXT, compare=True)
    assert (trace.action, trace.in_force.text) == ("withdrawn", TEXT)
    assert trace.answer and trace.answer == trace.original_answer
    assert (trace.answer.text, trace.strayed and trace.strayed.text) == (
        "Answer: 288", "2 * 12 = 24\nAnswer: 24",
    )  # fmt: skip
    assert trace.repair
    assert [asked.text for asked, _ in model.asked] == [trace.repair.repaired.text, TEXT]
    assert Trace.model_validate_json(trace.model_dump_json()) == trace


def in_other_words(library: Library) -> Library:
    """The library, with other words for its notes on unit words."""
    unit = [a for a in library.annotations if a.filler == "unit-word"]
    changed = {a.id: a.model_copy(update={"again": "Read {value} for {word}."}) for a in unit}
    return replace(library, annotations=tuple(changed.get(a.id, a) for a in library.annotations))


def test_where_an_answer_strays_the_note_is_tried_in_other_words(known: Library) -> None:
    """Once: the answer to these is taken, or judged as the first was and the prompt goes bare."""
    made, _, model = pipeline(in_other_words(known), UNIT)
    strayed, other = "2 * 12 = 24\nAnswer: 24", f"{TEXT}\n[Note: Read 144 for gross.]"
    model.say = lambda text: "2 * 144 = 288" if text == other else strayed
    trace = made.answer(TEXT)
    assert (trace.action, trace.in_force.text) == ("repaired", other)
    assert (trace.answer and trace.answer.text, trace.strayed and trace.strayed.text) == (
        "2 * 144 = 288", strayed,
    )  # fmt: skip
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    model.asked.clear()
    model.say = lambda _: strayed
    trace = made.answer(TEXT)
    assert (trace.action, trace.in_force.text) == ("withdrawn", TEXT)
    assert [asked.text.removeprefix(TEXT) for asked, _ in model.asked][1:] == [
        "\n[Note: Read 144 for gross.]", "",
    ]  # fmt: skip


def test_an_answer_that_does_what_its_note_says_is_taken(known: Library) -> None:
    """So is one that shows no sum, and the answer of another model."""
    made, _, model = pipeline(known, UNIT)
    for said in ("2 * 144 = 288\nAnswer: 288", "Answer: 24"):
        model.say = lambda _, said=said: said
        trace = made.answer(TEXT)
        assert (trace.action, trace.strayed) == ("repaired", None)
    trace = made.repair(TEXT)
    wrong = Answer(text="2 * 12 = 24", finish_reason="stop", prompt_tokens=9, completion_tokens=9)
    assert made.strays(trace, wrong)
    assert not replace(made, policy=Policy(answers="another")).strays(trace, wrong)
