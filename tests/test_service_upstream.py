"""The service in front of another server: what goes on, what comes back, and what goes wrong."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptfix.errors import PromptError, SettingsError
from promptfix.library import Library
from promptfix.measures import Bound, Measurement, Outcomes, Source
from promptfix.pipeline import Input, Pipeline, Policy
from promptfix.records import Prompt
from promptfix.service.app import create_app
from promptfix.service.settings import ServiceSettings
from promptfix.testing import FakeMicroscope, FakeModel
from tests.serving import CLIENT, GROSS, QUIET, ask, chat, error, library_of, post, seeing, serving
from tests.upstream import (
    BODY,
    EVENTS,
    STREAM_HEAD,
    Upstream,
    chunked,
    reply,
    reset,
    saying,
    streaming,
    upstream,
)

NOTE = "\n[Note: "
TOOL_CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def calibrated(answers: str = "big") -> Library:
    """A library whose detector was measured on the answers of an upstream's model."""
    measured = Measurement(
        detector="unit@1",
        lens="fake",
        annotation="unit-word-statement@1",
        answers=answers,
        calibration=Outcomes(prompts=9, annotated=3, repaired=2, harmed=0),
        harm=Bound(at_most=0.1, confidence=0.95),
        source=Source(command="promptfix mine", data={}, seeds=(0,)),
    )
    return replace(library_of(), measurements={"unit": measured})


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    """An upstream."""
    with upstream() as made:
        yield made


@pytest.fixture(autouse=True)
def _well_behaved(up: Upstream) -> None:
    up.behave = saying(reply())
    up.requests.clear()
    up.hung_up.clear()


@pytest.fixture(scope="module")
def url(up: Upstream) -> Iterator[str]:
    """A service before it, with a detector that was calibrated on its answers."""
    with serving(Pipeline(seeing(), FakeModel(), calibrated()), upstream=up.url) as made:
        yield made


def stream(url: str, body: object, **more: object) -> bytes:
    """All bytes of a stream."""
    return post(url, body, **more).content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    body=JSON | st.dictionaries(st.sampled_from(["messages", "input", "stream", "n", "x"]), JSON),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 0, 3]),
    kind=st.sampled_from(["chat/completions", "completions", "responses"]),
)
def test_requests_pass_byte_for_byte(up, url, body, ascii_only, indent, kind) -> None:
    """Whatever the JSON, the upstream gets the very bytes, and the client the very answer."""
    raw = json.dumps(body, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    response = post(url, raw, path=kind)
    n = body.get("n") if isinstance(body, dict) else None
    if n is not None and not (isinstance(n, int | float) and n <= 16):
        assert response.status_code == 400
        return
    assert (response.status_code, response.content) == (200, BODY)
    assert up.requests[-1].body == raw
    assert up.requests[-1].line == f"POST /v1/{kind} HTTP/1.1"


def test_numbers_escapes_and_doubled_keys_stay(up: Upstream, url: str) -> None:
    """Nothing is decoded and encoded again; only promptfix's own key is taken out."""
    raw = (
        b'{ "model":"big" ,"x":1.50e0, "promptfix" : {"trace":false} ,"a":1,"a":"\\u00e9\\/",'
        b'\r\n"big":123456789012345678901234567890,"messages":[{"role":"user","content":"h"}]}'
    )
    assert post(url, raw).content == BODY
    assert up.requests[-1].body == raw.replace(b'"promptfix" : {"trace":false} ,', b"")


def test_a_name_that_is_repeated_without_end_stops_nobody(up: Upstream, url: str) -> None:
    """Taking it out takes as long as the request is, not the square of that."""
    raw = b"{" + b'"promptfix":null, ' * 50_000 + b'"a":1 }'
    started = time.monotonic()
    assert post(url, raw).content == BODY
    assert time.monotonic() - started < 5
    assert up.requests[-1].body == b'{"a":1 }'


def test_a_huge_request_stops_nobody(url: str) -> None:
    """While it is read and edited the service is alive."""
    many = b'"x":[' + b"[]," * 700_000 + b"[]]"
    raw = b'{"model":"big",%b,"messages":[{"role":"user","content":%b}]}'
    raw %= many, json.dumps(GROSS).encode()
    slowest, headers = 0.0, {"x-promptfix-mode": "repair"}
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(post, url, raw, headers=headers)
        while not asked.done():
            started = time.monotonic()
            assert CLIENT.get(f"{url}/healthz").is_success
            slowest = max(slowest, time.monotonic() - started)
    assert asked.result().headers["x-promptfix-action"] == "repaired"
    assert slowest < 1.5


def test_upstream_prompts_are_only_looked_at_by_default(up: Upstream, url: str) -> None:
    """Something fires, it is told in headers, and nothing is changed."""
    body = json.dumps(chat(GROSS, model="big")).encode()
    response = post(url, body)
    assert up.requests[-1].body == body
    assert response.content == BODY
    assert response.headers["x-promptfix-action"] == "detected"
    assert response.headers["x-promptfix-detectors"] == "unit@1"


def test_a_repair_changes_the_last_turn_alone(up: Upstream, url: str) -> None:
    """Tools, images, the system's text, earlier turns and unknown fields stay as they are."""
    messages = [
        {"role": "system", "content": "two gross"},
        {"role": "user", "content": "one gross"},
        {"role": "assistant", "content": "a gross"},
        {"role": "user", "content": [IMAGE, {"type": "text", "text": GROSS}, IMAGE]},
    ]
    body = {
        "model": "big", "messages": messages, "tools": [{"type": "function"}], "enable": 1.50,
        "response_format": {"type": "json_object"},
    }  # fmt: skip
    response = post(url, body, headers={"x-promptfix-mode": "repair"})
    sent = json.loads(up.requests[-1].body)
    text = sent["messages"][-1]["content"][1].pop("text")
    del messages[-1]["content"][1]["text"]
    assert sent == body
    assert text.startswith(GROSS + NOTE)
    assert response.headers["x-promptfix-action"] == "repaired"
    told = response.json().pop("promptfix")
    assert told["annotation_tokens"] > 0
    assert response.content.startswith(BODY.rstrip()[:-1])


def test_the_trace_says_that_another_model_answers(url: str) -> None:
    """The lens is that of the loaded model, the answer that of the upstream's."""
    body = chat(GROSS, model="big", promptfix={"trace": True, "mode": "repair"})
    trace = post(url, body).json()["promptfix"]["trace"]
    assert (trace["lens"], trace["answers"]) == ("fake", "big")
    assert trace["answer"]["text"] == "It is 288. \u00e9"


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": GROSS}, TOOL_CALL, {"role": "tool", "content": "a gross"}],
        [TOOL_CALL, {"role": "tool", "content": "a"}, {"role": "user", "content": GROSS}],
        [{"role": "user", "content": GROSS}, {"role": "assistant", "content": "a"}],
    ],
)
def test_nothing_is_edited_after_a_tool_call(up: Upstream, url: str, messages: list) -> None:
    """Nor where the last word is not the user's: the request goes on as it came."""
    body = json.dumps({"model": "big", "messages": messages}).encode()
    response = post(url, body, headers={"x-promptfix-mode": "repair"})
    assert up.requests[-1].body == body
    assert response.headers["x-promptfix-action"] == "skipped"


def test_repair_needs_detectors_calibrated_on_the_upstream(up: Upstream, url: str) -> None:
    """For a model on whose answers nothing was measured it is refused, before and at run time."""
    refused = post(url, chat(GROSS, model="other", promptfix={"mode": "repair"}))
    assert refused.status_code == 400
    assert "--answers-from" in error(refused)["message"]
    assert not up.requests
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    for chosen in ({"mode": "repair"}, {"canary": 5}):
        asked = ServiceSettings.read(upstream=up.url, traces=None, **chosen)
        with pytest.raises(SettingsError, match="--answers-from"):
            create_app(pipeline, asked)
    with serving(
        Pipeline(seeing(), FakeModel(), calibrated()), upstream=up.url, mode="repair"
    ) as u:
        assert post(u, chat(GROSS, model="big")).headers["x-promptfix-action"] == "repaired"
        assert post(u, chat(GROSS, model="other")).headers["x-promptfix-action"] == "detected"


def test_detectors_for_an_upstream_do_not_edit_here() -> None:
    """What was measured on another model's answers says nothing about the loaded one's."""
    with serving(Pipeline(seeing(), FakeModel(), calibrated())) as here:
        assert post(here, chat(GROSS)).headers["x-promptfix-action"] == "detected"


@pytest.mark.parametrize(
    ("name", "told"), [(b'"\\ud800"', "?"), (b'"%b"' % (b"m" * 1000), "m" * 200)]
)
def test_a_model_may_be_called_anything(up: Upstream, url: str, name: bytes, told: str) -> None:
    """Its name goes on as it came; where it is kept, it is text that is not long."""
    raw = b'{"model":%b,"messages":[{"role":"user","content":"hi"}]%b}'
    response = post(url, raw % (name, b',"promptfix":{"trace":true}'))
    assert response.json()["promptfix"]["trace"]["answers"] == told
    assert up.requests[-1].body == raw % (name, b"")


def test_streams_are_relayed_byte_for_byte(up: Upstream, url: str) -> None:
    """Comments, line ends and all."""
    up.behave = streaming(*EVENTS)
    response = post(url, chat(QUIET, stream=True))
    assert response.content == b"".join(EVENTS)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-promptfix-action"] == "none"


def test_streams_come_as_they_are_written(up: Upstream, url: str) -> None:
    """The first event is there before the second is written, and the official client reads it."""
    go = threading.Event()
    steps = iter([lambda: None, lambda: go.wait(10), lambda: None])
    up.behave = streaming(*EVENTS, before_each=lambda: next(steps)())  # noqa: PLW0108 - one at a time
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    chunks = iter(ask(client, GROSS, stream=True, extra_body={"promptfix": {"trace": True}}))
    assert next(chunks).model_extra["promptfix"]["trace"]["action"] == "detected"
    assert next(chunks).choices[0].delta.content == "It"
    go.set()
    assert [chunk.choices[0].delta.content for chunk in chunks] == [" is \u00e9"]


@pytest.mark.parametrize(
    ("kind", "asked", "named"),
    [
        ("chat/completions", chat(GROSS), "chat.completion.chunk"),
        ("completions", {"prompt": GROSS}, "text_completion"),
    ],
)
def test_a_stream_opens_with_a_whole_chunk(
    up: Upstream, url: str, kind: str, asked: dict, named: str
) -> None:
    """What promptfix did stands in an event that has all that OpenAI's schema asks for."""
    up.behave = streaming(*EVENTS)
    body = {**asked, "model": "big", "stream": True, "promptfix": {"trace": True}}
    first, rest = stream(url, body, path=kind).split(b"\n\n", 1)
    opening = json.loads(first.removeprefix(b"data: "))
    assert opening.pop("promptfix")["action"] in {"detected", "skipped"}
    assert isinstance(opening.pop("id"), str)
    assert isinstance(opening.pop("created"), int)
    assert opening == {"object": named, "model": "big", "choices": []}
    assert rest == b"".join(EVENTS)


RESPONSE = {
    "id": "r", "object": "response", "created_at": 1, "model": "big", "output": [], "tools": [],
    "parallel_tool_calls": False, "tool_choice": "none", "status": "completed",
}  # fmt: skip


def test_official_helpers_read_the_stream_of_a_repaired_prompt(up: Upstream, url: str) -> None:
    """They keep account of every event: there is none that they do not know."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    asked = {"model": "big", "extra_headers": {"x-promptfix-mode": "repair"}}
    up.behave = streaming(*EVENTS)
    with client.chat.completions.stream(messages=chat(GROSS)["messages"], **asked) as made:
        assert made.get_final_completion().choices[0].message.content == "It is \u00e9"
    up.behave = streaming(
        *(
            f"event: {kind}\ndata: {json.dumps({'type': kind, 'response': RESPONSE})}\n\n".encode()
            for kind in ("response.created", "response.completed")
        )
    )
    with client.responses.stream(input=GROSS, **asked) as made:
        assert made.get_final_response().id == "r"
    said = stream(
        url, {"model": "big", "input": GROSS, "promptfix": {"mode": "repair"}}, path="responses"
    )
    assert said.startswith(b': promptfix: {"action": "repaired"')


def test_a_stream_that_is_packed_unasked_is_unpacked(up: Upstream, url: str) -> None:
    """Whatever the upstream was told of codings, and however it spells the type of its stream."""
    packed, kind = gzip.compress(b"".join(EVENTS)), "Text/Event-Stream; charset=UTF-8"
    up.behave = saying(reply(packed, "200 OK", kind, "content-encoding: gzip"))
    response = post(url, chat(QUIET, stream=True))
    assert (response.status_code, response.content) == (200, b"".join(EVENTS))
    assert "content-encoding" not in response.headers


def test_a_silent_upstream_is_kept_company(up: Upstream) -> None:
    """Comments come until the first event does, and none within the upstream's own bytes."""
    go = threading.Event()

    def behave(connection: socket.socket, _request: object) -> None:
        connection.sendall(STREAM_HEAD)
        go.wait(0.5)
        connection.sendall(chunked(EVENTS[0][:9]))
        go.wait(0.3)
        connection.sendall(chunked(EVENTS[0][9:] + EVENTS[2]) + b"0\r\n\r\n")

    up.behave = behave
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with serving(pipeline, upstream=up.url, keep_alive_seconds=0.1) as url:
        said = stream(url, chat(QUIET, stream=True))
    assert said.startswith(b": keep-alive\n\n")
    assert said.endswith(EVENTS[0] + EVENTS[2])


def hang(connection: socket.socket, _request: object) -> None:
    """Say nothing until the other side hangs up."""
    connection.settimeout(20)
    connection.recv(1)


def half_a_stream(connection: socket.socket, _request: object) -> None:
    connection.sendall(STREAM_HEAD + chunked(EVENTS[0][:20]))
    reset(connection)


def closing(*parts: bytes):
    def behave(connection: socket.socket, request: object) -> None:
        saying(*parts)(connection, request)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


HTML = b"<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("behave", "status", "code"),
    [
        (hang, 504, "model_timeout"),
        (lambda connection, _: reset(connection), 502, "model_error"),
        (closing(b""), 502, "model_error"),
        (saying(reply(HTML, kind="text/html")), 502, "model_error"),
        (saying(reply(HTML, "503 Service Unavailable", "text/html")), 503, "upstream_error"),
        (saying(reply(BODY[:-70])), 502, "model_error"),
        (saying(reply(BODY.replace("\u00e9".encode(), b"\xc3"))), 502, "model_error"),
        (closing(reply()[:-5]), 502, "model_error"),
        (closing(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}"), 502, "model_error"),
        (closing(b"nonsense\r\n\r\n"), 502, "model_error"),
        (saying(reply(b"[]")), 502, "model_error"),
        (saying(reply(b"", "302 Found", "text/html", "location: http://x/")), 502, "model_error"),
        (saying(reply(b'{"error":"Unauthorized"}', "401 Unauthorized")), 401, "upstream_error"),
        (saying(reply(b'{"detail":"no"}', "422 Unprocessable")), 422, "upstream_error"),
    ],
    ids=str,
)
def test_a_misbehaving_upstream_is_an_error_in_openais_shape(up, behave, status, code) -> None:
    """Whatever comes instead of an answer, the client can read what happened."""
    up.behave = behave
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with serving(pipeline, upstream=up.url, upstream_seconds=0.5) as url:
        for streamed in (False, True):
            response = post(url, chat(QUIET, stream=streamed))
            assert response.status_code == status, response.text
            assert error(response)["code"] == code


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([{"error": {"code": 400, "message": "key not valid"}}], "key not valid"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too big"}]}, "body.n: too big"),
        ({"detail": [{"msg": "too big"}]}, "too big"),
        (
            {"error": {"code": "x"}},
            'the upstream answered with status 400: {"error": {"code": "x"}}',
        ),
        (["\u00e9" * 1000], 'the upstream answered with status 400: ["' + "\u00e9" * 298),
        (None, "the upstream answered with status 400"),
    ],
    ids=str,
)
def test_what_an_upstreams_error_says_is_told(up: Upstream, url: str, body, said: str) -> None:
    """In the shapes of other servers too; what has none is told as it came, cut."""
    raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    up.behave = saying(reply(raw, "400 Bad Request"))
    assert error(post(url, chat(QUIET)))["message"] == said


def test_an_upstreams_own_error_comes_back_as_it_is(up: Upstream, url: str) -> None:
    """With its Retry-After, which the official client honours; it is not asked twice here."""
    body = b'{"error": {"message":"slow down","type":"rate_limit","code":429, "x":1}}'
    more = ("retry-after: 7", "x-ratelimit-remaining: 0", "set-cookie: a=b")
    up.behave = saying(reply(body, "429 Too Many Requests", "application/json", *more))
    response = post(url, chat(QUIET))
    assert (response.status_code, response.content) == (429, body)
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert "set-cookie" not in response.headers
    assert len(up.requests) == 1


@pytest.mark.parametrize(
    ("behave", "kept"),
    [
        (half_a_stream, EVENTS[0][:20]),
        (closing(STREAM_HEAD + chunked(EVENTS[0])), EVENTS[0]),
        (closing(STREAM_HEAD + chunked(EVENTS[0]) + b"zz\r\n"), EVENTS[0]),
    ],
    ids=["reset", "cut off", "bad chunk"],
)
def test_a_stream_that_breaks_off_says_so(up: Upstream, url: str, behave, kept) -> None:
    """What came is relayed; then an error, which no half event swallows, and [DONE]."""
    up.behave = behave
    said = stream(url, chat(QUIET, stream=True))
    assert said.startswith(kept)
    blank, told, done, rest = said[len(kept) :].rsplit(b"\n\n", 3)
    assert json.loads(told.removeprefix(b"data: "))["error"]["code"] == "model_error"
    assert (done, rest) == (b"data: [DONE]", b"")
    assert not blank.strip()


@pytest.mark.parametrize("junk", [b"\xff\xfe garbage", b"data: {not json}\n\ndata: [DO", b""])
def test_garbage_in_a_stream_is_the_upstreams_own(up: Upstream, url: str, junk: bytes) -> None:
    """It is relayed byte for byte, as all else."""
    up.behave = streaming(*([junk] if junk else []))
    assert stream(url, chat(QUIET, stream=True)) == junk


def test_a_refused_connection_is_tried_again() -> None:
    """Twice, with a pause; then it is a 502. Nothing is asked twice once a connection stands."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with serving(pipeline, upstream=f"http://127.0.0.1:{port}/v1") as url:
        started = time.monotonic()
        response = post(url, chat(QUIET))
        assert time.monotonic() - started >= 0.3
        assert (response.status_code, error(response)["code"]) == (502, "model_error")
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(post, url, chat(QUIET))
            time.sleep(0.05)
            with socket.create_server(("127.0.0.1", port)) as late:
                connection, _ = late.accept()
                connection.recv(9)
                connection.sendall(reply())
                assert asked.result().content == BODY
                connection.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_hangs_up_frees_the_upstream(up: Upstream, url: str, streamed: bool) -> None:
    """The connection to the upstream is closed at once, before and within an answer."""
    up.behave = streaming(EVENTS[0], *[b": more\n\n"] * 100, before_each=lambda: time.sleep(0.05))
    where, body = f"{url}/v1/chat/completions", chat(QUIET)
    if streamed:
        with CLIENT.stream("POST", where, json=body) as response:
            next(response.iter_raw())
    else:
        up.behave = hang
        with pytest.raises(httpx2.ReadTimeout):
            CLIENT.post(where, json=body, timeout=0.4)
    assert up.hung_up.wait(3)


def test_headers_that_go_on(up: Upstream) -> None:
    """The client's key stays here unless it is to be forwarded; the configured one is sent."""
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    sent = {
        "authorization": "Bearer mine",
        "cookie": "c=1",
        "openai-beta": "b",
        "x-request-id": "q",
    }

    def received(**chosen: object) -> dict[str, str]:
        with serving(pipeline, upstream=up.url, **chosen) as url:
            assert post(url, chat(QUIET), headers=sent).headers["x-request-id"] == "q"
        return up.requests[-1].headers

    plain = received()
    assert not {"authorization", "cookie"} & set(plain)
    assert (plain["openai-beta"], plain["x-request-id"]) == ("b", "q")
    assert received(upstream_key="theirs")["authorization"] == "Bearer theirs"
    assert received(forward_authorization=True)["authorization"] == "Bearer mine"


def test_headers_need_not_be_ascii(up: Upstream, url: str) -> None:
    """Their bytes go on as they came; an id of the request that is not plain is another."""
    sent = {"openai-project": "caf\u00e9".encode("latin-1"), "x-request-id": "caf\u00e9".encode()}
    response = post(url, chat(QUIET), headers=sent)
    assert (response.status_code, response.content) == (200, BODY)
    heard = up.requests[-1].headers
    assert heard["openai-project"] == "caf\u00e9"
    assert heard["x-request-id"] == response.headers["x-request-id"] != "caf\u00e9"
    assert heard["x-request-id"].isascii()


@pytest.mark.parametrize(
    "body",
    [
        chat(QUIET, base_url="http://evil"),
        chat(QUIET, user_config={"a": [{"api_base": "http://evil"}]}),
        [{"base_url": 1}],
    ],
)
def test_addresses_in_requests_are_refused(up: Upstream, url: str, body: object) -> None:
    """At any depth, and in headers; the upstream never hears of it."""
    assert post(url, body).status_code == 400
    assert post(url, chat(QUIET), headers={"x-api-base": "http://evil"}).status_code == 400
    assert not up.requests


SCHEMA = {"type": "object", "properties": {"base_url": {"type": "string"}}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
        {"functions": [{"name": "f", "parameters": SCHEMA}]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ],
)
def test_what_a_tools_argument_is_called_is_no_address(up: Upstream, url: str, body: dict) -> None:
    """A schema may name one as it likes; beside it addresses are refused as ever."""
    assert post(url, chat(QUIET) | body).is_success
    named = chat(QUIET, extra=[{"base_url": "http://evil"}]) | body
    assert post(url, named).status_code == 400
    assert len(up.requests) == 1


def test_limits(up: Upstream) -> None:
    """Too many answers or tokens are refused; prompts too long to read go on unread."""
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    chosen = {"max_n": 2, "max_tokens": 5, "max_prompt_tokens": 9}
    with serving(pipeline, upstream=up.url, **chosen) as url:
        for name, value in (("n", 3), ("max_tokens", 6), ("max_output_tokens", 6)):
            assert error(post(url, chat(QUIET, **{name: value})))["param"] == name
            for other in (f"{value}", [value], {}):
                assert error(post(url, chat(QUIET, **{name: other})))["param"] == name
            assert post(url, chat(QUIET, **{name: None})).is_success
        for prompt, status in ((["a", "b"], 200), ([1, 2, 3], 200), (["a", "b", "c"], 400)):
            assert post(url, {"prompt": prompt}, path="completions").status_code == status
        assert post(url, {"prompt": [[1], [2]], "n": 2}, path="completions").status_code == 400
        long = post(url, chat(GROSS * 9))
        assert (long.status_code, long.headers["x-promptfix-action"]) == (200, "skipped")


class Refusing(FakeModel):
    """A model whose chat template takes no system's text."""

    def encode(self, prompt: Input) -> tuple[int, ...]:
        """Count words, unless there is a system's text."""
        if isinstance(prompt, Prompt) and prompt.system:
            raise PromptError("System role not supported")
        return super().encode(prompt)


@pytest.mark.parametrize("chosen", [{}, {"max_prompt_tokens": 99}])
def test_a_template_that_refuses_costs_nobody_the_answer(up: Upstream, chosen: dict) -> None:
    """With a limit on what is read as without one, the request goes on unread."""
    broken = FakeMicroscope(broken=PromptError("System role not supported"))
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": GROSS}]
    with serving(Pipeline(broken, Refusing(), library_of()), upstream=up.url, **chosen) as url:
        response = post(url, {"model": "big", "messages": messages})
    assert (response.status_code, response.content) == (200, BODY)
    assert response.headers["x-promptfix-action"] == "error"


class Slow(FakeMicroscope):
    """A microscope that takes its time."""

    def read(self, *args: object, **more: object) -> object:
        """Read, in the end."""
        time.sleep(0.6)
        return super().read(*args, **more)


def test_slow_reading_costs_nobody_the_answer(up: Upstream) -> None:
    """After its deadline the original goes on; only if failures are to be errors it is one."""
    for policy, status in ((Policy(), 200), (Policy(on_failure="error"), 503)):
        pipeline = Pipeline(Slow(), FakeModel(), library_of(), policy)
        with serving(pipeline, upstream=up.url, reading_seconds=0.1) as url:
            started = time.monotonic()
            response = post(url, chat(GROSS))
            assert time.monotonic() - started < 0.5
            assert response.status_code == status
            assert status == 503 or response.headers["x-promptfix-action"] == "error"


def test_models_are_the_upstreams(up: Upstream, url: str) -> None:
    """Listed and described by it; a name cannot lead anywhere else."""
    assert CLIENT.get(f"{url}/v1/models").content == BODY
    assert up.requests[-1].line == "GET /v1/models HTTP/1.1"
    CLIENT.get(f"{url}/v1/models/meta/llama%3F")
    assert up.requests[-1].line == "GET /v1/models/meta/llama%3F HTTP/1.1"
    count = len(up.requests)
    assert CLIENT.get(f"{url}/v1/models/%2e%2e/%2e%2e/admin").status_code == 404
    assert len(up.requests) == count


def test_two_hundred_streams_at_once(up: Upstream) -> None:
    """All of them are open at the same time, and each gets its own bytes."""
    together = threading.Barrier(201)
    up.behave = streaming(EVENTS[0], EVENTS[2], before_each=_once(lambda: together.wait(60)))
    pipeline = Pipeline(seeing(), FakeModel(), library_of())
    with (
        serving(pipeline, upstream=up.url, reading_seconds=60) as url,
        ThreadPoolExecutor(200) as p,
    ):
        said = [p.submit(stream, url, chat(QUIET, stream=True), timeout=60) for _ in range(200)]
        together.wait(60)
        assert {one.result() for one in said} == {EVENTS[0] + EVENTS[2]}


def _once(wait):
    """Wait at the first call of each thread only."""
    known = threading.local()

    def before() -> None:
        if not getattr(known, "waited", False):
            known.waited = True
            wait()

    return before


def test_looking_alone_delays_nobody(up: Upstream) -> None:
    """Where nothing will be edited, the upstream answers while the prompt is being looked at."""
    up.behave = lambda connection, _: (time.sleep(0.6), connection.sendall(reply()))
    pipeline = Pipeline(Slow({"gross": {4: 2.0}}), FakeModel(), library_of())
    with serving(pipeline, upstream=up.url) as url:
        started = time.monotonic()
        assert post(url, chat(GROSS)).headers["x-promptfix-action"] == "detected"
        assert time.monotonic() - started < 1.1
