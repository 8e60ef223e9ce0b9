"""LiteLLM's proxy with promptfix as its guardrail, set up as the README says, and as its model."""

import json
from contextlib import contextmanager

import openai
import pytest

from eval.gateways import free_port, peer, running
from eval.load import KEY
from tests.readme import ADDRESS, block
from tests.upstream import EVENTS, reply, saying, streaming, upstream

MISREAD = "There are 3 quintets of dancers. How many dancers are there?"
GUARDRAIL = block("yaml", "guardrails:")
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "mini",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


@contextmanager
def proxy(folder, offline, api_base, guardrail=""):
    """Run the proxy with one model, and give a client of it."""
    port = free_port()
    params = {"model": "openai/mini", "api_key": "key", "api_base": api_base}
    config = {"model_list": [{"model_name": "mini", "litellm_params": params}]}
    config["general_settings"] = {"master_key": KEY}
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in config.items()]
    file = folder / "config.yaml"
    file.write_text("".join(lines) + guardrail, "utf-8")
    command = [peer("litellm", "litellm"), "--config", str(file), "--port", str(port)]
    with running("litellm-test", port, command, "/health/liveliness", **offline):
        yield openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0)


@pytest.fixture(scope="module")
def answering():
    """The server that answers, which remembers what it was asked."""
    with upstream() as up:
        yield up


@pytest.fixture(scope="module")
def client(tmp_path_factory, offline, service, answering):
    """A client of the proxy, in which promptfix repairs; the model is called as the lens's."""
    guardrail = GUARDRAIL.replace(ADDRESS, service.removeprefix("http://"))
    assert "mode: detect" in guardrail
    guardrail = guardrail.replace("mode: detect", "mode: repair")
    with proxy(tmp_path_factory.mktemp("proxy"), offline, answering.url, guardrail) as made:
        yield made


def said(up):
    """The last user turn that reached the server."""
    body = json.loads(up.requests[-1].body)
    turns = body.get("messages") or body["input"]
    return turns if isinstance(turns, str) else turns[-1]["content"]


def ask(client, **more):
    return client.chat.completions.create(
        model="mini", messages=[{"role": "user", "content": MISREAD}], **more
    )


def test_chat(client, answering):
    """The note reaches the server, and its answer comes back."""
    answering.behave = saying(reply())
    made = ask(client)
    assert said(answering).startswith(f"{MISREAD}\n[Note: ")
    assert made.choices[0].message.content.startswith("It is 288.")


def test_streams(client, answering):
    """The same for a stream."""
    answering.behave = streaming(*EVENTS)
    chunks = [chunk.choices[0].delta.content for chunk in ask(client, stream=True)]
    assert said(answering).startswith(f"{MISREAD}\n[Note: ")
    assert "It" in chunks


def test_responses(client, answering):
    """The same for the Responses API."""
    answering.behave = saying(reply(json.dumps(RESPONSE).encode()))
    client.responses.create(model="mini", input=MISREAD)
    assert "[Note: " in json.dumps(said(answering))


def test_a_service_that_is_gone_costs_nobody_the_answer(tmp_path, offline, answering):
    """The README's settings let requests pass where promptfix is not there."""
    answering.behave = saying(reply())
    gone = GUARDRAIL.replace(ADDRESS, f"127.0.0.1:{free_port()}")
    with proxy(tmp_path, offline, answering.url, gone) as client:
        assert ask(client).choices
    assert said(answering) == MISREAD


def test_promptfix_as_the_model(tmp_path, offline, service):
    """LiteLLM in front of promptfix: a base URL like any other, streams too."""
    with proxy(tmp_path, offline, f"{service}/v1") as client:
        assert "Answer: 15" in ask(client).choices[0].message.content
        chunks = [chunk.choices[0].delta.content or "" for chunk in ask(client, stream=True)]
    assert "Answer: 15" in "".join(chunks)
