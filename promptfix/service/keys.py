"""Who may ask: holders of a key. Guards stand on routers and handlers, never on paths.

They are coroutines only because Litestar would run them in a thread if they were not.
"""

import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from promptfix.service.failures import Forbidden, Refused
from promptfix.service.settings import is_loopback
from promptfix.service.state import Service

Connection = ASGIConnection[Any, Any, Any, Any]


async def keyed(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let in who holds a key, or any program of this machine if none is set."""
    settings = _service(connection).settings
    if not settings.keys:
        _refuse_pages(connection)
    elif not _holds(connection, settings.keys | settings.operators):
        raise NotAuthorizedException(
            "the API key is missing or wrong; send it as `Authorization: Bearer KEY`",
            headers={"www-authenticate": "Bearer"},
        )


async def operated(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let in who holds an operator's key, or everybody with a key if none is set."""
    operators = _service(connection).settings.operators
    if operators and not _holds(connection, operators):
        raise PermissionDeniedException("this is for operators; send one of their keys")


def _refuse_pages(connection: Connection) -> None:
    """Refuse what a page of another site can make a browser on this machine send.

    Such a page names its own host, be it in Host, once its name leads here, or in Origin; or it
    sends a type of content that browsers let pass without asking first. Raises Forbidden or
    Refused.
    """
    headers = connection.headers
    host = "//" + headers.get("host", "")
    for name, address in (("host", host), ("origin", headers.get("origin", host))):
        if not _is_here(address):
            message = f"without keys only this machine is answered, and {name} names another"
            raise Forbidden(f"{message}; ask 127.0.0.1 or localhost, or set keys", param=name)
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if connection.scope.get("method") == "POST" and not kind.endswith(("/json", "+json")):
        raise Refused("send JSON, and say so: content-type: application/json", param="content-type")


def _is_here(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False


def _service(connection: Connection) -> Service:
    return connection.app.state.service


def _holds(connection: Connection, digests: frozenset[str]) -> bool:
    """Compare with all keys, in one time. What is not ASCII may come as UTF-8 or as Latin-1."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    sent = key.encode("latin-1").strip()  # the bytes as they came
    given = [hashlib.sha256(form).hexdigest() for form in (sent, sent.decode("latin-1").encode())]
    known = [secrets.compare_digest(one, other) for one in given for other in digests]
    return scheme.lower() == "bearer" and any(known)
