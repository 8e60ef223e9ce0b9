"""Which text of a request may be edited, and that editing changes nothing else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptfix.chatbody import Turn, edited, last_turn
from promptfix.errors import PromptError
from promptfix.records import Edit, Prompt
from promptfix.rewriting import apply
from promptfix.testing import finding

TOOL_CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
TOOL = {"role": "tool", "tool_call_id": "1", "content": "12"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def user(content):
    return {"role": "user", "content": content}


def part(text, kind="text"):
    return {"type": kind, "text": text}


def repair(text, *edits, system=None):
    """A repair that inserts words at places of a text."""
    made = [
        Edit(annotation="a@1", at=at, text=words, finding=finding("literal-reading"))
        for at, words in edits
    ]
    return apply(Prompt(text=text, system=system), made)


@pytest.mark.parametrize(
    ("body", "texts", "system"),
    [
        ({"messages": [user("a")]}, ("a",), None),
        ({"messages": [user([part("a"), IMAGE, part("b")])]}, ("a", "b"), None),
        (
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "developer", "content": [part("d"), part("e")]},
                    user("before"),
                    {"role": "assistant", "content": "hm", "tool_calls": []},
                    user("a"),
                ]
            },
            ("a",),
            "s\n\nd\ne",
        ),
        ({"input": "a", "instructions": "s"}, ("a",), "s"),
        ({"input": [user([part("a", "input_text")])]}, ("a",), None),
        ({"input": [{"type": "reasoning"}, user("a")], "previous_response_id": None}, ("a",), None),
    ],
)
def test_the_last_user_turn_is_found(body, texts, system):
    """With the instructions before it, in both shapes."""
    assert last_turn(body) == Turn(texts, system)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"messages": []},
        {"messages": [7]},
        {"messages": [user(None)]},
        {"messages": [user(" \n")]},
        {"messages": [user("\ud800")]},
        {"messages": [user([IMAGE])]},
        {"messages": [user("a"), {"role": "assistant", "content": "b"}]},
        {"messages": [user("a"), {"role": "system", "content": "b"}]},
        {"messages": [user("a"), TOOL_CALL, TOOL]},
        {"messages": [user("a"), TOOL_CALL, TOOL, user("b")]},
        {"messages": [TOOL_CALL, user("b")]},
        {"messages": [{"role": "assistant", "function_call": {"name": "f"}}, user("b")]},
        {"messages": [{"role": "function", "name": "f", "content": "1"}, user("b")]},
        {"messages": ["what?", user("b")]},
        {"input": [user("a"), {"type": "function_call_output", "call_id": "1", "output": "2"}]},
        {"input": [{"type": "web_search_call", "id": "1"}, user("a")]},
        {"input": "a", "previous_response_id": "resp_1"},
        {"input": "a", "conversation": "conv_1"},
        {"input": "a", "conversation": {"id": "conv_1"}},
        {"prompt": "a"},
    ],
)
def test_nothing_else_may_be_edited(body):
    """No system, tool or assistant message, nothing after a tool call, no text completion."""
    assert last_turn(body) is None


def test_only_the_text_is_replaced():
    """Spaces, number forms, escapes and doubled keys elsewhere are as they were."""
    raw = (
        b'{ "n" : 1.50e0,"a":"\\u00e9", "a":1,\r\n"messages":[{"role":"user",'
        b'"content":"gr\\u00f6\\/"}],"user":"gr\\u00f6\\/","big":123456789012345678901234567890}'
    )
    made = edited(raw, repair("grö/", (4, "\n[Note: x]")))
    assert made == raw.replace(b'"gr\\u00f6\\/"', b'"gr\\u00f6/\\n[Note: x]"', 1)


def test_edits_go_into_the_part_they_fall_in():
    """`at` counts through the parts, joined; the end of a part is before the break."""
    body = {"messages": [user([part("one"), IMAGE, part("two"), part("")])]}
    made = repair("one\ntwo\n", (0, "A"), (3, "B"), (4, "C"), (7, "D"), (7, "E"), (8, "F"))
    content = json.loads(edited(json.dumps(body).encode(), made))["messages"][0]["content"]
    assert content == [part("AoneB"), IMAGE, part("CtwoDE"), part("F")]


def test_a_repair_of_something_else_is_refused():
    """An edit never goes into a text that it was not made for."""
    made = repair("a", (1, "!"))
    for body in ({"messages": [user("b")]}, {"messages": [user("a"), TOOL_CALL, TOOL]}, []):
        with pytest.raises(PromptError, match="request"):
            edited(json.dumps(body).encode(), made)
    for raw in (b"{", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            edited(raw, made)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(body=ANY | st.fixed_dictionaries({"messages": st.lists(ANY)}))
def test_any_json_may_be_handed_in(body):
    """A shape that is not known has no turn, and is no error."""
    assert last_turn(body) is None or last_turn(body).prompt.text.strip()


@settings(max_examples=60)
@given(
    rest=st.dictionaries(st.text(), ANY, max_size=4),
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3),
    where=st.lists(st.integers(0, 40), min_size=1, max_size=3),
    ascii_only=st.booleans(),
    in_responses=st.booleans(),
)
def test_what_is_edited_is_the_repaired_prompt(rest, texts, where, ascii_only, in_responses):
    """The new last turn reads as the repair says, and all else of any request is unchanged."""
    key, kind = ("input", "input_text") if in_responses else ("messages", "text")
    body = {k: v for k, v in rest.items() if k not in {"messages", "input", "instructions"}}
    body = {**body, key: [user([part(text, kind) for text in texts])], "zz": rest}
    turn = last_turn(body)
    if turn is None:
        return
    text = turn.prompt.text
    made = repair(text, *((min(at, len(text)), f"[{i}]") for i, at in enumerate(where)))
    raw = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    after = json.loads(edited(raw, made))
    assert last_turn(after).prompt.text == made.repaired.text
    assert {k: v for k, v in after.items() if k != key} == {
        k: v for k, v in body.items() if k != key
    }
