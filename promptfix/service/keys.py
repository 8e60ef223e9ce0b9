"""Who may ask: holders of a key. Guards stand on routers and handlers, never on paths.

They are coroutines only because Litestar would run them in a thread if they were not.
"""

import hashlib
import secrets
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from promptfix.service.state import Service

Connection = ASGIConnection[Any, Any, Any, Any]


async def keyed(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let in who holds a key, or anybody if none is set."""
    settings = _service(connection).settings
    if settings.keys and not _holds(connection, settings.keys | settings.operators):
        raise NotAuthorizedException(
            "the API key is missing or wrong; send it as `Authorization: Bearer KEY`",
            headers={"www-authenticate": "Bearer"},
        )


async def operated(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let in who holds an operator's key, or everybody with a key if none is set."""
    operators = _service(connection).settings.operators
    if operators and not _holds(connection, operators):
        raise PermissionDeniedException("this is for operators; send one of their keys")


def _service(connection: Connection) -> Service:
    return connection.app.state.service


def _holds(connection: Connection, digests: frozenset[str]) -> bool:
    """Compare with all keys, in one time."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(key.strip().encode()).hexdigest()
    known = [secrets.compare_digest(digest, other) for other in digests]
    return scheme.lower() == "bearer" and any(known)
