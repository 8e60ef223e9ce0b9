"""The loaded model answers: streams, several answers, raw text, log-probabilities, responses."""

import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import openai
import pytest

from promptfix.errors import ModelTimeout
from promptfix.pipeline import Pipeline, Policy
from promptfix.records import Message, Prompt
from promptfix.testing import FakeMicroscope, FakeModel
from tests.serving import (
    CLIENT,
    GROSS,
    QUIET,
    Model,
    ask,
    chat,
    error,
    events,
    library_of,
    post,
    seeing,
    serving,
)


@pytest.fixture
def model() -> Model:
    """The model behind `url`."""
    return Model()


@pytest.fixture
def url(model: Model) -> Iterator[str]:
    """The address of a service of fakes."""
    with serving(Pipeline(seeing(), model, library_of())) as made:
        yield made


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """The official client, pointed at the service."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_stream_says_what_the_whole_answer_does(client: openai.OpenAI) -> None:
    """In as many chunks as there are words, after one that says what promptfix did."""
    whole = ask(client, GROSS)
    first, *chunks = ask(client, GROSS, stream=True, stream_options={"include_usage": True})
    assert first.choices[0].delta.role == "assistant"
    assert first.model_extra["promptfix"]["action"] == "repaired"
    *words, last = chunks
    said = [chunk.choices[0].delta.content for chunk in words]
    assert "".join(said) == whole.choices[0].message.content
    assert len(said) == whole.usage.completion_tokens
    assert [chunk.choices[0].finish_reason for chunk in words][-2:] == [None, "stop"]
    assert (last.choices, last.usage) == ([], whole.usage)
    assert len({chunk.id for chunk in chunks}) == 1


def test_an_answer_that_strays_from_its_note_is_not_given(
    client: openai.OpenAI, model: Model
) -> None:
    """Whole or streamed, the prompt is answered as it came; the note costs no tokens then."""
    model.say = lambda text: "2 * 12 = 24\nso 24" if "[Note:" in text else "it is 288"
    whole = ask(client, GROSS)
    assert whole.choices[0].message.content == "it is 288"
    assert whole.model_extra["promptfix"]["action"] == "withdrawn"
    first, *words = ask(client, GROSS, stream=True)
    assert first.model_extra["promptfix"]["action"] == "withdrawn"
    assert "".join(word.choices[0].delta.content or "" for word in words) == "it is 288"
    plain = ask(client, GROSS, extra_body={"promptfix": {"mode": "off"}})
    assert whole.usage == plain.usage
    both = ask(client, GROSS, n=2)
    assert [choice.message.content for choice in both.choices] == ["it is 288"] * 2
    model.say = lambda _: "2 * 144 = 288\nso 288"
    assert ask(client, GROSS).model_extra["promptfix"]["action"] == "repaired"


def test_where_an_answer_strays_the_note_is_tried_in_other_words(model: Model) -> None:
    """Each of several answers for itself; what is told of the request is told of the first."""
    library = library_of()
    again = {"again": "For {word} read {value}."}
    notes = tuple(a.model_copy(update=again) for a in library.annotations)
    library = replace(library, annotations=tuple(n for n in notes if n.filler == "unit-word"))
    said = iter(["2 * 144 = 288", "2 * 12 = 24"])
    model.say = lambda text: "so 288" if "For gross read 144." in text else next(said)
    with (
        serving(Pipeline(seeing(), model, library)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        both = ask(client, GROSS, n=2)
        assert [choice.message.content for choice in both.choices] == ["2 * 144 = 288", "so 288"]
        assert both.model_extra["promptfix"]["action"] == "repaired"
        model.say = lambda text: "so 288" if "For gross read 144." in text else "2 * 12 = 24"
        whole = ask(client, GROSS)
        first, *words = ask(client, GROSS, stream=True)
        assert whole.choices[0].message.content == "so 288"
        assert "".join(word.choices[0].delta.content or "" for word in words) == "so 288"
        told = whole.model_extra["promptfix"], first.model_extra["promptfix"]
        assert [one["action"] for one in told] == ["repaired"] * 2
        plain = ask(client, GROSS, extra_body={"promptfix": {"mode": "off"}})
        extra = whole.usage.prompt_tokens_details.model_extra["annotation_tokens"]
        assert extra == whole.usage.prompt_tokens - plain.usage.prompt_tokens > 0


def test_usage_says_how_many_tokens_the_note_has(client: openai.OpenAI) -> None:
    """They are among the prompt's; a prompt without a note has none."""
    plain = ask(client, GROSS, extra_body={"promptfix": {"mode": "off"}}).usage
    noted = ask(client, GROSS).usage
    extra = noted.prompt_tokens_details.model_extra["annotation_tokens"]
    assert extra == noted.prompt_tokens - plain.prompt_tokens > 0
    assert plain.prompt_tokens_details.model_extra["annotation_tokens"] == 0


def test_words_are_sent_as_they_are_written(client: openai.OpenAI, model: Model) -> None:
    """The first is there while the second is not yet written."""
    go = threading.Semaphore(2)  # one to begin, one after the first word
    model.wait = lambda: go.acquire(timeout=20)
    chunks = iter(ask(client, QUIET, stream=True))
    next(chunks)
    assert next(chunks).choices[0].delta.content == "heard:"
    go.release(50)
    assert len(list(chunks)) > 3


def test_a_slow_first_word_is_announced_with_comments(model: Model) -> None:
    """Nobody between client and service has a reason to hang up."""
    model.wait = lambda: time.sleep(0.25)
    model.say = lambda _: "yes"
    pipeline = Pipeline(seeing(), model, library_of())
    with serving(pipeline, keep_alive_seconds=0.1) as url:
        said = post(url, chat(QUIET, stream=True)).text
    assert said.count(": keep-alive\n\n") >= 2
    assert events(said)[1]["choices"][0]["delta"] == {"content": "yes"}


def test_a_stream_that_breaks_off_says_so(url: str, model: Model) -> None:
    """An error in OpenAI's shape, then [DONE]; what is wrong before the first word is a status."""
    model.broken = ModelTimeout("too slow")
    told = events(post(url, chat(QUIET, stream=True)).text)[-1]
    assert told["error"]["code"] == "model_timeout"
    model.broken = ZeroDivisionError("of the secret prompt")
    told = events(post(url, chat(QUIET, stream=True)).text)[-1]
    assert told["error"]["code"] == "internal_error"
    assert "secret" not in told["error"]["message"]
    response = post(url, chat("word " * 5000, stream=True))
    assert (response.status_code, error(response)["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_hangs_up_stops_the_model(url: str, model: Model, streamed: bool) -> None:
    """Between two words; the next request is answered at once."""
    model.say = lambda text: "word " * 2000 if text.startswith(GROSS) else "yes"
    model.wait = lambda: time.sleep(0.005)
    where = f"{url}/v1/chat/completions"
    if streamed:
        with CLIENT.stream("POST", where, json=chat(GROSS, stream=True)) as response:
            next(response.iter_raw())
    else:
        with pytest.raises(httpx2.ReadTimeout):
            CLIENT.post(where, json=chat(GROSS), timeout=0.3)
    started = time.monotonic()
    assert post(url, chat(QUIET)).is_success
    assert time.monotonic() - started < 2


def test_several_answers(client: openai.OpenAI, model: Model) -> None:
    """Each with its own seed, whole or streamed; the usage is that of all."""
    seeds = []
    plain = model.stream
    model.stream = lambda *given: seeds.append(given[2].seed) or plain(*given)
    made = ask(client, QUIET, n=3, seed=5, temperature=1.0)
    assert [choice.index for choice in made.choices] == [0, 1, 2]
    assert seeds == [5, 6, 7]
    assert made.usage.completion_tokens == 3 * len(made.choices[0].message.content.split(" "))
    told: dict[int, str] = {}
    for chunk in ask(client, QUIET, n=3, stream=True):
        for choice in chunk.choices:
            told[choice.index] = told.get(choice.index, "") + (choice.delta.content or "")
    assert told == {choice.index: choice.message.content for choice in made.choices}


def test_logprobs_of_a_chat(client: openai.OpenAI) -> None:
    """One entry for each token, with as many alternatives as were asked for."""
    made = ask(client, QUIET, logprobs=True, top_logprobs=1).choices[0]
    assert "heard:" in made.message.content
    entry = made.logprobs.content[0]
    assert (entry.token, entry.logprob, len(entry.top_logprobs)) == ("heard:", -1.0, 1)
    assert bytes(entry.bytes) == b"heard:"
    assert ask(client, QUIET).choices[0].logprobs is None
    chunks = list(ask(client, QUIET, logprobs=True, stream=True))
    assert chunks[1].choices[0].logprobs.content[0].token.startswith("heard")


def test_conversations(client: openai.OpenAI, model: Model) -> None:
    """Earlier turns go to the model as they are; only the last one is looked at and edited."""
    messages = [
        {"role": "user", "content": "two gross"},
        {"role": "assistant", "content": "hm"},
        {"role": "user", "content": GROSS},
    ]
    client.chat.completions.create(model="any", messages=messages)
    heard = model.asked[-1][0]
    assert heard.text.startswith(GROSS + "\n[Note: ")
    assert heard.history == (
        Message(role="user", text="two gross"),
        Message(role="assistant", text="hm"),
    )


def test_raw_text(client: openai.OpenAI, model: Model) -> None:
    """Texts and token ids are gone on from as they are, and never looked at."""
    made = client.completions.create(model="any", prompt=[GROSS, "b"], n=2, max_tokens=3)
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
    assert made.choices[0].text == "heard: A shop"
    assert made.choices[2].text == "heard: b"
    assert made.model_extra["promptfix"]["action"] == "skipped"
    client.completions.create(model="any", prompt=[4, 5])
    assert [asked for asked, _ in model.asked[-1:]] == [(4, 5)]
    pieces = client.completions.create(model="any", prompt="b", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "heard: b"


def test_no_tokens_are_an_empty_answer(client: openai.OpenAI, model: Model) -> None:
    """Each answer is there, whole or streamed, and the model is not asked."""
    asked = {"model": "any", "prompt": ["a", "b"], "max_tokens": 0}
    made = client.completions.create(**asked)
    told = [(choice.index, choice.text, choice.finish_reason) for choice in made.choices]
    assert told == [(0, "", "length"), (1, "", "length")]
    assert made.usage.completion_tokens == 0
    chunks = client.completions.create(**asked, stream=True)
    assert [chunk.choices[0].finish_reason for chunk in chunks] == ["length", "length"]
    assert not model.asked


def test_echo_scores_the_prompt(client: openai.OpenAI) -> None:
    """As evaluation harnesses ask: every token of the prompt has its log-probability."""
    made = client.completions.create(
        model="any", prompt=[[1, 2, 3]], echo=True, logprobs=1, max_tokens=1, temperature=0
    )
    told = made.choices[0].logprobs
    assert told.tokens == ["1", "2", "3", "heard:"]
    assert told.token_logprobs == [None, -1.0, -1.0, -1.0]
    assert told.top_logprobs[1] == {"2": -1.0}
    assert told.text_offset == [0, 1, 2, 3]
    chunks = client.completions.create(
        model="any", prompt=[[1, 2], [3]], echo=True, logprobs=1, max_tokens=2, stream=True
    )
    offsets = [(c.choices[0].index, c.choices[0].logprobs.text_offset) for c in chunks]
    assert offsets == [(0, [0, 1]), (0, [2]), (0, [8]), (1, [0]), (1, [1]), (1, [7])]
    only = client.completions.create(model="any", prompt="a b", echo=True, max_tokens=0)
    assert (only.choices[0].text, only.usage.completion_tokens) == ("a b", 0)


def test_responses(client: openai.OpenAI, model: Model) -> None:
    """Text in, text out, in the shape of OpenAI's responses, repaired like a chat."""
    made = client.responses.create(model="any", input=GROSS, instructions="Be brief.")
    assert made.output_text == f"heard: {model.asked[-1][0].text}"
    assert model.asked[-1][0].system == "Be brief."
    assert made.model_extra["promptfix"]["action"] == "repaired"
    assert made.usage.input_tokens_details.model_extra["annotation_tokens"] > 0
    turns = [{"role": "user", "content": [{"type": "input_text", "text": QUIET}]}]
    short = client.responses.create(model="any", input=turns, max_output_tokens=2)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="any", input=GROSS, stream=True)
    plain = {"format": {"type": "text"}, "verbosity": "low"}
    assert client.responses.create(model="any", input=QUIET, text=plain).output_text
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="any", input=QUIET, text={"format": {"type": "json_object"}})
    assert caught.value.param == "text.format"


def test_tokenize(url: str) -> None:
    """Raw text, or messages with the template around them."""
    raw = post(url, {"prompt": "a b", "return_token_strs": True}, path="tokenize").json()
    assert raw == {"count": 2, "max_model_len": 4096, "tokens": [0, 1], "token_strs": ["0", "1"]}
    chatted = post(url, chat("a b"), path="tokenize").json()
    assert (chatted["count"], chatted["token_strs"]) == (4, None)
    assert post(url, {}, path="tokenize").status_code == 400


def test_health_is_told_while_the_model_writes(url: str, model: Model) -> None:
    """Within 50 ms, since the event loop never waits for a model that keeps a core busy.

    Who asks shares the interpreter with the service here, which nobody does outside of tests; so
    it is handed over ten times as often.
    """
    done, usual = threading.Event(), sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)

    def busily() -> None:
        until = time.monotonic() + 0.02
        while time.monotonic() < until and not done.is_set():
            pass

    model.wait, model.say = busily, lambda _: "word " * 400

    def alive() -> float:
        started = time.monotonic()
        assert CLIENT.get(f"{url}/healthz").is_success
        return time.monotonic() - started

    with ThreadPoolExecutor() as pool:
        pool.submit(post, url, chat(QUIET))
        time.sleep(0.1)
        spent = [alive() for _ in range(20)]
        done.set()
    sys.setswitchinterval(usual)
    assert statistics.median(spent) < 0.05


class Slow(FakeMicroscope):
    """A microscope that takes its time."""

    def read(self, *args: object, **more: object) -> object:
        """Read, in the end."""
        time.sleep(0.6)
        return super().read(*args, **more)


def test_slow_reading_costs_nobody_the_answer(model: Model) -> None:
    """After its deadline the original is answered, and the header says that reading failed."""
    for policy, status in ((Policy(), 200), (Policy(on_failure="error"), 503)):
        pipeline = Pipeline(Slow(), model, library_of(), policy)
        with serving(pipeline, reading_seconds=0.1) as url:
            started = time.monotonic()
            response = post(url, chat(GROSS))
            assert time.monotonic() - started < 0.5
            assert response.status_code == status
            if status == 200:
                assert response.headers["x-promptfix-action"] == "error"
                # uvloop's timers count whole milliseconds: they may ring up to one early.
                assert float(response.headers["x-promptfix-overhead-ms"]) >= 99
    assert model.asked == [(Prompt(text=GROSS), None)]


def test_limits(model: Model) -> None:
    """Longer prompts than allowed are refused, longer answers cut, and no more of them made."""
    chosen = {"max_prompt_tokens": 9, "max_tokens": 2, "max_n": 1}
    with serving(Pipeline(seeing(), model, library_of()), **chosen) as url:
        assert error(post(url, chat("word " * 9)))["code"] == "context_length_exceeded"
        assert post(url, chat(QUIET, max_tokens=9)).json()["usage"]["completion_tokens"] == 2
        assert error(post(url, chat(QUIET, n=2)))["param"] == "n"
        assert error(post(url, {"prompt": ["a", "b"]}, path="completions"))["param"] == "n"
        raw = {"prompt": "word " * 10}
        assert error(post(url, raw, path="completions"))["code"] == "context_length_exceeded"


def test_a_note_does_not_count_against_the_limit(model: Model) -> None:
    """A prompt that is just short enough is repaired and answered."""
    most = len(model.encode(Prompt(text=GROSS)))
    with serving(Pipeline(seeing(), model, library_of()), max_prompt_tokens=most) as url:
        assert post(url, chat(GROSS)).headers["x-promptfix-action"] == "repaired"
        assert post(url, chat(f"{GROSS} x")).status_code == 400


def test_two_hundred_streams_at_once() -> None:
    """They wait for their turn, and each gets its own answer."""
    with (
        serving(Pipeline(seeing(), FakeModel(), library_of())) as url,
        ThreadPoolExecutor(200) as pool,
    ):
        asked = [f"question {number}" for number in range(200)]
        bodies = [chat(text, stream=True) for text in asked]
        said = pool.map(lambda body: events(post(url, body).text), bodies)
        told = [
            "".join(event["choices"][0]["delta"]["content"] for event in stream) for stream in said
        ]
    assert told == [f"heard: {text}" for text in asked]


def test_the_document_names_every_address(url: str) -> None:
    """It is complete: what is asked, what is answered and every error; and it points nowhere."""
    document = CLIENT.get(f"{url}/schema/openapi.json").json()
    assert set(document["paths"]) == {
        "/beta/litellm_basic_guardrail_api",
        "/healthz", "/readyz", "/metrics", "/v1/chat/completions", "/v1/completions",
        "/v1/responses", "/v1/models", "/v1/models/{name}", "/v1/repair", "/v1/tokenize",
        "/v1/promptfix/traces", "/v1/promptfix/traces/{name}",
        "/v1/promptfix/traces/{name}/feedback", "/v1/promptfix/detectors",
        "/v1/promptfix/detectors/{name}",
    }  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in {"get", "delete"} or operation["requestBody"]["content"], path
            assert not path.startswith("/v1") or "400" in operation["responses"], path
    asked = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    assert "messages" in asked["application/json"]["schema"]["properties"]
    text = json.dumps(document)
    assert "http" not in text.replace("http_", "")
    assert "$defs" not in text
