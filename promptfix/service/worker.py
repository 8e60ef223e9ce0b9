"""Threads that wait for a network, so that the event loop never does.

A network gains nothing from running twice at once: one thread reads prompts, another writes
answers, or as many each as the model takes together.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from promptfix.service.limits import Busy

T = TypeVar("T")


class Worker:
    """Does pieces of work, one at a time or `places`, in the order in which they come."""

    def __init__(self, name: str, places: int = 1) -> None:
        """Start threads of this name as there is work."""
        self._thread = ThreadPoolExecutor(max_workers=places, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do a piece of work when its turn comes. Raises what the work raises.

        Who gives up waiting leaves the queue; work that has begun goes on to its end.
        """
        try:
            future = self._thread.submit(work)
        except RuntimeError as error:  # closed: the service is going down
            raise Busy from error
        return await asyncio.wrap_future(future)

    async def stream(self, work: Callable[[], Iterator[T]]) -> AsyncGenerator[T]:
        """Hand on what an iterator gives, as it comes. Raises what it raises.

        Who stops asking stops the iterator, after the item that it is at.
        """
        loop, left = asyncio.get_running_loop(), threading.Event()
        items: asyncio.Queue[list[T]] = asyncio.Queue()

        def go_through() -> None:
            for item in work():
                if left.is_set():
                    return
                loop.call_soon_threadsafe(items.put_nowait, [item])

        async def to_the_end() -> None:
            try:
                await self.run(go_through)
            finally:
                items.put_nowait([])  # after all items: they were put by the same loop before

        task = asyncio.create_task(to_the_end())
        try:
            while item := await items.get():
                yield item[0]
            await task
        finally:
            left.set()
            task.cancel()

    def close(self) -> None:
        """Drop what waits, and wait for what runs."""
        self._thread.shutdown(wait=True, cancel_futures=True)
