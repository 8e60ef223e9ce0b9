"""/v1/promptfix/traces: what was kept of earlier requests, and whether the answers were right."""

import asyncio
from typing import Annotated, Any

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from pydantic import Field

from promptfix.records import Action, Record
from promptfix.service.failures import Unknown
from promptfix.service.keys import operated
from promptfix.service.spec import ERRORS
from promptfix.service.state import Service
from promptfix.store import Json, Store


class Feedback(Record):
    """The body of POST /v1/promptfix/traces/{id}/feedback."""

    correct: bool
    """Whether the answer was right."""
    expected: str | None = Field(default=None, min_length=1, max_length=200)
    """The right answer: a number, or `literal` or `metaphorical`."""


@get("/promptfix/traces", guards=[operated], responses=ERRORS)
async def traces(
    service: NamedDependency[Service],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
    before: FromQuery[str | None] = None,
    action: FromQuery[Action | None] = None,
) -> Json:
    """List traces, the newest first; `before` names the last one of the page before."""
    found = await asyncio.wrap_future(_store(service).list(limit + 1, before, action))
    return {"object": "list", "data": found[:limit], "has_more": len(found) > limit}


@get("/promptfix/traces/{name:str}", guards=[operated], responses=ERRORS)
async def trace(name: FromPath[str], service: NamedDependency[Service]) -> Json:
    """One trace; its texts only if the service keeps them."""
    found = await asyncio.wrap_future(_store(service).get(name))
    if found is None:
        raise _unknown(name)
    return found


@delete("/promptfix/traces/{name:str}", status_code=200, guards=[operated], responses=ERRORS)
async def forget(name: FromPath[str], service: NamedDependency[Service]) -> Json:
    """Forget a trace."""
    if not await asyncio.wrap_future(_store(service).delete(name)):
        raise _unknown(name)
    return {"id": name, "object": "trace", "deleted": True}


@post("/promptfix/traces/{name:str}/feedback", status_code=200, responses=ERRORS)
async def feedback(
    name: FromPath[str], data: JSONBody[Feedback], service: NamedDependency[Service]
) -> Json:
    """Say whether the answer was right; `promptfix mine --from-traces` learns from it."""
    told = _store(service).feedback(name, correct=data.correct, expected=data.expected)
    if not await asyncio.wrap_future(told):
        raise _unknown(name)
    return {"id": name, "object": "feedback", **data.model_dump()}


def _store(service: Service) -> Store:
    if (store := service.watch.store) is None:
        raise Unknown("traces are not kept here; name a file with --traces", code="not_found")
    return store


def _unknown(_name: str) -> Unknown:
    return Unknown("there is no trace of this id", param="id", code="not_found")


ROUTES: list[Any] = [traces, trace, forget, feedback]
