"""Answers in OpenAI's shapes, whole and in chunks, and the `promptfix` object beside them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

from promptfix.records import Score, Trace
from promptfix.service.requests import Kind

Json: TypeAlias = dict[str, Any]
STARTED = 1_763_700_000
"""OpenAI's clients want to know when a model was created; any fixed moment does."""


@dataclass(frozen=True)
class Choice:
    """One answer of a reply."""

    index: int
    text: str
    finish: str | None
    scores: Sequence[Score] | None = None
    """One for each token; None where they were not asked for."""
    offset: int = 0
    """How many characters of the answer went before, where it comes in parts."""


@dataclass(frozen=True)
class Envelope:
    """What all chunks of a reply have in common."""

    kind: Kind
    id: str
    model: str
    created: int

    @classmethod
    def new(cls, kind: Kind, name: str, model: str) -> "Envelope":
        """Make one for a reply that begins now."""
        prefix = {"chat/completions": "chatcmpl", "completions": "cmpl", "responses": "resp"}[kind]
        return cls(kind, f"{prefix}-{name}".replace("resp-", "resp_"), model, int(time.time()))

    def whole(self, choices: Sequence[Choice], usage: Json, **more: Any) -> Json:
        """The reply at once."""
        if self.kind == "responses":
            return _response(self, choices[0], usage) | more
        chat = self.kind == "chat/completions"
        shape = _chat_choice if chat else _completion_choice
        named = "chat.completion" if chat else "text_completion"
        return self._head(named) | {"choices": list(map(shape, choices)), "usage": usage} | more

    def chunk(self, choices: Sequence[Choice], *, first: bool = False, **more: Any) -> Json:
        """A part of the reply; `first` opens a choice."""
        if self.kind == "completions":
            named, made = "text_completion", list(map(_completion_choice, choices))
        else:
            named, made = "chat.completion.chunk", [_delta(choice, first) for choice in choices]
        return self._head(named) | {"choices": made} | more

    def _head(self, named: str) -> Json:
        return {"id": self.id, "object": named, "created": self.created, "model": self.model}


def usage(prompt: int, completion: int, annotation: int = 0, kind: Kind = "completions") -> Json:
    """Tokens as OpenAI counts them; those of annotations are among the prompt's, and told."""
    read, wrote = ("input", "output") if kind == "responses" else ("prompt", "completion")
    more = {"output_tokens_details": {"reasoning_tokens": 0}} if kind == "responses" else {}
    return {
        f"{read}_tokens": prompt,
        f"{wrote}_tokens": completion,
        "total_tokens": prompt + completion,
        f"{read}_tokens_details": {"cached_tokens": 0, "annotation_tokens": annotation},
        **more,
    }


def summary(trace: Trace, annotation_tokens: int = 0, *, whole: bool = False) -> Json:
    """What promptfix did, in short; with the whole trace if asked."""
    short = {
        "action": trace.action,
        "mode": trace.mode,
        "detectors": [finding.detector for finding in trace.findings],
        "annotations": [edit.annotation for edit in trace.repair.edits] if trace.repair else [],
        "annotation_tokens": annotation_tokens,
        "verified": trace.verification.verified if trace.verification else None,
        "failure": trace.failure,
        "trace_id": trace.id,
    }
    return short | ({"trace": trace.model_dump(mode="json")} if whole else {})


def unread(reason: str) -> Json:
    """The same for a request in which there is nothing to read."""
    return {"action": "skipped", "failure": reason, "detectors": [], "annotations": []}


def headers(trace: Trace | None, *, stored: bool = False) -> dict[str, str]:
    """What promptfix did, for clients that see headers only."""
    if trace is None:
        return {"x-promptfix-action": "skipped", "x-promptfix-overhead-ms": "0.0"}
    before_answering = sum(
        spent for step, spent in trace.seconds.items() if step not in {"answer", "compare"}
    )
    return {
        "x-promptfix-action": trace.action,
        "x-promptfix-detectors": ",".join(finding.detector for finding in trace.findings),
        "x-promptfix-trace-id": trace.id,
        "x-promptfix-trace-stored": "true" if stored else "false",
        "x-promptfix-overhead-ms": f"{1000 * before_answering:.1f}",
    }


def model_card(model: str) -> Json:
    """One entry of GET /v1/models."""
    return {"id": model, "object": "model", "created": STARTED, "owned_by": "promptfix"}


def _chat_choice(choice: Choice) -> Json:
    message = {"role": "assistant", "content": choice.text, "refusal": None}
    return {
        "index": choice.index,
        "message": message,
        "finish_reason": choice.finish,
        "logprobs": _chat_logprobs(choice),
    }


def _delta(choice: Choice, first: bool) -> Json:
    role = {"role": "assistant"} if first else {}
    delta = role | ({"content": choice.text} if first or choice.text else {})
    return {
        "index": choice.index,
        "delta": delta,
        "finish_reason": choice.finish,
        "logprobs": _chat_logprobs(choice),
    }


def _chat_logprobs(choice: Choice) -> Json | None:
    if choice.scores is None:
        return None

    def entry(text: str, logprob: float | None) -> Json:
        whole = "\N{REPLACEMENT CHARACTER}" not in text
        code = list(text.encode()) if whole else None
        return {"token": text, "logprob": logprob, "bytes": code}

    content = [
        entry(score.text, score.logprob)
        | {"top_logprobs": [entry(other.text, other.logprob) for other in score.top]}
        for score in choice.scores
    ]
    return {"content": content, "refusal": None}


def _completion_choice(choice: Choice) -> Json:
    return {
        "index": choice.index,
        "text": choice.text,
        "finish_reason": choice.finish,
        "logprobs": _completion_logprobs(choice),
    }


def _completion_logprobs(choice: Choice) -> Json | None:
    if choice.scores is None:
        return None
    ends = accumulate((len(score.text) for score in choice.scores), initial=choice.offset)
    return {
        "tokens": [score.text for score in choice.scores],
        "token_logprobs": [score.logprob for score in choice.scores],
        "top_logprobs": [
            {other.text: other.logprob for other in score.top} or None for score in choice.scores
        ],
        "text_offset": list(ends)[:-1],
    }


def _response(envelope: Envelope, choice: Choice, usage: Json) -> Json:
    done = choice.finish != "length"
    status = "completed" if done else "incomplete"
    text = {"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}
    message = {
        "type": "message",
        "id": envelope.id.replace("resp_", "msg_"),
        "status": status,
        "role": "assistant",
        "content": [text],
    }
    return {
        "id": envelope.id,
        "object": "response",
        "created_at": envelope.created,
        "status": status,
        "error": None,
        "incomplete_details": None if done else {"reason": "max_output_tokens"},
        "model": envelope.model,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": usage,
    }
