"""What a request asks of the model that is loaded here, in its own terms.

A request is read leniently where OpenAI's clients are lenient (fields that mean nothing here are
let pass) and refused where ignoring a field would change what the answer means.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptfix.chatbody import JOIN
from promptfix.pipeline import Input
from promptfix.records import Message as Earlier
from promptfix.records import Prompt, Sampling
from promptfix.service.failures import Refused, invalid
from promptfix.service.requests import Asked, Kind, Wishes

Text = Annotated[str, Field(min_length=1)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]
Ids = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
Limit: TypeAlias = Annotated[int, Field(ge=1)] | None
DEFAULT_TOKENS = 512
COLDEST = 1e-5
"""Below this temperature the likeliest token is taken: dividing by it would give no numbers."""

_NOT_HERE: dict[str, tuple[object, ...]] = {
    "tools": (None, []),
    "functions": (None, []),
    "tool_choice": (None, "none", "auto"),
    "logit_bias": (None, {}),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "suffix": (None, ""),
    "best_of": (None, 1),
    "previous_response_id": (None,),
    "conversation": (None,),
    "background": (None, False),
}
"""Fields that cannot be honoured, with the values that ask for nothing."""


@dataclass(frozen=True)
class Work:
    """What the model is to do."""

    inputs: tuple[Input, ...]
    sampling: Sampling
    n: int = 1
    """How many answers to each."""
    stream: bool = False
    usage: bool = False
    """Whether a stream ends in the usage."""
    echo: bool = False
    """Whether the prompt comes back before the answer."""
    writes: bool = True
    """Whether anything is to be written at all."""

    def seeded(self, answer: int) -> Sampling:
        """The sampling of the n-th answer: a seed makes all of them repeatable, and different."""
        seed = self.sampling.seed
        return self.sampling.model_copy(update={"seed": None if seed is None else seed + answer})


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(extra="allow", strict=True)

    include_usage: bool | None = None


class Request(BaseModel):
    """What all requests for an answer have in common."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str | None = None
    """Taken as it is: whatever it names, the one model that is loaded answers, and says so."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """None is 0, unlike OpenAI's 1: what was measured was measured on the likeliest answer."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**62)
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    """Bounded, since all of them are looked for after each token."""
    n: int | None = Field(default=None, ge=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    promptfix: Wishes | None = None

    def refuse_unsupported(self) -> None:
        """Raise Refused for a field that would have to be ignored."""
        for name, harmless in _NOT_HERE.items():
            if (self.model_extra or {}).get(name) not in harmless:
                raise _unsupported(name)

    def sampling(self, tokens: int | None, most: int | None, logprobs: int | None) -> Sampling:
        """How to write an answer of so many tokens, of `most` at most."""
        most, temperature = most or DEFAULT_TOKENS, self.temperature or 0.0
        return Sampling(
            max_tokens=max(1, min(most if tokens is None else tokens, most)),
            temperature=temperature if temperature >= COLDEST else 0.0,
            top_p=self.top_p or 1.0,
            stop=tuple([self.stop] if isinstance(self.stop, str) else self.stop or []),
            seed=self.seed,
            logprobs=logprobs,
        )

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end in the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def _unsupported(name: str) -> Refused:
    message = f"{name} is not supported here with this value; leave it out"
    return Refused(message, param=name, code="unsupported_parameter")


class Asks(Protocol):
    """A request that knows what work it asks for."""

    def work(self, most: int | None) -> Work:
        """Say it, for answers of `most` tokens at most. Raises Refused or PromptError."""
        ...


class Part(BaseModel):
    """A part of a message. Only text can be read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str | None = None


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="allow", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    def said(self, param: str) -> str:
        """All that it says. Raises Refused if not all of it is text."""
        if isinstance(self.content, str):
            return self.content
        parts = self.content or []
        known = {"text", "input_text", "output_text"}
        if other := next((part.type for part in parts if part.type not in known), None):
            raise Refused(f"this model reads text, and here is a part of type {other}", param=param)
        return JOIN.join(part.text or "" for part in parts)


class ChatRequest(Request):
    """The body of POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: Limit = None
    max_completion_tokens: Limit = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)

    def work(self, most: int | None) -> Work:
        """A turn to answer."""
        self.refuse_unsupported()
        logprobs = (self.top_logprobs or 0) if self.logprobs else None
        tokens = self.max_completion_tokens or self.max_tokens
        return Work(
            inputs=(conversation(self.messages, "messages"),),
            sampling=self.sampling(tokens, most, logprobs),
            n=self.n or 1,
            stream=bool(self.stream),
            usage=self.wants_usage,
        )


class CompletionRequest(Request):
    """The body of POST /v1/completions: raw text, or token ids, to go on from."""

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1)]
        | Ids
        | Annotated[list[Ids], Field(min_length=1)]
    )
    max_tokens: int | None = Field(default=None, ge=0)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    echo: bool | None = None

    def work(self, most: int | None) -> Work:
        """Texts to go on from."""
        self.refuse_unsupported()
        several = isinstance(self.prompt, list) and not isinstance(self.prompt[0], int)
        inputs: list[Any] = self.prompt if several else [self.prompt]  # pyright: ignore[reportAssignmentType]
        tokens = 16 if self.max_tokens is None else self.max_tokens  # OpenAI's, for completions
        return Work(
            inputs=tuple(tuple(one) if isinstance(one, list) else one for one in inputs),
            sampling=self.sampling(tokens, most, self.logprobs),
            n=self.n or 1,
            stream=bool(self.stream),
            usage=self.wants_usage,
            echo=bool(self.echo),
            writes=tokens > 0,
        )


class ResponsesRequest(Request):
    """The body of POST /v1/responses: text in, text out, all at once."""

    input: str | list[Message]
    instructions: str | None = None
    max_output_tokens: Limit = None
    text: dict[str, Any] | None = None

    def work(self, most: int | None) -> Work:
        """A turn to answer."""
        self.refuse_unsupported()
        if self.stream:
            raise Refused("responses are not streamed here; leave stream out", param="stream")
        if (self.text or {}).get("format") not in (None, {"type": "text"}):
            raise _unsupported("text.format")
        turns = self.input
        if isinstance(turns, str):
            turns = [Message(role="user", content=turns)]
        if self.instructions:
            turns = [Message(role="system", content=self.instructions), *turns]
        return Work(
            inputs=(conversation(turns, "input"),),
            sampling=self.sampling(self.max_output_tokens, most, None),
        )


REQUESTS: dict[Kind, type[Request]] = {
    "chat/completions": ChatRequest,
    "completions": CompletionRequest,
    "responses": ResponsesRequest,
}


def work(asked: Asked, most: int | None) -> Work:
    """Read a request for the model here. Raises Refused or PromptError."""
    try:
        made = REQUESTS[asked.kind].model_validate(asked.body)
    except ValidationError as error:
        raise invalid(error) from None
    return made.work(most)  # pyright: ignore[reportAttributeAccessIssue]


def conversation(messages: list[Message], param: str) -> Prompt:
    """The last turn, with what was said before. Raises Refused or PromptError."""
    *before, last = messages or [Message(role="system")]
    if last.role != "user":
        at = len(before)
        raise Refused("the last message has to be the user's", param=f"{param}[{at}]")
    system: list[str] = []
    history: list[Earlier] = []
    for at, message in enumerate(before):
        text = message.said(f"{param}[{at}].content")
        match message.role:
            case "system" | "developer":
                system.append(text)
            case "user" | "assistant":
                history.append(Earlier(role=message.role, text=text))
            case _:
                raise Refused("this model calls no tools", param=f"{param}[{at}]")
    return Prompt(
        text=last.said(f"{param}[{len(before)}].content"),
        system="\n\n".join(filter(None, system)) or None,
        history=tuple(history),
    )
