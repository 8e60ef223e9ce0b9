"""Everything that goes wrong, in OpenAI's error shape: {"error": {message, type, param, code}}."""

import traceback
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from pydantic import ValidationError

from promptfix.errors import (
    MicroscopeError,
    ModelError,
    ModelTimeout,
    PromptError,
    PromptfixError,
    PromptTooLong,
)
from promptfix.service.limits import Busy

AnyRequest = Request[Any, Any, Any]
Fault = dict[str, dict[str, str | None]]
ErrorResponse = Response[Fault]

_STATUSES: tuple[tuple[type[PromptfixError], int, str], ...] = (
    (PromptTooLong, 400, "context_length_exceeded"),
    (PromptError, 400, "invalid_prompt"),
    (MicroscopeError, 503, "microscope_error"),
    (ModelTimeout, 504, "model_timeout"),
    (ModelError, 502, "model_error"),
    (PromptfixError, 500, "promptfix_error"),
)
"""The first class that fits decides."""
_CODES = {401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed"}

log = structlog.stdlib.get_logger("promptfix")


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """The request asks for something that this service does not do."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str = "unsupported_value"
    ) -> None:
        """Say what cannot be done, and which field asks for it."""
        super().__init__(message)
        self.param = param
        self.code = code


class Unknown(Refused):
    """The request names something that is not there."""


class Forbidden(Refused):
    """The request asks for what is not for it to choose."""


class Gone(Exception):  # noqa: N818
    """The client hung up: nobody reads what comes of the request."""


def invalid(error: ValidationError, within: str = "") -> Refused:
    """Name the first field that is wrong, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    # A field of several types is named with the type that was tried: messages.0.content.str
    tried = {"str", "constrained-str"}
    steps = [step for step in map(str, first["loc"]) if step not in tried and "[" not in step]
    param = ".".join(filter(None, [within, *steps]))
    message = first["msg"].removeprefix("Value error, ")
    return Refused(f"{param}: {message}" if param else message, param=param or None)


def refused(_request: AnyRequest, error: Refused) -> ErrorResponse:
    """Answer a request for what is not done, not there or not allowed."""
    statuses: dict[type[Refused], int] = {Unknown: 404, Forbidden: 403}
    return _response(statuses.get(type(error), 400), str(error), error.code, error.param)


def failed(_request: AnyRequest, error: PromptfixError) -> ErrorResponse:
    """Answer for what promptfix raised on purpose."""
    status, code = _status(error)
    return _response(status, str(error), code)


def busy(_request: AnyRequest, _error: Busy) -> ErrorResponse:
    """Answer when the queue is full."""
    message = "too many requests are waiting for the model; try again in a moment"
    return _response(503, message, "overloaded", headers={"retry-after": "1"})


def gone(_request: AnyRequest, _error: Gone) -> ErrorResponse:
    """Answer nobody."""
    return _response(499, "the client hung up", "client_closed_request")


def within_stream(error: Exception) -> Fault:
    """Say what broke an answer that has begun, for the stream that it broke off."""
    if isinstance(error, PromptfixError):
        status, code = _status(error)
        return shape(str(error), status, code)
    _note(error)
    return shape("promptfix failed; its log says where", 500, "internal_error")


def shape(message: str, status: int, code: str | None = None, param: str | None = None) -> Fault:
    """Put an error into OpenAI's shape."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def too_deep(_request: AnyRequest, _error: RecursionError) -> ErrorResponse:
    """Answer JSON that is nested too deeply to be read."""
    return _response(400, "the JSON is nested too deeply", "invalid_json")


def not_utf8(_request: AnyRequest, _error: UnicodeDecodeError) -> ErrorResponse:
    """Answer bytes that are no text."""
    return _response(400, "the request is not UTF-8", "invalid_json")


def http(request: AnyRequest, error: HTTPException) -> ErrorResponse:
    """Answer for what the framework found wrong with a request."""
    status = error.status_code
    if status >= 500:
        return unexpected(request, error)
    param, message = _fault(error)
    if status in {404, 405}:
        message = f"{request.method} {request.url.path}: {message}"
    return _response(status, message, _CODES.get(status), param, headers=error.headers)


def unexpected(_request: AnyRequest, error: Exception) -> ErrorResponse:
    """Answer for a mistake of ours; the log says where it is, and nothing that was said."""
    _note(error)
    return _response(500, "promptfix failed; its log says where", "internal_error")


def _status(error: PromptfixError) -> tuple[int, str]:
    status, code = next((s, c) for kind, s, c in _STATUSES if isinstance(error, kind))
    if status >= 500:
        log.error("failed", error=type(error).__name__)
    return status, code


def _note(error: Exception) -> None:
    where = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    log.error("unexpected", error=type(error).__name__, where=where[-8:])


def _fault(error: HTTPException) -> tuple[str | None, str]:
    """Name the first field that is wrong, and what is wrong with it."""
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return None, error.detail or "the request cannot be read"
    first: dict[str, str] = error.extra[0]
    if first.get("key") == "data":
        return None, "the request has no body; send JSON"
    # A field of several types is named with the type that was tried: messages.0.content.str
    steps = first.get("key", "").split(".")
    key = ".".join(step for step in steps if step != "str" and "[" not in step)
    message = first["message"].removeprefix("Value error, ")
    return key or None, f"{key}: {message}" if key else message


def _response(
    status: int,
    message: str,
    code: str | None = None,
    param: str | None = None,
    *,
    headers: dict[str, str] | None = None,
) -> ErrorResponse:
    content = shape(message, status, code, param)
    return Response(
        content, status_code=status, headers=headers or {}, media_type="application/json"
    )


HANDLERS: dict[int | type[Exception], Any] = {
    Refused: refused,
    PromptfixError: failed,
    Busy: busy,
    Gone: gone,
    RecursionError: too_deep,
    UnicodeDecodeError: not_utf8,
    HTTPException: http,
    Exception: unexpected,
}
"""By class; Litestar takes the one that is closest to what was raised."""
