"""POST /beta/litellm_basic_guardrail_api: for LiteLLM's proxy, by its configuration alone.

LiteLLM asks its "generic guardrail" about all texts of a request, in the order of the messages,
and puts the texts that come back in their places. The rules of who may be edited are those of all
requests; LiteLLM's model answers, so detectors edit only where they were calibrated on it.
"""

from typing import Any, Literal

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict

from promptfix.chatbody import Turn, last_turn
from promptfix.records import Trace
from promptfix.service import replies
from promptfix.service.requests import Wishes, model_name
from promptfix.service.routes.named import AnyRequest, begin
from promptfix.service.spec import ERRORS
from promptfix.service.state import Service


class Parameters(BaseModel):
    """What LiteLLM's configuration may say to a guardrail."""

    model_config = ConfigDict(extra="allow")

    promptfix: Wishes | None = None


class GuardrailRequest(BaseModel):
    """What LiteLLM sends, as far as it matters here."""

    model_config = ConfigDict(extra="allow")

    input_type: Literal["request", "response"] = "request"
    texts: list[str] | None = None
    structured_messages: list[Any] | None = None
    model: str | None = None
    additional_provider_specific_params: Parameters | None = None

    @property
    def turn(self) -> Turn | None:
        """The last user turn, if its texts are the last of all; answers are never edited."""
        turn = last_turn({"messages": self.structured_messages})
        if self.input_type == "response" or turn is None:
            return None
        return turn if tuple(self.texts or ())[-len(turn.texts) :] == turn.texts else None

    @property
    def wishes(self) -> Wishes:
        """What the configuration asks for."""
        chosen = self.additional_provider_specific_params
        return (chosen.promptfix if chosen else None) or Wishes()


class Verdict(BaseModel):
    """What LiteLLM is to do."""

    action: Literal["NONE", "GUARDRAIL_INTERVENED"]
    texts: list[str] | None = None
    """All texts, as many as were sent."""


@post("/litellm_basic_guardrail_api", status_code=200, responses=ERRORS)
async def guardrail(
    data: JSONBody[GuardrailRequest],
    request: AnyRequest,
    service: NamedDependency[Service],
) -> Response[Verdict]:
    """Look at the last user turn, and repair it where that is wished and was measured."""
    name = begin(request)
    if (turn := data.turn) is None:
        return Response(Verdict(action="NONE", texts=data.texts), headers=replies.headers(None))
    prompt, model = turn.prompt, model_name(data.model)
    answers = None if model == service.model else model
    mode = service.reader.mode(data.wishes.mode, prompt.text, answers)
    seen = await service.reader.look(prompt, data.wishes, mode, answers)
    service.watch.repaired("litellm", name, seen)
    return Response(_verdict(data, turn, seen.trace), headers=replies.headers(seen.trace))


def _verdict(data: GuardrailRequest, turn: Turn, trace: Trace) -> Verdict:
    if trace.repair is None or trace.action != "repaired":
        return Verdict(action="NONE", texts=data.texts)
    before = (data.texts or [])[: -len(turn.texts)]
    return Verdict(action="GUARDRAIL_INTERVENED", texts=[*before, *turn.edited(trace.repair)])


ROUTES = [guardrail]
