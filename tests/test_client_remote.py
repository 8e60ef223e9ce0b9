"""A wrapped client that asks a running service to look: over real sockets, on both ways."""

import asyncio
import hashlib
import json
import time

import openai
import pytest

import promptfix
from promptfix.client import Remote
from promptfix.client.exchange import Question
from promptfix.errors import MicroscopeError, ModelError
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt
from promptfix.remote import RemoteModel
from promptfix.testing import FakeMicroscope, FakeModel
from tests.serving import serving
from tests.test_client import GROSS, LIBRARY, NOTED, QUIET, Upstream, says, sent
from tests.upstream import reply, saying, upstream

KEY = "a key for the tests"


@pytest.fixture(scope="module")
def url():
    """A service of fakes that wants a key."""
    pipeline = Pipeline(FakeMicroscope({"gross": {4: 2.0}}), FakeModel(), LIBRARY)
    with serving(pipeline, keys={hashlib.sha256(KEY.encode()).hexdigest()}) as address:
        yield address


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_a_service_looks(url, end):
    """The repaired turn goes to the server that answers, and the trace comes from the service."""
    upstream = Upstream()
    client = promptfix.wrap(upstream.client(), url=url + end, key=KEY, mode="repair")
    made = client.chat.completions.create(**says(GROSS))
    assert sent(upstream.body) == NOTED
    assert promptfix.trace_of(made).library == LIBRARY.digest
    assert promptfix.trace_of(client.chat.completions.create(**says(QUIET))).action == "none"


def test_a_service_looks_async(url):
    """Many at once, in two event loops, one after the other."""
    upstream = Upstream()

    async def ask():
        client = promptfix.wrap(upstream.async_client(), url=url, key=KEY, mode="repair")
        asked = (client.chat.completions.create(**says(GROSS)) for _ in range(8))
        return [promptfix.trace_of(made).action for made in await asyncio.gather(*asked)]

    assert asyncio.run(ask()) + asyncio.run(ask()) == ["repaired"] * 16


def test_detect_is_asked_for_by_default(url):
    """The service does not edit where the client did not wish it."""
    upstream = Upstream()
    client = promptfix.wrap(upstream.client(), url=url, key=KEY)
    trace = promptfix.trace_of(client.chat.completions.create(**says(GROSS)))
    assert (trace.action, trace.mode) == ("detected", "detect")
    assert sent(upstream.body) == GROSS


@pytest.mark.parametrize(("chosen", "action"), [("repair", "repaired"), ("detect", "detected")])
def test_a_service_that_leaves_no_choice_looks(chosen, action):
    """In its own mode, sync and async; one that the caller chose is refused, and that is told."""
    pipeline = Pipeline(FakeMicroscope({"gross": {4: 2.0}}), FakeModel(), LIBRARY)
    up = Upstream()
    with serving(pipeline, mode=chosen, allow_override=False) as url:
        made = promptfix.wrap(up.client(), url=url).chat.completions.create(**says(GROSS))
        other = promptfix.wrap(up.async_client(), url=url)
        also = asyncio.run(other.chat.completions.create(**says(GROSS)))
        wished = {"repair": "detect", "detect": "repair"}[chosen]
        client = promptfix.wrap(up.client(), url=url, mode=wished)
        refused = promptfix.trace_of(client.chat.completions.create(**says(GROSS)))
    assert [promptfix.trace_of(answer).action for answer in (made, also)] == [action] * 2
    noted = NOTED if chosen == "repair" else GROSS
    assert [sent(json.loads(r.content)) for r in up.requests] == [noted, noted, GROSS]
    assert (refused.action, "403" in refused.failure) == ("error", True)


@pytest.mark.parametrize("look", [Remote.look, lambda *given: asyncio.run(Remote.alook(*given))])
def test_the_deadline_is_that_of_a_whole_answer(look):
    """A service that says a little now and then, and never all of it, is not waited for."""

    def trickle(connection, _request):
        for byte in reply(b"x" * 15):
            connection.sendall(bytes([byte]))
            time.sleep(0.03)

    with upstream() as up:
        up.behave = trickle
        started = time.monotonic()
        with pytest.raises(MicroscopeError, match="deadline"):
            look(Remote(up.url, deadline=0.3), Question(Prompt(text=QUIET), "detect"))
        assert time.monotonic() - started < 1.5


def test_what_a_server_says_of_a_request_is_told():
    """Answers for measuring: who asks in vain reads why, cut where it is long."""
    with upstream() as up:
        up.behave = saying(
            reply(b'{"error":\n"no such model%b"}' % (b"!" * 999), "400 Bad Request")
        )
        with pytest.raises(ModelError, match=r"status 400: .*no such model!") as caught:
            RemoteModel(up.url, "big").answer_many([Prompt(text="q")], max_tokens=7)
    assert len(str(caught.value)) < 500


def test_no_prompt_is_edited_for_a_model_that_nothing_was_measured_on(url):
    """The request goes on as it came, and the trace says why."""
    upstream = Upstream()
    client = promptfix.wrap(upstream.client(), url=url, key=KEY, mode="repair")
    trace = promptfix.trace_of(client.chat.completions.create(**says(GROSS) | {"model": "big"}))
    assert sent(upstream.body) == GROSS
    assert "calibrated" in trace.failure


@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_service_that_refuses_costs_nobody_the_answer(url, key):
    """The request goes on as it came, and the trace says why; the key is not in it."""
    upstream = Upstream()
    client = promptfix.wrap(upstream.client(), url=url, key=key, mode="repair")
    trace = promptfix.trace_of(client.chat.completions.create(**says(GROSS)))
    assert sent(upstream.body) == GROSS
    assert trace.action == "error"
    assert "401" in trace.failure


def test_a_service_that_is_not_there_costs_nobody_the_answer():
    """Sync and async the request goes on as it came, well before an answer would be there."""
    upstream = Upstream()
    gone = "http://127.0.0.1:9"
    client = promptfix.wrap(upstream.client(), url=gone, deadline=0.5)
    other = promptfix.wrap(upstream.async_client(), url=gone, deadline=0.5)
    made = client.chat.completions.create(**says(GROSS))
    also = asyncio.run(other.chat.completions.create(**says(GROSS)))
    assert [promptfix.trace_of(answer).action for answer in (made, also)] == ["error"] * 2
    assert [sent(json.loads(asked.content)) for asked in upstream.requests] == [GROSS] * 2


def test_the_answers_of_a_real_server(url):
    """Our own service answers a wrapped client: what the model hears has the note in it."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY)
    client = promptfix.wrap(client, url=url, key=KEY, mode="repair")
    made = client.chat.completions.create(**says(GROSS))
    assert made.choices[0].message.content == f"heard: {NOTED}"
    assert promptfix.trace_of(made).action == "repaired"
