"""Put what several threads ask for at the same time into one call."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Together(Generic[A, B]):
    """A function of one item, made of a function of many.

    One thread at a time runs; it takes along what has come in since the last run began. Nobody
    waits for company: a caller who is alone runs alone.
    """

    def __init__(self, run: Callable[[Sequence[A]], Sequence[B]]) -> None:
        """Take a function that gives a result for each item; what it raises, all of them get."""
        self._run = run
        self._waiting: deque[tuple[A, Future[B]]] = deque()
        self._turn = threading.Lock()

    def __call__(self, item: A) -> B:
        """Wait for the result of an item. Raises what the run that it was in raised."""
        mine: Future[B] = Future()
        self._waiting.append((item, mine))
        with self._turn:
            if not mine.done():
                self._run_all()
        return mine.result()

    def _run_all(self) -> None:
        # Only who has the turn takes out, so that what is counted is there.
        jobs = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            results = self._run([item for item, _ in jobs])
        except Exception as error:  # noqa: BLE001 - it is raised where the results are waited for
            for _, job in jobs:
                job.set_exception(error)
            return
        for (_, job), result in zip(jobs, results, strict=True):
            job.set_result(result)
