"""LiteLLM's generic guardrail: what its proxy sends, and what it gets back."""

import hashlib

import httpx2
import pytest

from promptfix.pipeline import Pipeline
from promptfix.testing import FakeMicroscope, FakeModel
from tests.serving import CLIENT, GROSS, QUIET, error, library_of, seeing, serving

PATH = "/beta/litellm_basic_guardrail_api"
NOTED = Pipeline(seeing(), FakeModel(), library_of()).repair(GROSS).repair.repaired.text


@pytest.fixture(scope="module")
def url():
    """A service of fakes; the model that is read is called `fake`."""
    with serving(Pipeline(seeing(), FakeModel(), library_of())) as address:
        yield address


def asked(*messages, texts=None, **more):
    """What LiteLLM sends for a conversation."""
    said = [m["content"] for m in messages if isinstance(m.get("content"), str)]
    return {
        "input_type": "request",
        "litellm_call_id": "1",
        "litellm_trace_id": None,
        "structured_messages": list(messages),
        "texts": said if texts is None else texts,
        "images": None,
        "tools": None,
        "request_data": {},
        "request_headers": {"authorization": "[present]"},
        "litellm_version": "1",
        "additional_provider_specific_params": {},
        "model": "fake",
    } | more


def user(content):
    return {"role": "user", "content": content}


def ask(url, body, **more) -> httpx2.Response:
    return CLIENT.post(f"{url}{PATH}", json=body, **more)


SYSTEM = {"role": "system", "content": "Count in gross."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
DETECT = {"x": 1, "promptfix": {"mode": "detect"}}
TOOL = {"role": "tool", "tool_call_id": "1", "content": "two gross"}


def test_the_last_turn_is_repaired(url):
    """All texts come back, in order, and only that of the last user turn is another."""
    said = {"role": "assistant", "content": "A gross what?"}
    response = ask(url, asked(SYSTEM, user("gross"), said, user(GROSS)))
    verdict = {"action": "GUARDRAIL_INTERVENED"}
    assert response.json() == verdict | {
        "texts": ["Count in gross.", "gross", "A gross what?", NOTED]
    }
    assert response.headers["x-promptfix-action"] == "repaired"


def test_parts_are_repaired(url):
    """The note goes into the last text part; images are not among the texts."""
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = [{"type": "text", "text": "Look:"}, image, {"type": "text", "text": GROSS}]
    made = ask(url, asked(user(parts), texts=["Look:", GROSS])).json()
    assert made["texts"] == ["Look:", NOTED]


@pytest.mark.parametrize(
    ("body", "action"),
    [
        (asked(user(QUIET)), "none"),
        (asked(user(GROSS), model="big"), "detected"),
        (asked(user(GROSS), additional_provider_specific_params=DETECT), "detected"),
        (asked(user(GROSS), input_type="response"), "skipped"),
        (asked(user(GROSS), texts=["another"]), "skipped"),
        (asked(user(GROSS), texts=[]), "skipped"),
        (asked(user(GROSS), CALL, TOOL), "skipped"),
        (asked(user(GROSS), structured_messages=None), "skipped"),
        ({"input_type": "request", "texts": None, "request_data": {}}, "skipped"),
    ],
)  # fmt: skip
def test_all_else_stays(url, body, action):
    """Nothing found, another model, answers, tools, texts that are not the turn's."""
    response = ask(url, body)
    assert response.json() == {"action": "NONE", "texts": body["texts"]}
    assert response.headers["x-promptfix-action"] == action


def test_wishes_that_cannot_be_met_are_refused(url):
    """Repairs for a model that nothing was measured on, and misspelt wishes."""
    for promptfix in ({"mode": "repair"}, {"mode": "fix"}):
        params = {"promptfix": promptfix}
        body = asked(user(GROSS), model="big", additional_provider_specific_params=params)
        response = ask(url, body)
        assert response.status_code == 400
        assert error(response)["message"]


def test_a_broken_microscope_changes_nothing():
    """LiteLLM goes on with what it has."""
    with serving(Pipeline(FakeMicroscope(broken=OSError("x")), FakeModel(), library_of())) as url:
        response = ask(url, asked(user(GROSS)))
    assert response.json()["action"] == "NONE"
    assert response.headers["x-promptfix-action"] == "error"


def test_a_key_is_wanted():
    """As everywhere, in the Authorization header."""
    keys = {hashlib.sha256(b"key").hexdigest()}
    with serving(Pipeline(seeing(), FakeModel(), library_of()), keys=keys) as url:
        assert ask(url, asked(user(GROSS))).status_code == 401
        headers = {"authorization": "Bearer key"}
        assert ask(url, asked(user(GROSS)), headers=headers).is_success
