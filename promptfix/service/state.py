"""What the routes of one application share."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from litestar import Response

from promptfix.pipeline import Pipeline, Speaker
from promptfix.service.limits import Gate
from promptfix.service.reading import Reader
from promptfix.service.requests import Asked
from promptfix.service.settings import ServiceSettings
from promptfix.service.watch import Watch
from promptfix.service.worker import Worker


class Backend(Protocol):
    """Whoever answers."""

    async def answer(self, asked: Asked, stack: AsyncExitStack) -> Response[Any]:
        """Answer a request. What `stack` holds is given back when the response is sent."""
        ...

    async def models(self, headers: Mapping[str, str]) -> Response[Any]:
        """List the models, for a request with these headers."""
        ...

    async def model(self, name: str, headers: Mapping[str, str]) -> Response[Any]:
        """Describe one."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    settings: ServiceSettings
    pipeline: Pipeline
    speaker: Speaker
    reader: Reader
    backend: Backend
    gate: Gate
    watch: Watch
    spare: Worker
    """For short work that should not stop the event loop."""

    @property
    def model(self) -> str:
        """The name of the loaded model, as the lens says it."""
        return self.pipeline.reads

    async def close(self) -> None:
        """Stop reading and answering, and keep the traces that are left."""
        self.reader.close()
        self.spare.close()
        await self.backend.close()
        if self.watch.store:
            self.watch.store.close()
