"""The service over a real socket, with the official OpenAI client and a plain HTTP client."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from structlog.testing import capture_logs

from promptfix.errors import (
    MicroscopeError,
    ModelError,
    ModelTimeout,
    PromptError,
    PromptfixError,
    PromptTooLong,
    SettingsError,
)
from promptfix.library import Library
from promptfix.pipeline import Pipeline, Policy
from promptfix.records import Prompt, Sampling, Trace
from promptfix.service import work
from promptfix.service.app import create_app
from promptfix.service.serving import bind
from promptfix.service.settings import ServiceSettings
from promptfix.settings import as_toml
from promptfix.testing import FakeMicroscope, FakeModel
from tests.serving import (
    CLIENT,
    GROSS,
    QUIET,
    Model,
    ask,
    chat,
    error,
    library_of,
    post,
    seeing,
    serving,
)

KEY = "a key for the tests"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()


@pytest.fixture(scope="module")
def library() -> Library:
    """The library's own annotations, with one detector of the fake lens."""
    return library_of()


@pytest.fixture
def microscope() -> FakeMicroscope:
    """A microscope in which feature 4 fires on "gross"."""
    return seeing()


@pytest.fixture
def model() -> Model:
    """The model behind `url`."""
    return Model()


@pytest.fixture
def url(microscope: FakeMicroscope, model: Model, library: Library) -> Iterator[str]:
    """The address of a service of fakes."""
    with serving(Pipeline(microscope, model, library), max_body=100_000) as address:
        yield address


@pytest.fixture(scope="module")
def shared(library: Library) -> Iterator[str]:
    """The address of a service that many tests share."""
    with serving(Pipeline(FakeMicroscope(), FakeModel(), library)) as address:
        yield address


@pytest.fixture(scope="module")
def in_process(library: Library) -> Iterator[TestClient]:
    """The application without a socket."""
    app = create_app(Pipeline(FakeMicroscope(), FakeModel(), library), ServiceSettings(traces=None))
    with TestClient(app, base_url="http://127.0.0.1") as made:
        yield made


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """The official client, pointed at the service."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_misread_prompt_is_repaired(client: openai.OpenAI, model: Model) -> None:
    """The official client gets the answer to the repaired prompt, and is told what was done."""
    made = ask(client, GROSS)
    assert "144" in model.asked[-1][0].text
    assert made.choices[0].message.content == f"heard: {model.asked[-1][0].text}"
    assert made.choices[0].finish_reason == "stop"
    assert made.model == "fake"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens
    told = made.model_extra["promptfix"]
    assert (told["action"], told["detectors"]) == ("repaired", ["unit@1"])
    assert told["annotations"][0].startswith("unit-word-")
    assert made.id == f"chatcmpl-{told['trace_id']}"
    assert "trace" not in told


def test_a_quiet_prompt_is_untouched(client: openai.OpenAI, model: Model) -> None:
    """Nothing fires: the model gets the very words."""
    text = "  \u00e9\u200d\U0001f469 How\r\nmany legs?  "
    told = ask(client, text).model_extra["promptfix"]
    assert told["action"] == "none"
    assert model.asked[-1][0] == Prompt(text=text)


def test_headers(client: openai.OpenAI) -> None:
    """What was done also stands in headers."""
    messages = [{"role": "user", "content": GROSS}]
    raw = client.chat.completions.with_raw_response.create(model="any", messages=messages)
    made = raw.parse()
    assert raw.headers["x-promptfix-action"] == "repaired"
    assert raw.headers["x-promptfix-detectors"] == "unit@1"
    assert raw.headers["x-promptfix-trace-id"] == made.model_extra["promptfix"]["trace_id"]
    assert float(raw.headers["x-promptfix-overhead-ms"]) >= 0
    assert made._request_id == raw.headers["x-request-id"]


def test_the_whole_trace_on_request(client: openai.OpenAI) -> None:
    """The body asks for the trace, and a Trace comes back."""
    made = ask(client, GROSS, extra_body={"promptfix": {"trace": True}})
    trace = Trace.model_validate(made.model_extra["promptfix"]["trace"])
    assert trace.prompt.text == GROSS
    assert trace.repair.repaired.text.startswith(GROSS)
    assert trace.answer.text == made.choices[0].message.content


def test_modes(client: openai.OpenAI, microscope: FakeMicroscope) -> None:
    """Off does not look, detect does not edit; the body goes before the header."""

    def action(mode: str | None, header: str | None = None) -> str:
        body = {"promptfix": {"mode": mode}} if mode else {}
        headers = {"x-promptfix-mode": header} if header else {}
        made = ask(client, GROSS, extra_body=body, extra_headers=headers)
        return made.model_extra["promptfix"]["action"]

    assert action("detect") == "detected"
    assert action(None, "detect") == "detected"
    assert action("repair", "off") == "repaired"
    looks = len(microscope.looked_at)
    assert action("off") == "skipped"
    assert len(microscope.looked_at) == looks


def test_system_text_and_parts(client: openai.OpenAI, model: Model) -> None:
    """System messages go before the user's text and are never edited; text parts are joined."""
    client.chat.completions.create(
        model="any",
        messages=[
            {"role": "system", "content": "Count in gross."},
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": w} for w in ("a cat", "b")]},
        ],
    )
    assert model.asked[-1][0] == Prompt(text="a cat\nb", system="Count in gross.\n\nBe brief.")


def test_sampling(client: openai.OpenAI, model: Model, url: str) -> None:
    """What the request says about sampling reaches the model, within the service's limit."""
    ask(client, QUIET, max_tokens=3, temperature=0.5, top_p=0.9, seed=7, stop="\n")
    assert model.sampling == Sampling(
        max_tokens=3, temperature=0.5, top_p=0.9, seed=7, stop=("\n",)
    )
    ask(client, QUIET, max_completion_tokens=10**6, stop=["a", "b"])
    assert model.sampling == Sampling(max_tokens=512, stop=("a", "b"))
    ask(client, QUIET, temperature=1e-40)  # no number is left of logits divided by it
    assert model.sampling == Sampling(max_tokens=512)
    assert ask(client, QUIET, max_tokens=1).choices[0].finish_reason == "length"
    assert post(url, chat(QUIET, max_tokens=None, stop=None, n=1, stream=False)).is_success


def test_unknown_fields_are_let_pass(shared: str) -> None:
    """Fields that mean nothing here do no harm."""
    assert post(shared, chat(QUIET, user="me", store=False, metadata={"a": "b"})).is_success


def test_repair(url: str) -> None:
    """POST /v1/repair gives the whole trace without an answer."""
    history = [{"role": "user", "text": QUIET}, {"role": "assistant", "text": "Four."}]
    asked = {"prompt": GROSS, "system": "Be brief.", "history": history}
    response = post(url, asked, path="repair")
    trace = Trace.model_validate_json(response.content)
    assert (trace.action, trace.answer) == ("repaired", None)
    assert trace.prompt.system == "Be brief."
    assert [turn.text for turn in trace.prompt.history] == [QUIET, "Four."]
    assert response.headers["x-promptfix-action"] == "repaired"
    detected = post(url, {"prompt": GROSS, "mode": "detect"}, path="repair")
    assert detected.json()["action"] == "detected"


def test_repair_for_a_model_that_nothing_was_measured_on(url: str) -> None:
    """Whoever names a model beside the loaded one gets its prompts looked at, never edited."""
    loaded = post(url, {"prompt": GROSS, "model": "fake", "mode": "repair"}, path="repair")
    assert loaded.json()["action"] == "repaired"
    for model in ("gpt-4o", ""):
        seen = post(url, {"prompt": GROSS, "model": model}, path="repair").json()
        assert (seen["action"], seen["mode"], seen["answers"]) == ("detected", "detect", model)
        wished = {"prompt": GROSS, "model": model, "mode": "repair"}
        assert "calibrated" in error(post(url, wished, path="repair"))["message"]


def test_models(client: openai.OpenAI) -> None:
    """The one model is listed and described; another is not found."""
    assert [model.id for model in client.models.list()] == ["fake"]
    assert client.models.retrieve("fake").owned_by == "promptfix"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("other/model")
    assert caught.value.code == "model_not_found"


def test_health(shared: str, library: Library) -> None:
    """Alive is one thing, ready names what is loaded."""
    assert CLIENT.get(f"{shared}/healthz").json() == {"status": "alive"}
    ready = CLIENT.get(f"{shared}/readyz").json()
    assert ready == {
        "status": "ready",
        "model": "fake",
        "lens": "fake",
        "library": library.digest,
    }


DEEP = 10_000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"null", None),
        (b"[1]", None),
        (b'{"messages": "\xff"}', None),
        (b"[" * DEEP + b"]" * DEEP, None),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, None),
        (b'{"messages":[{"role":"user","content":"\\ud800"}]}', None),
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}, {"role": "user"}]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, None),
        (chat(7), "messages.0.content"),
        (chat("  \n"), None),
        (chat([{"type": "image_url", "image_url": {"url": "x"}}]), "messages[0].content"),
        (chat("x", n=17), "n"),
        (chat("x", n=0), "n"),
        (chat("x", top_logprobs=21), "top_logprobs"),
        (chat("x", tools=[{"type": "function"}]), "tools"),
        (chat("x", response_format={"type": "json_object"}), "response_format"),
        (chat("x", temperature="0.5"), "temperature"),
        (chat("x", temperature=-1), "temperature"),
        (chat("x", top_p=0), "top_p"),
        (chat("x", max_tokens=0), "max_tokens"),
        (chat("x", max_tokens=True), "max_tokens"),
        (chat("x", seed=2**80), "seed"),
        (chat("x", stop=""), "stop"),
        (chat("x", stop=["a"] * 17), "stop"),
        (chat("x", stop="a" * 257), "stop"),
        (chat("x", stop=["a" * 257]), "stop"),
        (chat("x", promptfix={"mode": "fix"}), "promptfix.mode"),
        (chat("x", promptfix={"traces": True}), "promptfix.traces"),
    ],
)
def test_bad_requests(shared: str, body: object, param: str | None) -> None:
    """What cannot be read or is not done is a 400 that names the field."""
    response = post(shared, body)
    assert response.status_code == 400, response.text
    assert error(response)["param"] == param
    assert error(response)["type"] == "invalid_request_error"
    assert error(response)["message"]


def test_a_bad_mode_header_is_refused(shared: str) -> None:
    """A misspelt mode is never silently another one."""
    response = post(shared, chat("x"), headers={"x-promptfix-mode": "fix"})
    assert response.status_code == 400
    assert error(response)["param"] == "x-promptfix-mode"


def test_other_http_errors(url: str) -> None:
    """404, 405 and 413 have OpenAI's shape too."""
    assert error(CLIENT.get(f"{url}/v1/nothing"))["code"] == "not_found"
    wrong = CLIENT.get(f"{url}/v1/chat/completions")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["allow"]
    assert error(wrong)["code"] == "method_not_allowed"
    large = post(url, chat("x" * 200_000))
    assert large.status_code == 413
    assert error(large)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("broken", "status", "code"),
    [
        (PromptTooLong("too long"), 400, "context_length_exceeded"),
        (PromptError("no"), 400, "invalid_prompt"),
        (ModelTimeout("late"), 504, "model_timeout"),
        (ModelError("no"), 502, "model_error"),
        (MicroscopeError("no"), 503, "microscope_error"),
        (PromptfixError("no"), 500, "promptfix_error"),
        (ZeroDivisionError("of the secret prompt"), 500, "internal_error"),
    ],
)
def test_failures_of_the_model(
    url: str, model: Model, broken: Exception, status: int, code: str
) -> None:
    """Each has its status and code; a mistake of ours tells nothing about itself."""
    model.broken = broken
    response = post(url, chat(QUIET))
    assert response.status_code == status
    assert error(response)["code"] == code
    assert "secret" not in response.text


def test_a_broken_microscope_costs_nobody_the_answer(
    client: openai.OpenAI, microscope: FakeMicroscope
) -> None:
    """What cannot be looked at is answered as it came, and that is said."""
    microscope.broken = RuntimeError("no tensor")
    made = ask(client, GROSS)
    assert made.choices[0].message.content == f"heard: {GROSS}"
    assert made.model_extra["promptfix"]["action"] == "error"
    assert made.model_extra["promptfix"]["failure"] == "no tensor"


def test_too_long_to_look_at(library: Library) -> None:
    """A prompt that the microscope cannot take goes on unread, whatever the policy says."""
    microscope = FakeMicroscope(broken=PromptTooLong("too long"))
    pipeline = Pipeline(microscope, Model(), library, Policy(on_too_long="error"))
    with serving(pipeline) as url:
        assert post(url, chat(GROSS)).headers["x-promptfix-action"] == "skipped"


def test_the_event_loop_never_waits_for_the_model(library: Library) -> None:
    """While an answer is written the service is alive; who finds no place is told to come back."""
    model, begun, go = Model(), threading.Event(), threading.Event()
    model.wait = lambda: begun.set() or go.wait(20)
    pipeline = Pipeline(FakeMicroscope(), model, library)
    with serving(pipeline, waiting=0) as url, ThreadPoolExecutor() as pool:
        asked = pool.submit(post, url, chat(QUIET))
        assert begun.wait(10)
        assert CLIENT.get(f"{url}/healthz", timeout=2).is_success
        assert CLIENT.get(f"{url}/readyz", timeout=2).is_success
        refused = post(url, chat(QUIET))
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert error(refused)["code"] == "overloaded"
        go.set()
        assert asked.result().status_code == 200
        assert post(url, chat(QUIET)).is_success


def test_the_model_runs_in_one_thread(library: Library) -> None:
    """Eight requests at once never run the model twice at the same time."""
    running, most = [0], [0]
    model = Model()

    def wait() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.01)
        running[0] -= 1

    model.wait = wait
    with serving(Pipeline(FakeMicroscope(), model, library)) as url, ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: post(url, chat(QUIET)).status_code, range(16)))
    assert done == [200] * 16
    assert most == [1]


def test_keys(library: Library) -> None:
    """With keys set, /v1 wants one of them, and health does not."""
    other = hashlib.sha256(b"other").hexdigest()
    pipeline = Pipeline(FakeMicroscope(), Model(), library)
    with serving(pipeline, keys={DIGEST, other}) as url:
        for headers in ({}, {"authorization": "Bearer no"}, {"authorization": KEY}):
            response = post(url, chat(QUIET), headers=headers)
            assert response.status_code == 401
            assert error(response)["code"] == "invalid_api_key"
            assert response.headers["www-authenticate"] == "Bearer"
        assert post(url, chat(QUIET), headers={"authorization": f"Bearer {KEY}"}).is_success
        assert CLIENT.get(f"{url}/v1/models").status_code == 401
        assert CLIENT.get(f"{url}/healthz").is_success
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="other", max_retries=0)
        assert ask(client, QUIET).choices


@pytest.mark.parametrize("key", ["schl\u00fcssel", "voil\u00e0"])
def test_a_key_need_not_be_ascii(library: Library, key: str) -> None:
    """It is let in as UTF-8, which its digest was made of, and as Latin-1; another key is not."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    with serving(Pipeline(FakeMicroscope(), Model(), library), keys={digest}) as url:
        for sent, status in (
            (key.encode(), 200),
            (key.encode("latin-1"), 200),
            (key[:-1].encode(), 401),
        ):
            headers = {"authorization": b"Bearer " + sent}
            assert CLIENT.get(f"{url}/v1/models", headers=headers).status_code == status


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:8000"])
def test_without_keys_this_machine_is_answered(shared: str, host: str) -> None:
    """By all of its names, and for its own pages."""
    headers = {"host": host, "content-type": "application/json; charset=utf-8"}
    assert post(shared, chat(QUIET), headers=headers).is_success
    assert post(shared, chat(QUIET), headers={"origin": f"http://{host}"}).is_success


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8000"}, 403),
        ({"host": "192.168.1.4"}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/x-www-form-urlencoded"}, 400),
    ],
)
def test_without_keys_no_page_is_answered(library: Library, headers: dict, status: int) -> None:
    """What a page of another site can send is refused, unless there are keys; health is open."""
    pipeline, name = Pipeline(FakeMicroscope(), Model(), library), next(iter(headers))
    with serving(pipeline) as url:
        response = post(url, chat(QUIET), headers=headers)
        assert (response.status_code, error(response)["param"]) == (status, name)
        assert CLIENT.get(f"{url}/metrics", headers=headers).is_success == (status == 400)
        assert CLIENT.get(f"{url}/healthz", headers=headers).is_success
    with serving(pipeline, keys={DIGEST}) as url:
        keyed = {"authorization": f"Bearer {KEY}", **headers}
        assert post(url, chat(QUIET), headers=keyed).is_success


def test_logs_hold_no_texts(url: str, model: Model) -> None:
    """A line for each request, with ids and seconds; no prompt or answer, also when it fails."""
    with capture_logs() as lines:
        post(url, chat(GROSS))
        model.broken = ValueError(GROSS)
        post(url, chat(GROSS))
    served, failed = lines
    assert served["event"] == "served"
    assert served["detectors"] == ["unit@1"]
    assert failed["error"] == "ValueError"
    assert "pencils" not in repr(lines)


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback without a key, other addresses only with one; unknown variables are errors."""
    assert ServiceSettings.read(host="::1").host == "::1"
    assert ServiceSettings.read(host="0.0.0.0", keys={DIGEST}).keys == {DIGEST}  # noqa: S104
    for host in ("0.0.0.0", "::", "example.org", "192.168.1.4"):  # noqa: S104
        with pytest.raises(SettingsError, match="API key"):
            ServiceSettings.read(host=host)
    with pytest.raises(SettingsError, match="keys") as caught:
        ServiceSettings.read(keys={KEY})
    assert KEY not in str(caught.value)
    monkeypatch.setenv("PROMPTFIX_SERVICE_PORT", "1234")
    assert ServiceSettings.read().port == 1234
    assert ServiceSettings.read(port=5).port == 5
    with (
        monkeypatch.context() as patch,
        pytest.raises(SettingsError, match="SERVICE_KEYS is a list"),
    ):
        patch.setenv("PROMPTFIX_SERVICE_KEYS", "9f86")
        ServiceSettings.read()
    monkeypatch.setenv("PROMPTFIX_SERVICE_PRT", "1")
    with pytest.raises(SettingsError, match="PROMPTFIX_SERVICE_PRT"):
        ServiceSettings.read()


@pytest.mark.parametrize("end", ["?api-version=1", "?", "#x"])
def test_an_upstream_has_no_query(end: str) -> None:
    """Paths are put behind its address, so what cannot be in front of one is refused."""
    with pytest.raises(SettingsError, match=r"upstream: .* up to its /v1"):
        ServiceSettings.read(upstream=f"http://127.0.0.1:1/v1{end}")


def test_settings_are_shown_without_a_password() -> None:
    """Nor the user in an upstream's address is told; the address that is asked has both."""
    read = ServiceSettings.read(upstream="http://me:pass%40word@h:1/v1", traces=None)
    shown = as_toml(read)
    assert 'upstream = "http://**********@h:1/v1"' in shown
    assert "word" not in shown
    assert "me:pass%40word@" in str(read.upstream)
    assert 'upstream = "http://h/v1"' in as_toml(ServiceSettings.read(upstream="http://h/v1"))


def test_none_is_none_wherever_it_is_said(tmp_path: Path) -> None:
    """As an argument and in a file, as in a variable; what cannot be left out is an error."""
    file = tmp_path / "promptfix.toml"
    file.write_text('[service]\nupstream = "none"\nmax_tokens = "none"\ntraces = "none"\n')
    for read in (
        ServiceSettings.read(file),
        ServiceSettings.read(upstream="none", max_tokens="none", traces="none"),
    ):
        assert (read.upstream, read.max_tokens, read.traces) == (None, None, None)
    with pytest.raises(SettingsError, match="port"):
        ServiceSettings.read(port="none")


def test_a_taken_port_is_one_sentence() -> None:
    """What cannot be listened on is said, with what to do."""
    taken = bind(ServiceSettings(port=0))
    with taken, pytest.raises(SettingsError, match="--port"):
        bind(ServiceSettings(port=taken.getsockname()[1]))


def test_the_service_loads_neither_torch_nor_sae_lens() -> None:
    """A loaded pipeline is handed in; the service itself is light."""
    code = (
        "import sys, promptfix.service.serving; "
        "print({'torch', 'transformers', 'sae_lens', 'wandb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    assert done.stdout.strip() == "set()"


def test_serve_says_where_and_stops_when_told(tmp_path: Path) -> None:
    """The command's process says where it listens, logs JSON, and ends in order."""
    code = (
        "import sys; from promptfix import assembly, cli; from promptfix.pipeline import Pipeline; "
        "from promptfix.testing import FakeMicroscope, FakeModel; "
        "assembly.build = lambda s: "
        "Pipeline(FakeMicroscope(), FakeModel(), assembly.load_library(s)); "
        "sys.exit(cli.run(['serve', '--port', '0']))"
    )
    log = tmp_path / "log"
    with (
        log.open("w") as err,
        subprocess.Popen([sys.executable, "-c", code], stderr=err) as process,  # noqa: S603
    ):
        deadline = time.monotonic() + 30
        while "/v1" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        url = log.read_text().split()[-1].removesuffix("/v1")
        assert post(url, chat(QUIET)).is_success
        process.terminate()
        process.wait(20)
    said = log.read_text().splitlines()
    assert json.loads(said[1])["message"] == "served"
    assert len(said) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = [*work.ChatRequest.model_fields, "n", "stream", "tools", "logprobs"]


@settings(max_examples=150)
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON), text=st.text(max_size=9) | JSON)
def test_no_body_breaks_the_service(in_process: TestClient, body: dict, text: object) -> None:
    """Whatever JSON is sent, it is answered or refused in OpenAI's shape, never a 5xx."""
    response = in_process.post("/v1/chat/completions", content=json.dumps(chat(text) | body))
    assert response.status_code in {200, 400}, response.text
    assert response.status_code == 200 or response.json()["error"]["message"]
