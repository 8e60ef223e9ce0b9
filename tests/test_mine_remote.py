"""Mining on another model's answers, and on what people said about a service's answers."""

import json
import shutil
import time

import pytest

from promptfix.cli import run as cli
from promptfix.errors import ModelError
from promptfix.library import load as load_library
from promptfix.mining.run import run
from promptfix.mining.traces import load_traces
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt
from promptfix.remote import SYSTEM, RemoteModel
from promptfix.store import Store
from promptfix.tasks import DataError, metaphor_prompt
from promptfix.testing import FakeMicroscope, FakeModel
from tests import unitwords
from tests.serving import library_of
from tests.test_mine import _job
from tests.upstream import ANSWER, reply, saying, upstream


def said(text):
    """A reply that says a text."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    return reply(json.dumps(ANSWER | {"choices": [choice]}).encode())


def asked(request):
    """What a request asks."""
    return json.loads(request.body)["messages"][-1]["content"]


def test_answers_come_in_order_and_greedily():
    """However many are asked at once; each with the words that make it scorable."""
    with upstream() as up:
        up.behave = lambda connection, request: connection.sendall(said(asked(request) * 2))
        model, done = RemoteModel(up.url, "big", "k"), []
        prompts = [Prompt(text=f"q{number} ") for number in range(30)]
        answers = model.answer_many(prompts, max_tokens=7, progress=done.append)
    assert [answer.text for answer in answers] == [prompt.text * 2 for prompt in prompts]
    assert sum(done) == 30
    body = json.loads(up.requests[0].body)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("big", 0, 7)
    assert body["messages"][0]["content"] == SYSTEM
    assert up.requests[0].headers["authorization"] == "Bearer k"


def test_a_busy_server_is_waited_for():
    """As long as it says."""
    with upstream() as up:
        told = iter(
            [reply(b"{}", "429 Too Many", "application/json", "retry-after: 1"), said("ok")]
        )
        up.behave = lambda connection, _: connection.sendall(next(told))
        started = time.monotonic()
        (answer,) = RemoteModel(up.url, "big").answer_many([Prompt(text="q")], max_tokens=7)
    assert answer.text == "ok"
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("wrong", [reply(b"{}"), reply(b"<html>"), reply(b"{}", "404 Not Found")])
def test_what_is_no_answer_is_an_error(wrong):
    """A wrong address is one sentence, not a hundred tries."""
    with upstream() as up:
        up.behave = saying(wrong)
        with pytest.raises(ModelError):
            RemoteModel(up.url, "big").answer_many([Prompt(text="q")], max_tokens=7)
    assert len(up.requests) == 1


def test_detectors_are_calibrated_on_the_answers_of_another_model(bench, tmp_path):
    """The files name it, so that prompts for it may be repaired, and for no other model."""
    library = tmp_path / "library"
    shutil.copytree(bench / "library", library)
    rows = {row["question"]: row for row in unitwords.rows()}

    def behave(connection, request):
        prompt = asked(request)
        connection.sendall(said(unitwords.say(rows[prompt.partition("\n")[0]], prompt)))

    with upstream() as up:
        up.behave = behave
        job = _job(bench, library, answers=RemoteModel(up.url, "big"), cache=tmp_path / "cache")
        (detector,) = run(job, log=lambda _: None)
        known = load_library(library / "detectors", library / "annotations")
        measured = known.measurements[detector.id]
        assert (measured.answers, measured.cause) == ("big", None)
        assert known.calibrated == {"big"}
        assert {uplift.answers for uplift in known.uplifts.values()} == {"big"}
        assert measured.calibration.repaired > 100
        count = len(up.requests)
        run(job, log=lambda _: None)
        assert len(up.requests) == count  # all answers are known
        with pytest.raises(DataError, match="another model"):
            run(_job(bench, library), log=lambda _: None)


def test_the_command_wants_a_model_and_data(capsys, tmp_path):
    """What is missing is said."""
    out = ["mine", "--out", str(tmp_path)]
    assert cli(out) == 2
    assert "--from-traces" in capsys.readouterr().err
    assert cli([*out, "--data", "x", "--answers-from", "http://127.0.0.1:1/v1"]) == 2
    assert "--answers-model" in capsys.readouterr().err


def test_labelled_traces_are_labelled_data(tmp_path):
    """What was expected, or the answer that was called right, is the gold answer."""
    figure = metaphor_prompt("The fog swallowed the town.", "swallowed")
    told = [
        ("A gross of pens?", "Answer: 144", True, None),
        ("Two gross of pens?", "Answer: 20", False, "288"),
        ("Three gross of pens?", "Answer: 30", False, None),
        (figure, "Answer: metaphorical", True, None),
    ]
    store, lines = Store(tmp_path / "t.sqlite", content=True), []
    for prompt, answer, correct, expected in told:
        model = FakeModel(say=lambda _, said=answer: said)
        trace = Pipeline(FakeMicroscope(), model, library_of()).answer(prompt)
        store.put(trace)
        store.feedback(trace.id, correct=correct, expected=expected)
    store.close()
    items = load_traces(tmp_path / "t.sqlite", lines.append)
    found = {(item.task, item.prompt, item.gold) for item in items}
    assert found == {
        ("math", "A gross of pens?", "144"),
        ("math", "Two gross of pens?", "288"),
        ("metaphor", figure, "metaphorical"),
    }
    assert "1 labelled trace" in lines[0]
    Store(tmp_path / "none.sqlite").close()
    with pytest.raises(DataError, match="content"):
        load_traces(tmp_path / "none.sqlite")
