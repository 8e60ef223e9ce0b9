"""Calls of several threads at the same time become one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from promptfix.together import Together


class Squares:
    """Squares many numbers, waits while it does so if told to, and remembers its runs."""

    def __init__(self):
        self.runs = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, numbers):
        """Square."""
        self.runs.append(list(numbers))
        self.begun.set()
        assert self.go.wait(10)
        return [number**2 for number in numbers]


def test_who_comes_during_a_run_shares_the_next():
    """The first runs alone, all others together, and each gets its own result."""
    run = Squares()
    square = Together(run)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(square, 0)
        assert run.begun.wait(10)
        others = [pool.submit(square, number) for number in range(1, 9)]
        while len(square._waiting) < 8:
            pass
        run.go.set()
        assert [job.result(10) for job in (first, *others)] == [n**2 for n in range(9)]
    assert run.runs[0] == [0]
    assert sorted(run.runs[1]) == list(range(1, 9))
    assert len(run.runs) == 2


def test_a_failure_is_everybodys():
    """All who were in the run are told, and nobody else; the next run is a new one."""
    run = Squares()
    square = Together(run)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(square, 0)
        assert run.begun.wait(10)
        others = [pool.submit(square, what) for what in ("a word", *range(1, 8))]
        while len(square._waiting) < 8:
            pass
        run.go.set()
        assert first.result(10) == 0
        for job in others:
            with pytest.raises(TypeError):
                job.result(10)
    assert len(run.runs) == 2
    assert square(1) == 1
