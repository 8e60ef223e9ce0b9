"""The connection to the server that answers: one address, bytes out, bytes in.

Nothing is sent anywhere else, no redirect is followed and no proxy of the environment is used.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx2

from promptfix.errors import ModelError, ModelTimeout, brief
from promptfix.service.failures import Fault, shape
from promptfix.service.settings import ServiceSettings

SENT = ("accept", "content-type", "openai-beta", "openai-organization", "openai-project",
        "traceparent", "tracestate", "x-request-id")  # fmt: skip
"""Headers of the client that go on."""
RETURNED = ("content-type", "retry-after", "retry-after-ms", "x-should-retry", "openai-model",
            "openai-processing-ms", "openai-version")  # fmt: skip
"""Headers of the upstream that come back, beside those that begin as below."""
RETURNED_PREFIX = "x-ratelimit-"
IDLE_SECONDS = 4.0
"""How long an idle connection is kept: less than the five seconds after which many servers close
theirs, so that no request meets a connection that is just being closed."""


class Upstream:
    """An OpenAI-compatible server."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Know the address; connect when asked to."""
        self._settings = settings
        self._base = str(settings.upstream).rstrip("/")
        silent, connect = settings.upstream_seconds, settings.upstream_connect_seconds
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(silent, connect=connect),
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=IDLE_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    @asynccontextmanager
    async def asked(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        """Send a request and wait for the head of the response.

        Leaving the `with` block hangs up. Raises ModelTimeout or ModelError.
        """
        with _one_error():
            request = self._client.build_request(
                method, f"{self._base}/{path}", headers=self._headers(headers), content=content
            )
            response = await self._sent(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        """Send it; try again only where no connection was made, so that nothing is asked twice."""
        for attempt in range(self._settings.upstream_retries):
            try:
                return await self._client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                await asyncio.sleep(0.1 * 2**attempt)
        return await self._client.send(request, stream=True)

    def _headers(self, given: Mapping[str, str]) -> httpx2.Headers:
        sent = {name: given[name] for name in SENT if name in given}
        if self._settings.upstream_key is not None:
            key = self._settings.upstream_key.get_secret_value()
            sent["authorization"] = f"Bearer {key}"
        elif self._settings.forward_authorization and "authorization" in given:
            sent["authorization"] = given["authorization"]
        # So that the bytes of a stream are the text of its events.
        sent["accept-encoding"] = "identity"
        return httpx2.Headers(sent, encoding="latin-1")  # as they were read


async def body_of(response: httpx2.Response) -> bytes:
    """All of a response. Raises ModelTimeout or ModelError."""
    with _one_error():
        return await response.aread()


async def bytes_of(response: httpx2.Response) -> AsyncGenerator[bytes]:
    """A response as it comes, byte for byte, but for a coding that nobody asked for.

    Raises ModelTimeout or ModelError.
    """
    with _one_error():
        async for chunk in response.aiter_bytes():
            yield chunk


def returned(response: httpx2.Response) -> dict[str, str]:
    """The headers of a response that the client gets."""
    return {
        name: value
        for name, value in response.headers.items()
        if name in RETURNED or name.startswith(RETURNED_PREFIX)
    }


def fault(status: int, content: bytes, decoded: object) -> Fault | None:
    """An upstream's error in OpenAI's shape; None if it has that shape already."""
    match decoded:
        case {"error": {"message": str()}}:
            return None
        case [{"error": {"message": str(message)}}, *_]:
            said = message
        case {"detail": [{"msg": str(message), **rest}, *_]}:
            where = rest.get("loc")
            steps = where if isinstance(where, list) else []
            said = ": ".join(filter(None, [".".join(map(str, steps)), message]))
        case {"error": str(message)} | {"detail": str(message)} | {"message": str(message)}:
            said = message
        case _:
            text = brief(content.decode(errors="replace"))
            said = ": ".join(filter(None, [f"the upstream answered with status {status}", text]))
    return shape(said, status, "upstream_error")


@contextmanager
def _one_error() -> Generator[None]:
    """Whatever happens to a connection is one of two things to the client."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise ModelTimeout("the upstream was silent for too long; ask again later") from error
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
        what = type(error).__name__
        raise ModelError(f"the connection to the upstream failed ({what}); ask again") from error
