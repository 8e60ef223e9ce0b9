"""The name of a request: the caller's, if it has one."""

from typing import Any, TypeAlias

from litestar import Request

from promptfix.service import logs
from promptfix.service.requests import request_id

AnyRequest: TypeAlias = Request[Any, Any, Any]


def begin(request: AnyRequest) -> str:
    """Name a request, in the response and in every line of the log."""
    name = request_id(dict(request.headers))
    request.scope["state"]["request_id"] = name
    logs.begin(name)
    return name
