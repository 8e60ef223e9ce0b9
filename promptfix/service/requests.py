"""A request for an answer, as it came: its bytes, what they say, and what it wishes of promptfix.

Nothing is asked of its shape here but that it is JSON: what a field means is for who answers.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptfix.chatbody import Turn, last_turn
from promptfix.records import Mode
from promptfix.service.failures import Refused, invalid

Kind: TypeAlias = Literal["chat/completions", "completions", "responses"]
"""What is asked for: the path under /v1."""
MODES: tuple[Mode, ...] = ("off", "detect", "repair")
OWN = "promptfix"
"""The key of a body that is for promptfix and goes no further."""
FORBIDDEN = frozenset({"base_url", "api_base"})
"""Keys that other gateways take an address from: whoever sends one expects to choose where to."""
SHAPES = frozenset({"tools", "functions", "response_format", "text"})
"""Fields that describe what the model may write. Names in them are those of its arguments."""

MAX_NAME = 200
"""Characters of a model's name that are kept."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class Wishes(BaseModel):
    """What a request asks of promptfix itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mode: Mode | None = None
    """None is the service's own."""
    max_annotations: int | None = Field(default=None, ge=0)
    """How many notes the prompt may get; at most as many as the service allows."""
    trace: bool = False
    """Whether the whole trace is to come back, texts included."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    kind: Kind
    raw: bytes
    """Its JSON, without the key that is for promptfix; otherwise byte for byte as it came."""
    body: Any
    """The same, decoded."""
    wishes: Wishes
    headers: Mapping[str, str]
    id: str

    @cached_property
    def turn(self) -> Turn | None:
        """The last turn of the user's, if any text of the request may be edited."""
        return last_turn(self.body)

    @property
    def model(self) -> str:
        """The model that it names, or nothing."""
        return model_name(self.body.get("model") if isinstance(self.body, dict) else None)


def read(kind: Kind, raw: bytes, headers: Mapping[str, str], request_id: str) -> Asked:
    """Read a request. Raises Refused, UnicodeDecodeError or RecursionError."""
    text = raw.decode()
    body, own = decode(text), None
    if isinstance(body, dict) and OWN in body:
        own, text = body.pop(OWN), without(text, OWN)
    wishes = _wishes(own, headers)
    refuse_addresses(body, headers)
    return Asked(kind, text.encode(), body, wishes, headers, request_id)


def decode(text: str) -> Any:
    """Decode JSON. Raises Refused."""
    if not text.strip():
        raise Refused("the request has no body; send JSON", code="invalid_json")
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(f"the request is no JSON: {error}", code="invalid_json") from error


def request_id(headers: Mapping[str, str]) -> str:
    """The caller's id of the request if it is short and plain, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def without(text: str, key: str) -> str:
    """Take all members of this name out of a JSON object; every other character stays.

    In one pass, since a request may repeat a name as often as it likes.
    """
    members = list(_members(text))
    if not members:
        return text
    kept = [at for at, (name, _, _) in enumerate(members) if name != key]
    # A member goes with its comma, the last one of those that stay without.
    parts = [text[members[at][1] : members[at + 1][1]] for at in kept[:-1]]
    parts += [text[start:end] for _, start, end in (members[at] for at in kept[-1:])]
    return "".join([text[: members[0][1]], *parts, text[members[-1][2] :]])


def refuse_addresses(body: object, headers: Mapping[str, str]) -> None:
    """Refuse a request that names a server, wherever it does. Upstreams are configured."""
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in SHAPES}
    named = {name.lower().removeprefix("x-").replace("-", "_") for name in headers}
    if found := next(iter(FORBIDDEN & (named | set(_keys(body)))), None):
        raise Refused(f"{found} is not taken from requests; leave it out", param=found)


def model_name(given: object) -> str:
    """A model's name as it is compared and kept: short, and UTF-8, which JSON need not be."""
    return given[:MAX_NAME].encode(errors="replace").decode() if isinstance(given, str) else ""


def check_answers(prompts: int, n: float, most: int) -> None:
    """Refuse a request for more answers than one may ask for."""
    if prompts * n > most:
        raise Refused(
            f"{most} answers are made at most, n to each prompt; ask for fewer", param="n"
        )


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """The members of a JSON object that is known to be one: name, start and end of each."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] == '"':
        start = at
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, at = _DECODER.raw_decode(text, at)
        yield name, start, at
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _keys(body: object) -> Iterator[str]:
    """All keys of a JSON value, at any depth."""
    rest = [body]
    while rest:
        match rest.pop():
            case dict() as members:
                yield from members
                rest.extend(members.values())
            case list() as items:
                rest.extend(items)
            case _:
                pass


def _wishes(own: object, headers: Mapping[str, str]) -> Wishes:
    try:
        wishes = Wishes.model_validate({} if own is None else own)
    except ValidationError as error:
        raise invalid(error, OWN) from None
    return with_header(wishes, headers)


def with_header(wishes: Wishes, headers: Mapping[str, str]) -> Wishes:
    """The mode as the body says, else the header. Raises Refused for one that is none."""
    header = headers.get("x-promptfix-mode")
    if wishes.mode is not None or header is None:
        return wishes
    mode = next((mode for mode in MODES if mode == header.strip().lower()), None)
    if mode is None:
        name = "x-promptfix-mode"
        raise Refused(f"{name} is one of {', '.join(MODES)}", param=name)
    return wishes.model_copy(update={"mode": mode})
