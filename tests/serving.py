"""A service of fakes on a free port, and ways to ask it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx2
import openai
import uvicorn

from promptfix.formats import Term
from promptfix.library import Library, load
from promptfix.pipeline import Input, Pipeline
from promptfix.records import GREEDY, Piece, Sampling
from promptfix.service.app import create_app
from promptfix.service.serving import bind
from promptfix.service.settings import ServiceSettings
from promptfix.testing import FakeMicroscope, FakeModel, detector, with_detectors

ROOT = Path(__file__).parents[1]
GROSS = "A shop has two gross of pencils. How many is that?"
QUIET = "How many legs has a cat?"
CLIENT = httpx2.Client(timeout=30, limits=httpx2.Limits(max_keepalive_connections=0))
"""One for all, since making one costs more than most requests; each gets its own connection."""
UNIT = detector("unit", parts=[Term(feature=4, weight=1.0, at="user")], lexical=True)


class Model(FakeModel):
    """A fake that remembers how it was to answer, and fails or waits if told to."""

    sampling: Sampling | None = None
    broken: Exception | None = None
    wait: Callable[[], object] = staticmethod(lambda: None)

    def stream(
        self, prompt: Input, prefill: object = None, sampling: Sampling = GREEDY
    ) -> Iterator[Piece]:
        """Answer as FakeModel does, waiting before each word."""
        self.sampling = sampling
        self.wait()
        if self.broken is not None:
            raise self.broken
        for piece in super().stream(prompt, prefill, sampling):
            yield piece
            self.wait()


@cache
def library_of(*detectors: object) -> Library:
    """The library's own annotations, with these detectors of the fake lens."""
    return with_detectors(load(ROOT / "detectors", ROOT / "annotations"), *(detectors or (UNIT,)))


def seeing() -> FakeMicroscope:
    """A microscope in which feature 4 fires on "gross"."""
    return FakeMicroscope({"gross": {4: 2.0}})


@contextmanager
def running(app: object) -> Iterator[str]:
    """Serve an ASGI application on a free port, and give the address."""
    socket = bind(ServiceSettings(port=0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, args=([socket],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def serving(pipeline: Pipeline, **chosen: object) -> Iterator[str]:
    """Serve a pipeline, and give the address."""
    with running(create_app(pipeline, ServiceSettings.read(**({"traces": None} | chosen)))) as url:
        yield url


def ask(client: openai.OpenAI, text: object, **options: object) -> object:
    """Ask one question."""
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="any", messages=messages, **options)


def post(url: str, body: object = None, *, path: str = "chat/completions", **more: object):
    """Post JSON, or bytes as they are, to /v1/... ."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CLIENT.post(f"{url}/v1/{path}", content=content, **more)


def error(response: httpx2.Response) -> dict[str, str | None]:
    """The error of a response, which has OpenAI's shape."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return body["error"]


def chat(text: object, **more: object) -> dict[str, object]:
    """A request body."""
    return {"messages": [{"role": "user", "content": text}], **more}


def events(text: str) -> list[object]:
    """The events of a stream, the comments left out; its last one is [DONE]."""
    *told, last = [line for line in text.split("\n\n") if line and not line.startswith(":")]
    assert last == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in told]
