"""The one thread that runs the model, and the queue before it.

A model gains nothing from running twice at once, and the event loop must never wait for it:
/healthz answers while an answer is being written.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from promptfix.pipeline import Pipeline

T = TypeVar("T")


class Busy(Exception):  # noqa: N818 - it reads as what is the case
    """The queue is full."""


class Worker:
    """Runs work on a pipeline, one piece at a time, in the order in which it came."""

    def __init__(self, pipeline: Pipeline, waiting: int) -> None:
        """Take a loaded pipeline; `waiting` pieces of work may queue behind the one that runs."""
        self.pipeline = pipeline
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="promptfix")
        self._places = threading.Semaphore(waiting + 1)

    async def run(self, work: Callable[[Pipeline], T]) -> T:
        """Do a piece of work when its turn comes. Raises Busy, or what the work raises.

        Who gives up waiting leaves the queue; work that has begun keeps its place to the end.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            future = self._thread.submit(work, self.pipeline)
        except RuntimeError as error:  # closed: the service is going down
            self._places.release()
            raise Busy from error
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits, and wait for what runs."""
        self._thread.shutdown(wait=True, cancel_futures=True)
