"""How many requests are worked on at once, and how many may wait."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Busy(Exception):  # noqa: N818 - it reads as what is the case
    """The queue is full, or the service is going down."""


class Gate:
    """Lets requests in, in the order in which they come. For one event loop."""

    def __init__(self, places: int, waiting: int) -> None:
        """Let `places` in at once; `waiting` more may queue."""
        self.running = self.waiting = 0
        self._most = waiting
        self._free = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Be let in for as long as the `with` block lasts. Raises Busy if the queue is full."""
        if self._free.locked() and self.waiting >= self._most:
            raise Busy
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._free.release()
