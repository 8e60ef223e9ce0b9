"""Many answers of an OpenAI-compatible server, for measuring: greedy, a few at a time.

Not for serving: here a busy server is waited for, and nothing is streamed.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from promptfix.errors import ModelError, brief
from promptfix.records import Answer, Prompt

SYSTEM = (
    "Answer the question. End with one line that says only `Answer:` and then the number or the "
    "word, without any markup."
)
"""Said before every question, so that answers can be scored."""
AT_ONCE = 8
TRIES = 6
BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses after which it is worth asking again."""
LONGEST_WAIT = 60.0
"""Seconds."""


class RemoteModel:
    """A model behind an OpenAI-compatible server."""

    def __init__(self, url: str, model: str, key: str | None = None) -> None:
        """Ask the server at `url`, which ends in /v1, for the model of this name.

        Raises ModelError for what is no address.
        """
        if not _is_address(url):
            raise ModelError(f"{url!r} is no address of a server; give one like http://host:80/v1")
        self.name = model
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._client = httpx2.Client(headers=headers, timeout=600, trust_env=False)

    def answer_many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int,
        batch: int = AT_ONCE,  # noqa: ARG002 - the server makes its own batches
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[Answer]:
        """Answer in the order of the prompts. Raises ModelError."""

        def ask(prompt: Prompt) -> Answer:
            answer = self._ask(prompt.text, max_tokens)
            progress(1)
            return answer

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(ask, prompts))

    def _ask(self, text: str, max_tokens: int) -> Answer:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        body = {"model": self.name, "messages": messages, "temperature": 0, "seed": 0}
        return _answer(self._posted(body | {"max_tokens": max_tokens}))

    def _posted(self, body: dict[str, Any]) -> httpx2.Response:
        """Ask until the server is not too busy: as long as it says, or longer each time."""
        reason, response = "", None
        for attempt in range(TRIES):
            if attempt:
                time.sleep(_wait(response, attempt))
            try:
                response = self._client.post(self._url, json=body)
            except httpx2.TransportError as error:
                response, reason = None, type(error).__name__
                continue
            if response.status_code == 200:
                return response
            said = f"status {response.status_code}", brief(response.text)
            reason = ": ".join(filter(None, said))
            if response.status_code not in BUSY:
                break
        raise ModelError(f"{self._url} gave no answer ({reason}); see that it runs, and run again")


def _is_address(url: str) -> bool:
    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.host)


def _wait(response: httpx2.Response | None, attempt: int) -> float:
    told = response.headers.get("retry-after", "") if response is not None else ""
    seconds = float(told) if told.isdecimal() else 0.25 * 2**attempt
    return min(seconds, LONGEST_WAIT)


def _answer(response: httpx2.Response) -> Answer:
    try:
        told = response.json()
        choice, usage = told["choices"][0], told.get("usage") or {}
        return Answer(
            text=choice["message"]["content"] or "",
            finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        what = type(error).__name__
        raise ModelError(
            f"the server's answer is no chat completion ({what}); correct its address"
        ) from error
