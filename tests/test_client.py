"""OpenAI's own clients, wrapped: everything they can do stays, and each answer has its trace."""

import asyncio
import gzip
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio.to_thread
import httpx
import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import promptfix
from promptfix.client import InProcess, Transport
from promptfix.client.exchange import Question
from promptfix.errors import PromptfixWarning
from promptfix.formats import Term
from promptfix.library import load
from promptfix.pipeline import Pipeline
from promptfix.records import Prompt
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors

ROOT = Path(__file__).parents[1]
GROSS = "A shop has two gross of pencils. How many is that?"
QUIET = "How many legs has a cat?"
UNIT = detector("unit", parts=[Term(feature=4, weight=1.0, at="user")], lexical=True)
LIBRARY = with_detectors(load(ROOT / "detectors", ROOT / "annotations"), UNIT)
FAKES = Pipeline(FakeMicroscope({"gross": {4: 2.0}}), FakeModel(), LIBRARY)
NOTED = FAKES.repair(GROSS).repair.repaired.text
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


class Sum(BaseModel):
    """What a parsed answer holds."""

    total: int


def completion(**more):
    message = {"role": "assistant", "content": '{"total": 288}', "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    made = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return made | {"choices": [choice]} | more


def chunks():
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for delta, reason in (({"role": "assistant", "content": "288"}, None), ({}, "stop")):
        yield base | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def response():
    said = {"type": "output_text", "text": '{"total": 288}', "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
    made = {"id": "r", "object": "response", "created_at": 1, "model": "m", "tools": []}
    made |= {"status": "completed", "parallel_tool_calls": True, "tool_choice": "auto"}
    return made | {"output": [message | {"content": [said]}]}


def events():
    yield {"type": "response.created", "sequence_number": 0, "response": response()}
    yield {"type": "response.completed", "sequence_number": 1, "response": response()}


def sse(items):
    lines = [f"event: {i.get('type', 'message')}\ndata: {json.dumps(i)}\n\n" for i in items]
    return "".join(lines) + "data: [DONE]\n\n"


class Upstream:
    """A server that answers at once and remembers what it was sent."""

    def __init__(self):
        self.requests = []
        self.first = []
        """Answered before all others."""

    def __call__(self, request):
        """Answer in the form that the path and `stream` ask for."""
        self.requests.append(request)
        if self.first:
            return self.first.pop(0)
        body = json.loads(request.content) if request.content else {}
        conversational = request.url.path.endswith("/responses")
        if body.get("stream"):
            text = sse(events() if conversational else chunks())
            return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})
        if request.url.path.endswith("/embeddings"):
            return httpx2.Response(200, json={"object": "list", "data": [], "model": "m"})
        return httpx2.Response(200, json=response() if conversational else completion())

    @property
    def body(self):
        """What was sent last."""
        return json.loads(self.requests[-1].content)

    def client(self, **more):
        """A client of this server."""
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        return openai.OpenAI(api_key="k", base_url="http://up/v1", http_client=http, **more)

    def async_client(self, **more):
        """An async one."""
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return openai.AsyncOpenAI(api_key="k", base_url="http://up/v1", http_client=http, **more)


@pytest.fixture
def upstream():
    return Upstream()


@pytest.fixture
def microscope():
    """A microscope in which feature 4 fires on "gross"."""
    return FakeMicroscope({"gross": {4: 2.0}})


@pytest.fixture
def pipeline(microscope):
    return Pipeline(microscope, FakeModel(), LIBRARY)


@pytest.fixture
def client(upstream, pipeline):
    """A wrapped client that repairs."""
    return promptfix.wrap(upstream.client(), pipeline=pipeline, mode="repair")


def says(text):
    return {"model": "fake", "messages": [{"role": "user", "content": text}]}


CALLS = {
    "create": lambda c: c.chat.completions.create(**says(GROSS)),
    "parse": lambda c: c.chat.completions.parse(**says(GROSS), response_format=Sum),
    "raw": lambda c: c.chat.completions.with_raw_response.create(**says(GROSS)),
    "stream=True": lambda c: c.chat.completions.create(**says(GROSS), stream=True),
    "with_options": lambda c: c.with_options(timeout=9).chat.completions.create(**says(GROSS)),
    "tools": lambda c: c.chat.completions.create(**says(GROSS), tools=TOOLS),
    "responses": lambda c: c.responses.create(model="fake", input=GROSS),
    "responses parsed": lambda c: c.responses.parse(model="fake", input=GROSS, text_format=Sum),
    "responses stream=True": lambda c: c.responses.create(model="fake", input=GROSS, stream=True),
    "beta": lambda c: c.beta.chat.completions.parse(**says(GROSS), response_format=Sum),
}
STREAMS = {
    "stream": lambda c: c.chat.completions.stream(**says(GROSS)),
    "responses stream": lambda c: c.responses.stream(model="fake", input=GROSS),
    "streamed raw": lambda c: c.chat.completions.with_streaming_response.create(**says(GROSS)),
}


def sent(body):
    return body["input"] if "input" in body else body["messages"][-1]["content"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_way_to_ask_is_repaired_and_traced(client, upstream, call):
    """The sync client, by whichever method."""
    made = call(client)
    assert sent(upstream.body) == NOTED
    assert promptfix.trace_of(made).action == "repaired"
    assert promptfix.trace_of(made).prompt.text == GROSS


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_way_to_ask_works_async(upstream, pipeline, call):
    """The async client, by whichever method."""

    async def ask():
        client = promptfix.wrap(upstream.async_client(), pipeline=pipeline, mode="repair")
        made = call(client)
        return await made if inspect.isawaitable(made) else made

    made = asyncio.run(ask())
    assert sent(upstream.body) == NOTED
    assert promptfix.trace_of(made).action == "repaired"


@pytest.mark.parametrize("call", STREAMS.values(), ids=STREAMS)
def test_helpers_that_stream(client, upstream, pipeline, call):
    """`.stream()` and `with_streaming_response`, sync and async, to their ends."""

    async def ask():
        other = promptfix.wrap(upstream.async_client(), pipeline=pipeline, mode="repair")
        async with call(other) as made:
            items = made if hasattr(made, "__aiter__") else made.iter_bytes()
            return [item async for item in items], promptfix.trace_of(made)

    with call(client) as made:
        got = list(made if hasattr(made, "__iter__") else made.iter_bytes())
        trace = promptfix.trace_of(made)
    other_got, other_trace = asyncio.run(ask())
    assert got
    assert len(other_got) == len(got)
    assert trace.action == other_trace.action == "repaired"
    assert [sent(json.loads(r.content)) for r in upstream.requests] == [NOTED, NOTED]


def test_answers_are_what_they_were(client, upstream):
    """Parsed values, chunks and extra fields come through."""
    upstream.first = [httpx2.Response(200, json=completion(extra=[1.50]))]
    made = client.chat.completions.create(**says(GROSS))
    assert made.choices[0].message.content == '{"total": 288}'
    assert made.model_extra["extra"] == [1.5]
    parsed = client.chat.completions.parse(**says(GROSS), response_format=Sum)
    assert parsed.choices[0].message.parsed == Sum(total=288)
    streamed = client.chat.completions.create(**says(GROSS), stream=True)
    assert [chunk.choices[0].delta.content for chunk in streamed] == ["288", None]
    raw = client.chat.completions.with_raw_response.create(**says(GROSS))
    assert raw.headers["x-promptfix-action"] == "repaired"
    assert raw.headers["x-promptfix-detectors"] == "unit@1"
    assert raw.headers["x-promptfix-trace-id"] == promptfix.trace_of(raw).id
    assert float(raw.headers["x-promptfix-overhead-ms"]) > 0
    assert raw.parse().choices == made.choices


def test_types_are_kept(upstream, pipeline):
    """The same class comes back, derived ones too."""
    azure = openai.AzureOpenAI(
        api_key="k",
        api_version="1",
        azure_endpoint="http://up",
        http_client=httpx2.Client(transport=httpx2.MockTransport(upstream)),
    )
    for client in (upstream.client(), upstream.async_client(), azure):
        assert type(promptfix.wrap(client, pipeline=pipeline)) is type(client)
    made = promptfix.wrap(azure, pipeline=pipeline).chat.completions.create(**says(GROSS))
    assert promptfix.trace_of(made).action == "detected"
    assert upstream.requests[-1].url.path.startswith("/openai/deployments/fake/")


@pytest.mark.parametrize(
    ("text", "mode", "action"),
    [(QUIET, "repair", "none"), (GROSS, "detect", "detected"), (GROSS, "off", None)],
)
def test_an_unrepaired_request_is_untouched(upstream, pipeline, text, mode, action):
    """Byte for byte, header for header, as the client without promptfix sends it."""
    upstream.client().chat.completions.create(**says(text))
    client = promptfix.wrap(upstream.client(), pipeline=pipeline, mode=mode)
    made = client.chat.completions.create(**says(text))
    before, after = upstream.requests
    assert after.content == before.content
    assert after.headers == before.headers
    trace = promptfix.trace_of(made)
    assert (trace and trace.action) == action


def test_detect_is_the_default(upstream, pipeline):
    """What one model misreads, the one that answers may read well."""
    client = promptfix.wrap(upstream.client(), pipeline=pipeline)
    made = client.chat.completions.create(**says(GROSS))
    assert sent(upstream.body) == GROSS
    assert promptfix.trace_of(made).findings[0].detector == "unit@1"


def test_another_model_is_only_looked_at_for(client, upstream):
    """Repairs are for models they were measured on; a wish for more is answered by a warning."""
    with pytest.warns(PromptfixWarning, match="'big'"):
        made = client.chat.completions.create(**says(GROSS) | {"model": "big"})
    trace = promptfix.trace_of(made)
    assert (trace.action, trace.answers) == ("detected", "big")
    assert sent(upstream.body) == GROSS


def test_only_the_last_user_turn_is_edited(client, upstream, microscope):
    """Nothing else of a conversation, and nothing once a tool was called."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    before = [{"role": "system", "content": "Count in gross."}, {"role": "user", "content": GROSS}]
    said = {"role": "assistant", "content": "144 gross"}
    parts = [{"type": "text", "text": GROSS}, {"type": "image_url", "image_url": {"url": "u"}}]
    messages = [*before, said, {"role": "user", "content": parts}]
    client.chat.completions.create(model="fake", messages=messages)
    assert upstream.body["messages"][:3] == messages[:3]
    assert upstream.body["messages"][3]["content"] == [{"type": "text", "text": NOTED}, parts[1]]
    looks = len(microscope.looked_at)
    tool = {"role": "tool", "tool_call_id": "1", "content": "gross"}
    messages = [*before, {"role": "assistant", "tool_calls": [call]}, tool]
    made = client.chat.completions.create(model="fake", messages=messages)
    assert upstream.body["messages"] == messages
    assert promptfix.trace_of(made) is None
    raw = client.chat.completions.with_raw_response.create(model="fake", messages=messages)
    assert raw.headers["x-promptfix-action"] == "skipped"
    assert len(microscope.looked_at) == looks


def test_other_calls_pass(client, upstream):
    """What is no conversation is sent as it is and gets no headers."""
    raw = client.embeddings.with_raw_response.create(model="fake", input=GROSS)
    assert upstream.body["input"] == GROSS
    assert not [name for name in raw.headers if "promptfix" in name]
    client.completions.create(model="fake", prompt=GROSS)
    assert upstream.body["prompt"] == GROSS


def test_a_request_may_say_otherwise(client, upstream):
    """In its header or its body, neither of which reaches the server; the body goes first."""

    def ask(header=None, **told):
        made = client.chat.completions.create(
            **says(GROSS),
            extra_headers={"x-promptfix-mode": header} if header else {},
            extra_body={"promptfix": told} if told else {},
        )
        assert "promptfix" not in upstream.body
        assert "x-promptfix-mode" not in upstream.requests[-1].headers
        return sent(upstream.body), promptfix.trace_of(made)

    assert ask("off") == (GROSS, None)
    assert ask("detect")[1].action == "detected"
    assert ask("off", mode="repair")[0] == NOTED
    assert ask(max_annotations=0)[0] == GROSS
    assert ask(trace=False) == (NOTED, None)


def test_a_wish_that_makes_no_sense_is_refused(client, upstream):
    """As the service does, and nothing is sent."""
    for more in ({"extra_headers": {"x-promptfix-mode": "fix"}}, {"extra_body": {"promptfix": 7}}):
        with pytest.raises(openai.BadRequestError, match="promptfix"):
            client.chat.completions.create(**says(GROSS), **more)
    assert upstream.requests == []


def test_a_broken_reader_costs_nobody_the_answer(upstream, pipeline, microscope):
    """The request goes on as it came, and the trace says why."""
    microscope.broken = RuntimeError("no tensor")
    made = promptfix.wrap(upstream.client(), pipeline=pipeline).chat.completions.create(
        **says(GROSS)
    )
    assert sent(upstream.body) == GROSS
    assert promptfix.trace_of(made).action == "error"
    assert promptfix.trace_of(made).failure == "no tensor"


class Stuck(FakeMicroscope):
    """A microscope that never comes to an end by itself."""

    go = threading.Event()

    def read(self, prompt, prefill=None, *, keep=True):
        """Wait for `go`."""
        self.go.wait(20)
        return super().read(prompt, prefill, keep=keep)


def test_a_slow_reader_costs_nobody_the_answer(upstream):
    """After the deadline the request goes on, sync and async."""
    pipeline = Pipeline(Stuck(), FakeModel(), LIBRARY)
    client = promptfix.wrap(upstream.client(), pipeline=pipeline, deadline=0.05)
    other = promptfix.wrap(upstream.async_client(), pipeline=pipeline, deadline=0.05)
    try:
        made = client.chat.completions.create(**says(GROSS))
        also = asyncio.run(other.chat.completions.create(**says(GROSS)))
    finally:
        Stuck.go.set()
    for answer in (made, also):
        assert promptfix.trace_of(answer).action == "error"
        assert "deadline" in promptfix.trace_of(answer).failure


def test_many_that_wait_keep_nobody_else_waiting(upstream):
    """All are let go at the deadline, and the app's own threads are free all the while."""
    stuck = Stuck()
    stuck.go = threading.Event()
    pipeline = Pipeline(stuck, FakeModel(), LIBRARY)
    client = promptfix.wrap(upstream.async_client(), pipeline=pipeline, deadline=1.0)

    async def ask():
        started = time.monotonic()
        asked = [asyncio.ensure_future(client.chat.completions.create(**says(GROSS)))]
        asked += [
            asyncio.ensure_future(client.chat.completions.create(**says(QUIET))) for _ in range(99)
        ]
        await asyncio.sleep(0.2)
        await anyio.to_thread.run_sync(lambda: None)
        free = time.monotonic() - started
        answers = await asyncio.gather(*asked)
        return free, time.monotonic() - started, answers

    try:
        free, whole, answers = asyncio.run(ask())
    finally:
        stuck.go.set()
    assert free < 0.9
    assert whole < 1.9
    assert {promptfix.trace_of(answer).action for answer in answers} == {"error"}


def test_a_process_that_was_forked_looks_too(pipeline):
    """The thread that read before the fork is not there any more, and another one is."""
    reader, question = InProcess(pipeline, deadline=5.0), Question(Prompt(text=GROSS), "detect")
    assert reader.look(question).action == "detected"
    if (child := os.fork()) == 0:
        try:
            os._exit(0 if reader.look(question).action == "detected" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Broken:
    """A reader that fails."""

    def look(self, question):
        """Fail."""
        raise ZeroDivisionError(question.prompt.text)


def test_failures_can_be_errors(upstream):
    """Who asked for errors gets what went wrong, and nothing is sent."""
    transport = Transport(upstream.client()._client, Broken(), on_failure="error")
    client = openai.OpenAI(
        api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)
    )
    with pytest.raises(ZeroDivisionError):
        client.chat.completions.create(**says(GROSS))
    assert upstream.requests == []


def test_retries_and_errors_are_the_clients_own(client, upstream):
    """A server that is busy is asked again, with the same note; other errors come through."""
    busy = httpx2.Response(429, json={"error": {"message": "busy"}}, headers={"retry-after": "0"})
    upstream.first = [busy]
    client.chat.completions.create(**says(GROSS))
    assert [sent(json.loads(r.content)) for r in upstream.requests] == [NOTED, NOTED]
    upstream.first = [httpx2.Response(401, json={"error": {"message": "no", "code": "c"}})]
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(**says(GROSS))
    assert caught.value.code == "c"
    assert "promptfix" not in caught.value.body
    assert caught.value.response.headers["x-promptfix-action"] == "repaired"


def test_answers_may_be_compressed_or_odd(client, upstream):
    """A trace goes into what is a JSON object, and everything else is left alone."""
    packed = gzip.compress(json.dumps(completion()).encode())
    headers = {"content-type": "application/json; charset=utf-8"}
    upstream.first = [
        httpx2.Response(200, content=packed, headers=headers | {"content-encoding": "gzip"}),
        httpx2.Response(200, content=b"[1.50]", headers=headers),
        httpx2.Response(200, content=b"{ }\n", headers=headers),
        httpx2.Response(200, html="<p>"),
    ]
    made = client.chat.completions.create(**says(GROSS))
    assert made.choices[0].message.content == '{"total": 288}'
    raw = [client.chat.completions.with_raw_response.create(**says(GROSS)) for _ in range(3)]
    assert raw[0].http_response.content == b"[1.50]"
    assert list(raw[1].http_response.json()) == ["promptfix"]
    assert raw[2].http_response.content == b"<p>"
    assert all(promptfix.trace_of(one).action == "repaired" for one in raw)


def test_settings_of_the_http_client_are_kept(upstream, pipeline):
    """Headers, parameters, hooks, authentication, timeouts and redirects."""
    seen = []
    http = httpx2.Client(
        transport=httpx2.MockTransport(upstream),
        headers={"x-corp": "1"},
        params={"q": "2"},
        auth=("me", "pass"),
        follow_redirects=True,
        event_hooks={"request": [lambda request: seen.append(request.content)]},
    )
    upstream.first = [httpx2.Response(307, headers={"location": "http://up/v2/chat/completions"})]
    client = promptfix.wrap(
        openai.OpenAI(api_key="k", base_url="http://up/v1", http_client=http),
        pipeline=pipeline,
        mode="repair",
    )
    client.with_options(timeout=7.0).chat.completions.create(**says(GROSS))
    assert [request.url.path for request in upstream.requests] == [
        "/v1/chat/completions",
        "/v2/chat/completions",
    ]
    last = upstream.requests[-1]
    assert sent(upstream.body) == NOTED
    assert seen[-1] == last.content
    assert last.headers["x-corp"] == "1"
    assert last.headers["authorization"].startswith("Basic ")
    assert upstream.requests[0].url.params["q"] == "2"
    assert last.extensions["timeout"]["read"] == 7.0
    client.close()
    assert http.is_closed


def test_what_cannot_be_wrapped_is_said(pipeline):
    """Clients of the older httpx, and things that are no clients."""
    old = openai.OpenAI(api_key="k", http_client=httpx.Client())
    for thing in (old, object()):
        with pytest.raises(TypeError, match="httpx2"):
            promptfix.wrap(thing, pipeline=pipeline)
    with pytest.raises(TypeError, match="not both"):
        promptfix.wrap(openai.OpenAI(api_key="k"), pipeline=pipeline, url="http://127.0.0.1")


def test_there_is_no_trace_of_other_things():
    """Answers of clients that are not wrapped, and anything else."""
    made = Upstream().client().chat.completions.create(**says(GROSS))
    assert [promptfix.trace_of(thing) for thing in (made, None, "x")] == [None] * 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(body=JSON | st.dictionaries(st.sampled_from(["messages", "input", "stream"]), JSON))
def test_any_json_passes_byte_for_byte(body):
    """Nothing fires: what goes in comes out, whatever it is."""
    upstream = Upstream()
    inner = httpx2.Client(
        transport=httpx2.MockTransport(
            lambda r: upstream.requests.append(r) or httpx2.Response(204)
        )
    )
    reader = InProcess(Pipeline(FakeMicroscope(), FakeModel(), LIBRARY))
    with httpx2.Client(transport=Transport(inner, reader, "repair")) as http:
        raw = json.dumps(body, indent=1).encode()
        http.post("http://up/v1/chat/completions", content=raw)
    assert upstream.requests[-1].content == raw


def test_wrapping_loads_nothing_heavy():
    """With a url neither torch nor litestar nor the openai package is imported."""
    code = (
        "import sys, promptfix; promptfix.wrap, promptfix.trace_of; "
        "import promptfix.client; promptfix.client.Remote('http://127.0.0.1'); "
        "print({'torch', 'transformers', 'litestar', 'openai', 'sae_lens'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"
