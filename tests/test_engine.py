"""What is asked at once is answered at once, each as if it had been asked alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue

import pytest
import torch

from promptfix import engine as module
from promptfix.engine import Engine, can_batch
from promptfix.errors import ModelError, PromptfixWarning, PromptTooLong
from promptfix.microscope import Microscope
from promptfix.models import LocalModel
from promptfix.network import load_network
from promptfix.records import Prompt, Sampling
from promptfix.sae import Sae
from tests.tiny import CONTEXT, metaspace_tokenizer, save_model, save_sae, tokenizer

KINDS = {
    "llama": tokenizer(),
    "mistral-window": metaspace_tokenizer(),
    "gemma3": metaspace_tokenizer(prefix=False),
    "gpt2": tokenizer(None),
    "gpt_oss": tokenizer(),
}
TEXTS = [
    "Tom has 12 apples and buys a gross of eggs for 3 dollars each.",
    "Ann reads",
    "The storm 🦄 devoured\r\nthe village. He swallowed his pride. How many are left?",
    "How many?",
    "שלום e\u0301",
    "Tom has 12 apples.",
]
SHORT = Sampling(max_tokens=12)


@pytest.fixture(scope="module", params=KINDS)
def network(request, tmp_path_factory):
    folder = save_model(tmp_path_factory.mktemp("m"), request.param, words=KINDS[request.param])
    return load_network(folder, "cpu")


@pytest.fixture
def engine(network):
    return Engine(network, places=4)


def samplings():
    """Of many kinds: greedy, warm with a seed, stopped, long, with scores."""
    kinds = [
        SHORT,
        Sampling(max_tokens=9, temperature=1.5, seed=3),
        Sampling(max_tokens=20, stop=("e",)),
        Sampling(max_tokens=3, logprobs=2),
        Sampling(max_tokens=40),
        Sampling(max_tokens=1),
    ]
    return kinds * 3


def test_answers_at_once_are_those_of_each(network, engine):
    """More than there are places, of all lengths and kinds, joining and leaving as they come."""
    alone, together = LocalModel(network), LocalModel(network, engine=engine)
    asked = list(zip([Prompt(text=text) for text in TEXTS * 3], samplings(), strict=True))
    expected = [alone.answer(prompt, None, sampling) for prompt, sampling in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        found = list(pool.map(lambda each: together.answer(each[0], None, each[1]), asked))
    assert found == expected


@pytest.mark.parametrize("chunk", [5, 256])
def test_readings_at_once_are_those_of_each(network, engine, tmp_path, monkeypatch, chunk):
    """Activations, predictions, and what is read on from them after an edit."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    sae = Sae.load(save_sae(tmp_path))
    alone, together = Microscope(network, sae, "x"), Microscope(network, sae, "x", engine)

    def twice(microscope, text):
        look = microscope.read(Prompt(text=text))
        return look, microscope.read(Prompt(text=f"{text} [Note: 144]"), look.prefill)

    expected = [look for text in TEXTS for look in twice(alone, text)]
    with ThreadPoolExecutor(len(TEXTS)) as pool:
        pairs = list(pool.map(lambda text: twice(together, text), TEXTS))
    for one, other in zip(expected, [look for pair in pairs for look in pair], strict=True):
        assert one.reading.tokens == other.reading.tokens
        for part in ("residual", "logits"):
            torch.testing.assert_close(
                getattr(one.prefill, part), getattr(other.prefill, part), atol=1e-3, rtol=1e-3
            )


def test_a_prefill_serves_both_ways(network, engine):
    """One made alone is gone on from in the engine, and the other way round."""
    alone, together = LocalModel(network), LocalModel(network, engine=engine)
    prompt, longer = (Prompt(text=TEXTS[0] + more) for more in ("", " [Note: a gross is 144]"))
    expected = [alone.answer(each, None, SHORT) for each in (prompt, longer)]
    for made in (network.read(alone.encode(prompt)), engine.read(alone.encode(prompt))):
        for model in (alone, together):
            assert [model.answer(each, made, SHORT) for each in (prompt, longer)] == expected


class Slow:
    """Counts the rounds of an engine, and waits in each."""

    def __init__(self, monkeypatch, network, seconds=0.01):
        self.rows, self.lengths = [], []
        forward = type(network).forward

        def slowly(this, ids, cache, **inputs):
            self.rows.append(len(ids))
            self.lengths.append(ids.shape[1])
            time.sleep(seconds)
            return forward(this, ids, cache, **inputs)

        monkeypatch.setattr(type(network), "forward", slowly)


def test_a_short_answer_does_not_wait_for_a_long_one(network, engine, monkeypatch):
    """It comes while the long one is being written."""
    Slow(monkeypatch, network)
    model, ended = LocalModel(network, engine=engine), []

    def ask(tokens):
        model.answer(Prompt(text="Tom"), None, Sampling(max_tokens=tokens, temperature=3, seed=1))
        ended.append(tokens)

    long = threading.Thread(target=ask, args=(80,))
    long.start()
    time.sleep(0.1)
    ask(2)
    long.join()
    assert ended == [2, 80]


def test_a_long_prompt_does_not_hold_up_a_short_one(network, engine, monkeypatch):
    """It is read in chunks, and goes to the back after each."""
    monkeypatch.setattr(module, "CHUNK", 8)
    Slow(monkeypatch, network)
    read = []

    def ask(name, count):
        engine.read(range(10, 10 + count))
        read.append(name)

    long = threading.Thread(target=ask, args=("long", CONTEXT - 1))
    long.start()
    time.sleep(0.03)
    ask("short", 6)
    long.join()
    assert read == ["short", "long"]


def test_places_are_given_in_the_order_of_asking(network, monkeypatch):
    """Answers of equal length end in the order in which they were asked for."""
    arrived = threading.Semaphore(0)

    class Arrivals(SimpleQueue):
        def put(self, job):
            super().put(job)
            if isinstance(job, module._Write):
                arrived.release()

    monkeypatch.setattr(module, "SimpleQueue", Arrivals)
    engine, ended = Engine(network, places=2), []
    Slow(monkeypatch, network)
    prefill = network.read([10, 11, 12])

    def ask(number):
        list(engine.write(prefill, Sampling(max_tokens=6, temperature=5, seed=2)))
        ended.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
        assert arrived.acquire(timeout=10)
    for thread in threads:
        thread.join()
    assert [set(ended[at : at + 2]) for at in (0, 2, 4)] == [{0, 1}, {2, 3}, {4, 5}]


def test_who_leaves_frees_the_place(network, monkeypatch):
    """The next in line is let in, though the answer was not at its end."""
    engine, slow = Engine(network, places=1), Slow(monkeypatch, network)
    prefill = network.read([10, 11, 12])
    forever = Sampling(max_tokens=150, temperature=5, seed=2)
    leaving = engine.write(prefill, forever)
    assert len(list(islice(leaving, 2))) == 2
    leaving.close()
    before = len(slow.rows)
    assert list(engine.write(prefill, Sampling(max_tokens=2)))
    assert len(slow.rows) - before < 10


def test_requests_share_rounds(network, engine, monkeypatch):
    """Four answers take little more rounds of the model than one."""
    slow = Slow(monkeypatch, network)
    prefill = network.read([10, 11, 12])
    slow.rows.clear()
    sampling = Sampling(max_tokens=20, temperature=5, seed=2)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: list(engine.write(prefill, sampling)), range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert len(slow.rows) < 2 * len(answers[0])
    assert max(slow.rows) == 4


def test_what_goes_wrong_for_one_is_told_to_one(network, engine):
    """A temperature that nothing can be drawn at, a prompt that is too long; the others go on."""
    icy = Sampling(temperature=1e-300)
    fine = LocalModel(network, engine=engine)
    with ThreadPoolExecutor(2) as pool:
        others = pool.submit(fine.answer, Prompt(text=TEXTS[0]), None, SHORT)
        with pytest.raises(ModelError, match="probability"):
            fine.answer(Prompt(text="Tom"), None, icy)
        with pytest.raises(PromptTooLong):
            engine.read(range(CONTEXT))
        assert others.result() == LocalModel(network).answer(Prompt(text=TEXTS[0]), None, SHORT)


def test_a_model_that_breaks_breaks_only_what_it_was_at(network, engine, monkeypatch):
    """Whoever was in the batch is told, and the engine goes on."""
    model, prompt = LocalModel(network, engine=engine), Prompt(text="Tom")
    before = model.answer(prompt, None, SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(type(network), "forward", lambda *_, **__: 1 / 0)
        with pytest.raises(ModelError, match="ZeroDivisionError"):
            model.answer(prompt)
    assert model.answer(prompt, None, SHORT) == before


@pytest.mark.parametrize("step", ["stack", "take"])
def test_caches_that_cannot_be_moved_break_no_more(network, engine, monkeypatch, step):
    """Who wants to join is told alone; where one leaves, so are those who stay; others go on."""
    Slow(monkeypatch, network)
    prefill = network.read([10, 11, 12])
    staying = engine.write(prefill, Sampling(max_tokens=150, temperature=5, seed=2))
    assert next(staying).text is not None
    joining = engine.write(prefill, Sampling(max_tokens=2))
    with monkeypatch.context() as patch:
        patch.setattr(module, step, lambda *_, **__: 1 / 0)
        if step == "take":
            assert list(joining)
        with pytest.raises(ZeroDivisionError):
            list(joining if step == "stack" else staying)
    assert list(engine.write(prefill, SHORT))


def test_where_memory_runs_out_fewer_are_read_at_once(network, engine, monkeypatch):
    """And it is said; the readings are the same."""
    forward = type(network).forward

    def short_of_memory(this, ids, cache, **inputs):
        if len(ids) > 1:
            raise torch.OutOfMemoryError
        time.sleep(0.02)
        return forward(this, ids, cache, **inputs)

    monkeypatch.setattr(type(network), "forward", short_of_memory)
    ids = [list(range(10, 20 + n)) for n in range(4)]
    warned = pytest.warns(PromptfixWarning, match="1 prompts at a time")
    with warned, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine.read, ids))
    assert [list(prefill.ids) for prefill in found] == ids


def test_a_running_state_is_not_batched(tmp_path):
    """A recurrent hybrid is read and answered alone, which is exact."""
    assert not can_batch(load_network(save_model(tmp_path, "qwen3_5"), "cpu"))


def test_the_service_answers_requests_together(monkeypatch):
    """Over HTTP, on the embedded model: the same answers, in far fewer runs of the model."""
    from litestar.testing import TestClient

    from promptfix.network import Network
    from promptfix.pipeline import Pipeline
    from promptfix.service.app import create_app
    from promptfix.service.settings import ServiceSettings

    questions = [
        "Nina has 14 red pens, 5 blue pens and 9 cups. How many pens does Nina have in all?",
        "What is 12 plus 30?",
        "We stayed by the lake for 3 fortnights. How many days is that?",
        "The bus had 18 people. 7 got off. How many people are on the bus now?",
    ] * 2
    runs, forward = [], Network.forward

    def counting(this, ids, cache, **inputs):
        runs.append(len(ids))
        return forward(this, ids, cache, **inputs)

    monkeypatch.setattr(Network, "forward", counting)
    said = {}
    for at_once in (1, 8):
        pipeline = Pipeline.load(at_once=at_once)
        settings = ServiceSettings(traces=None, reading_seconds=60)
        with (
            TestClient(create_app(pipeline, settings), base_url="http://127.0.0.1") as client,
            ThreadPoolExecutor(8) as pool,
        ):

            def ask(text, client=client):
                body = {"model": "mini", "messages": [{"role": "user", "content": text}]}
                reply = client.post("/v1/chat/completions", json=body | {"max_tokens": 24})
                return reply.json()["choices"][0]["message"]["content"], reply.headers

            runs.clear()
            answers = list(pool.map(ask, questions))
            said[at_once] = [text for text, _ in answers], len(runs)
            assert answers[0][1]["x-promptfix-action"] == "repaired"
    assert said[1][0] == said[8][0]
    assert said[8][1] < said[1][1] / 2
