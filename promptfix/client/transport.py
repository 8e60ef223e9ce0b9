"""Two httpx2 transports that look at a request before they send it: one sync, one async.

A transport sees every call of a client, whichever method made it. Methods replaced on an instance
are lost by `with_options` and passed by in `parse`.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import httpx2

from promptfix.client.exchange import Exchange, is_order, refusal
from promptfix.client.readers import Reader
from promptfix.errors import PromptfixError
from promptfix.records import Mode

OnFailure: TypeAlias = Literal["pass-through", "error"]
"""What to do if looking fails: send the request as it came, or raise."""


@dataclass(frozen=True)
class Transport(httpx2.BaseTransport):
    """Sends through another client, whose connections, proxies and hooks stay in use."""

    inner: httpx2.Client
    reader: Reader
    mode: Mode | None = None
    on_failure: OnFailure = "pass-through"

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Look, send what came of it, and say in the response what was done."""
        if not is_order(request):
            return self._send(request)
        request.read()
        try:
            exchange = Exchange.of(request, self.mode)
        except PromptfixError as error:
            return refusal(error)
        exchange = self._look(exchange)
        response = self._send(exchange.request)
        if exchange.goes_into(response):
            response.read()
        return exchange.told(response)

    def close(self) -> None:
        """Close the other client."""
        self.inner.close()

    def _look(self, exchange: Exchange) -> Exchange:
        if (question := exchange.question) is None:
            return exchange
        try:
            return exchange.mended(self.reader.look(question))
        except Exception as error:
            if self.on_failure == "error":
                raise
            return exchange.unread(question, error)

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        # Authentication and redirects are the outer client's business: it has the same settings.
        return self.inner.send(request, stream=True, auth=None, follow_redirects=False)


@dataclass(frozen=True)
class AsyncTransport(httpx2.AsyncBaseTransport):
    """The same for an async client."""

    inner: httpx2.AsyncClient
    reader: Reader
    mode: Mode | None = None
    on_failure: OnFailure = "pass-through"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Look, send what came of it, and say in the response what was done."""
        if not is_order(request):
            return await self._send(request)
        await request.aread()
        try:
            exchange = Exchange.of(request, self.mode)
        except PromptfixError as error:
            return refusal(error)
        exchange = await self._look(exchange)
        response = await self._send(exchange.request)
        if exchange.goes_into(response):
            await response.aread()
        return exchange.told(response)

    async def aclose(self) -> None:
        """Close the other client."""
        await self.inner.aclose()

    async def _look(self, exchange: Exchange) -> Exchange:
        if (question := exchange.question) is None:
            return exchange
        try:
            return exchange.mended(await self.reader.alook(question))
        except Exception as error:
            if self.on_failure == "error":
                raise
            return exchange.unread(question, error)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        return await self.inner.send(request, stream=True, auth=None, follow_redirects=False)
