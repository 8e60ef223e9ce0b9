"""OpenAI's request and response shapes, and the `promptfix` object beside them.

A request is read leniently where OpenAI's clients are lenient (fields that mean nothing here are
let pass) and refused where ignoring a field would change what the answer means.
"""

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from promptfix.errors import ModelError
from promptfix.records import Answer, Mode, Prompt, Record, Sampling, Trace
from promptfix.service.failures import Refused

Json = dict[str, Any]

_HARMLESS: dict[str, tuple[object, ...]] = {
    "stream": (None, False),
    "n": (None, 1),
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "audio": (None,),
}
"""Fields that cannot be honoured, with the values that ask for nothing."""


class Part(BaseModel):
    """A part of a message. Only those of type `text` can be read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str | None = None


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    def text(self, param: str) -> str:
        """All that it says. Raises Refused if not all of it is text."""
        if isinstance(self.content, str):
            return self.content
        parts = self.content or []
        if other := next((part.type for part in parts if part.type != "text"), None):
            raise Refused(f"this model reads text, and here is a part of type {other}", param=param)
        return "\n".join(part.text or "" for part in parts)


class Wishes(BaseModel):
    """What a request asks of promptfix itself."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode | None = None
    """None is the service's own."""
    trace: bool = False
    """Whether the whole trace is to come back, texts included."""


class ChatRequest(BaseModel):
    """The body of POST /v1/chat/completions."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    """Taken as it is: whatever it names, the one model that is loaded answers, and says so."""
    messages: list[Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    """None is 0, unlike OpenAI's 1: what was measured was measured on the likeliest answer."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    promptfix: Wishes | None = None

    def prompt(self) -> Prompt:
        """The user's turn, with the system text before it. Raises Refused or PromptError."""
        self._refuse_unsupported()
        system = [text for at in range(len(self.messages) - 1) if (text := self._instruction(at))]
        last = len(self.messages) - 1
        if self.messages[last].role != "user":
            raise Refused("the last message has to be the user's", param=f"messages[{last}]")
        text = self.messages[last].text(f"messages[{last}].content")
        return Prompt(text=text, system="\n\n".join(system) or None)

    def sampling(self, most: int) -> Sampling:
        """How to write the answer, of `most` tokens at most."""
        asked = self.max_completion_tokens or self.max_tokens or most
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if not all(stop):
            raise Refused("an empty text cannot stop an answer", param="stop")
        return Sampling(
            max_tokens=min(asked, most),
            temperature=self.temperature or 0.0,
            top_p=self.top_p or 1.0,
            stop=tuple(stop),
            seed=self.seed,
        )

    def _instruction(self, at: int) -> str:
        message = self.messages[at]
        if message.role not in {"system", "developer"}:
            raise Refused(
                "earlier turns of a conversation cannot be read yet; send one user message, "
                "with system messages before it",
                param=f"messages[{at}]",
            )
        return message.text(f"messages[{at}].content")

    def _refuse_unsupported(self) -> None:
        for name, harmless in _HARMLESS.items():
            if (self.model_extra or {}).get(name) not in harmless:
                raise Refused(
                    f"{name} is not supported here with this value; leave it out",
                    param=name,
                    code="unsupported_parameter",
                )


class RepairRequest(Record):
    """The body of POST /v1/repair."""

    prompt: str
    system: str | None = None
    mode: Mode | None = None


def completion(trace: Trace, *, model: str, whole: bool) -> Json:
    """A chat completion that answers a request, with what promptfix did beside it."""
    if (answer := trace.answer) is None:
        raise ModelError("the model gave no answer; ask again")
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {
        "id": f"chatcmpl-{trace.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice | {"logprobs": None}],
        "usage": usage(answer),
        "promptfix": summary(trace, whole=whole),
    }


def usage(answer: Answer) -> dict[str, int]:
    """Tokens as OpenAI counts them; those of an annotation are among the prompt's."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def summary(trace: Trace, *, whole: bool = False) -> Json:
    """What promptfix did, in short; with the whole trace if asked."""
    short = {
        "action": trace.action,
        "mode": trace.mode,
        "detectors": [finding.detector for finding in trace.findings],
        "annotations": [edit.annotation for edit in trace.repair.edits] if trace.repair else [],
        "verified": trace.verification.verified if trace.verification else None,
        "failure": trace.failure,
        "trace_id": trace.id,
    }
    return short | ({"trace": trace.model_dump(mode="json")} if whole else {})


def headers(trace: Trace) -> dict[str, str]:
    """What promptfix did, for clients that see headers only."""
    before_answering = sum(
        spent for step, spent in trace.seconds.items() if step not in {"answer", "compare"}
    )
    return {
        "x-request-id": trace.id,
        "x-promptfix-action": trace.action,
        "x-promptfix-detectors": ",".join(finding.detector for finding in trace.findings),
        "x-promptfix-trace-id": trace.id,
        "x-promptfix-overhead-ms": f"{1000 * before_answering:.1f}",
    }


def model_card(model: str, created: int) -> Json:
    """One entry of GET /v1/models."""
    return {"id": model, "object": "model", "created": created, "owned_by": "promptfix"}
