"""What the OpenAPI document says about requests and responses that handlers read and write raw."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody
from pydantic import BaseModel, ConfigDict


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every error, in OpenAI's shape."""

    error: ErrorBody


class Reply(BaseModel):
    """What comes back from whoever answers, in OpenAI's shape."""

    model_config = ConfigDict(extra="allow")

    object: str | None = None


_MEANING = {
    400: "The request cannot be read, or asks for what is not done here.",
    401: "The API key is missing or wrong.",
    403: "The request chooses what is not for it to choose.",
    404: "There is nothing of this name.",
    413: "The request is too large.",
    429: "The upstream has had enough; Retry-After says for how long.",
    500: "A mistake of promptfix; its log says where.",
    502: "Whoever answers could not.",
    503: "Too many requests are waiting, or the prompt could not be read and was to be.",
    504: "Whoever answers took too long.",
}
ERRORS = {
    status: ResponseSpec(ErrorReply, description=what, generate_examples=False)
    for status, what in _MEANING.items()
}
FOUND = {200: ResponseSpec(Reply, description="As OpenAI's.", generate_examples=False)}
ANSWERS = {
    200: ResponseSpec(
        Reply,
        description="The answer; with `stream`, server-sent events that end in [DONE].",
        generate_examples=False,
    ),
    **ERRORS,
}


def asks(model: type[BaseModel]) -> type[Operation]:
    """An operation whose body is documented by a model and read by hand."""

    @dataclass
    class Asks(Operation):
        def __post_init__(self) -> None:
            content = {"application/json": OpenAPIMediaType(schema=inlined(model))}
            self.request_body = RequestBody(content=content, required=True)

    return Asks


def inlined(model: type[BaseModel]) -> Any:
    """The JSON Schema of a model, without references."""
    schema: dict[str, Any] = model.model_json_schema()
    known = schema.pop("$defs", {})

    def follow(part: Any) -> Any:
        match part:
            case {"$ref": str(name), **rest}:
                return follow(known[name.rpartition("/")[2]] | rest)
            case dict():
                return {key: follow(value) for key, value in part.items()}
            case list():
                return [follow(value) for value in part]
            case _:
                return part

    return follow(schema)
