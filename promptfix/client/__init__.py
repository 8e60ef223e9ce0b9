"""Repair the prompts of an LLM client that you already have.

    client = promptfix.wrap(openai.OpenAI())
    reply = client.chat.completions.create(...)
    promptfix.trace_of(reply)

    wrapping.py    `wrap` and `trace_of`
    transport.py   two httpx2 transports, sync and async, that look before they send
    exchange.py    the pure parts of both: what a request asks, what goes on, what comes back
    readers.py     who looks: a pipeline in this process, or a service that runs elsewhere

Nothing here imports torch, litestar or the openai package.
"""

from promptfix.client.readers import InProcess, Reader, Remote
from promptfix.client.transport import AsyncTransport, Transport
from promptfix.client.wrapping import trace_of, wrap

__all__ = ["AsyncTransport", "InProcess", "Reader", "Remote", "Transport", "trace_of", "wrap"]
