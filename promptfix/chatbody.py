"""The JSON body of a request for an answer: which of its text may be edited, and editing it.

Only text of the last user turn may be: never what the system, a tool or the assistant said, and
nothing in a conversation in which a tool was called. OpenAI's two conversational shapes are
known, `messages` (chat completions) and `input` (responses). A text completion has no turns.

Editing replaces the texts that the notes go into; every other byte of the request stays.
"""

import json
import json.decoder
import json.scanner
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from promptfix.errors import PromptError
from promptfix.records import Edit, Prompt, Repair

JOIN = "\n"
"""Between the text parts of one message, when they are read as one text."""
_DECODER: Any = json.decoder
_SCANNER: Any = json.scanner


@dataclass(frozen=True)
class Turn:
    """The last user turn of a request, and the instructions that stand before it."""

    texts: tuple[str, ...]
    """Its text parts, in order."""
    system: str | None = None

    @property
    def prompt(self) -> Prompt:
        """The turn as one text. Raises PromptError if it cannot be read."""
        return Prompt(text=JOIN.join(self.texts), system=self.system)

    def edited(self, repair: Repair) -> tuple[str, ...]:
        """The texts with the edits of a repair in them. Raises PromptError if it is another's."""
        if self.prompt.text != repair.original.text:
            raise PromptError("the repair is not one of this request")
        return tuple(self._with_edits(repair.edits))

    def _with_edits(self, edits: Sequence[Edit]) -> Iterator[str]:
        start = 0  # `at` counts through the joined texts
        for text in self.texts:
            end = start + len(text)
            new = text
            for edit in reversed([edit for edit in edits if start <= edit.at <= end]):
                new = new[: edit.at - start] + edit.text + new[edit.at - start :]
            yield new
            start = end + len(JOIN)


def last_turn(body: object) -> Turn | None:
    """Find what may be edited in a decoded request; None if nothing may or there is no text.

    Any JSON may be handed in. A conversation that the server remembers (`previous_response_id`)
    is left alone, since a tool may have been called in it.
    """
    match body:
        case {"messages": [*messages, {"role": "user", "content": content}]}:
            turn = _turn(content, messages, None)
        case {"input": _, "previous_response_id": str()} | {"input": _, "conversation": str() | {}}:
            return None
        case {"input": str(text), **rest}:
            turn = _turn(text, [], rest.get("instructions"))
        case {"input": [*items, {"role": "user", "content": content}], **rest}:
            turn = _turn(content, items, rest.get("instructions"))
        case _:
            return None
    return turn if turn and _readable(turn) else None


def edited(raw: bytes, repair: Repair) -> bytes:
    """Put the edits of a repair into the request whose last turn it repairs.

    Raises PromptError if the request has no such turn, ValueError if it is no JSON in UTF-8.
    """
    body = raw.decode()
    turn = last_turn(_locate(body))
    if turn is None:
        raise PromptError("nothing of this request may be edited")
    places = zip(turn.texts, turn.edited(repair), strict=True)
    for old, new in reversed([(old, new) for old, new in places if old != new]):
        assert isinstance(old, _Located)
        body = body[: old.start] + json.dumps(new) + body[old.end :]
    return body.encode()


def _turn(content: object, before: Sequence[object], instructions: object) -> Turn | None:
    if any(map(_is_of_a_tool, before)):
        return None
    said = [JOIN.join(_texts(part)) for part in (instructions, *map(_instruction, before))]
    return Turn(tuple(_texts(content)), "\n\n".join(filter(None, said)) or None)


def _is_of_a_tool(message: object) -> bool:
    """Whether a message, or an item of a response, calls a tool or brings what one said."""
    match message:
        case {"role": "tool" | "function"} | {"tool_calls": [_, *_]} | {"function_call": {}}:
            return True
        case {"role": str()} | {"type": "reasoning"}:
            return False
        case _:
            return True  # every other item of a response is of a tool, or not known here


def _instruction(message: object) -> object:
    match message:
        case {"role": "system" | "developer", "content": content}:
            return content
        case _:
            return None


def _texts(content: object) -> Iterator[str]:
    match content:
        case str():
            yield content
        case [*parts]:
            for part in parts:
                match part:
                    case {"type": "text" | "input_text", "text": str(text)}:
                        yield text
                    case _:
                        pass
        case _:
            pass


def _readable(turn: Turn) -> bool:
    try:
        return bool(turn.prompt)
    except PromptError:
        return False


class _Located(str):
    """A string that knows which characters of a JSON text it was read from, quotes included."""

    __slots__ = ("end", "start")
    start: int
    end: int


def _locate(text: str) -> object:
    """Decode JSON so that every string value is a _Located.

    The decoder's Python half, which the standard library keeps beside its C half, calls
    `parse_string` for each value.
    """
    decoder: Any = json.JSONDecoder()
    decoder.parse_string = _located
    decoder.scan_once = _SCANNER.py_make_scanner(decoder)
    return decoder.decode(text)


def _located(text: str, start: int, strict: bool = True) -> tuple[str, int]:
    value, end = _DECODER.scanstring(text, start, strict)
    made = _Located(value)
    made.start, made.end = start - 1, end
    return made, end
