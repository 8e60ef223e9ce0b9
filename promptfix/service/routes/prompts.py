"""POST /v1/repair and /v1/tokenize: what can be said about a prompt without answering it."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field, model_validator

from promptfix.records import Message, Mode, Prompt, Record, Trace
from promptfix.service import replies, requests
from promptfix.service.requests import Wishes
from promptfix.service.routes.named import AnyRequest, begin
from promptfix.service.spec import ERRORS
from promptfix.service.state import Service
from promptfix.service.work import Message as Turn
from promptfix.service.work import conversation


class RepairRequest(Record):
    """The body of POST /v1/repair."""

    prompt: str
    system: str | None = None
    history: list[Message] = Field(default_factory=list[Message])
    mode: Mode | None = None
    max_annotations: int | None = Field(default=None, ge=0)
    model: str | None = None
    """The model that will answer; None is the one that is loaded, or an upstream's unnamed one."""


class TokenizeRequest(BaseModel):
    """The body of POST /v1/tokenize: raw text, or messages with the chat template around them."""

    model_config = ConfigDict(extra="allow", strict=True)

    prompt: str | None = None
    messages: list[Turn] | None = None
    return_token_strs: bool | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "TokenizeRequest":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("send either prompt or messages")
        return self


class Tokens(Record):
    """What POST /v1/tokenize answers."""

    count: int
    max_model_len: int
    tokens: tuple[int, ...]
    token_strs: tuple[str, ...] | None = None


@post("/repair", status_code=200, responses=ERRORS)
async def repair(
    data: JSONBody[RepairRequest], request: AnyRequest, service: NamedDependency[Service]
) -> Response[Trace]:
    """Diagnose a prompt and rewrite it, without an answer; the whole trace comes back."""
    name = begin(request)
    wishes = Wishes(mode=data.mode, max_annotations=data.max_annotations)
    wishes = requests.with_header(wishes, dict(request.headers))
    prompt = Prompt(text=data.prompt, system=data.system, history=tuple(data.history))
    answers = _answers(data.model, service)
    mode = service.reader.mode(wishes.mode, prompt.text, answers)
    seen = await service.reader.look(prompt, wishes, mode, answers)
    service.watch.repaired("repair", name, seen)
    return Response(seen.trace, headers=replies.headers(seen.trace))


def _answers(model: str | None, service: Service) -> str | None:
    """Which model will answer; None is the one that is loaded here."""
    if service.settings.upstream:
        return requests.model_name(model)
    return None if model in {None, service.model} else requests.model_name(model)


@post("/tokenize", status_code=200, responses=ERRORS)
async def tokenize(
    data: JSONBody[TokenizeRequest], service: NamedDependency[Service]
) -> Response[Tokens]:
    """Say which tokens the loaded model reads."""
    speaker = service.speaker
    asked = data.prompt if data.messages is None else conversation(data.messages, "messages")

    def split() -> Tokens:
        ids = speaker.encode(asked or "")
        spelt = tuple(map(speaker.spell, ids)) if data.return_token_strs else None
        return Tokens(count=len(ids), max_model_len=speaker.context, tokens=ids, token_strs=spelt)

    return Response(await service.spare.run(split))


ROUTES = [repair, tokenize]
