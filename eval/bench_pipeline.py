"""What does looking cost? `python -m eval.bench_pipeline`.

A cold start, quiet, repaired and withdrawn requests (whose answers do something else than the note
says, also in its other words, so that the prompt is answered as it came), and the memory of `serve`
are measured. Requests of all kinds are interleaved, so that a change in the machine's load hits all
three. Each pair gives a ratio; the medians of the ratios are reported. Writes
eval/results/bench_pipeline.json.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from eval.common import write_result

TOKENS = 32
QUIET = (
    "A baker made 48 rolls in the morning and 35 buns in the afternoon. He sold 57 of all he made. "
    "How many were not sold?"
)
"""One that nothing fires on, and whose answer comes near `TOKENS`."""
NOISY = "Nina has 3 cats and 17 fish. She buys 6 fish. How many fish does she have now?"
STRAYING = (
    "Polly drove 6 hours at 23 miles an hour and then 3 more miles on a dirt road. "
    "She walked 77 miles. How many miles did she drive in all?"
)
BODY = b'{"model": "mini", "messages": [{"role": "user", "content": "What is 12 plus 30?"}]}'


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cold_start(prompt: str, runs: int) -> float:
    """Median seconds of `promptfix ask` in a process of its own."""
    command = [sys.executable, "-m", "promptfix.cli", "ask", prompt]

    def ask() -> None:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program

    return statistics.median(seconds(ask) for _ in range(runs))


def ratios(prompt: str, pairs: int) -> dict[str, float]:
    """Over plain answers: a quiet prompt, one that is repaired, one whose answer is not taken."""
    from promptfix import Pipeline, Prompt, Sampling

    pipeline, sampling = Pipeline.load(), Sampling(max_tokens=TOKENS)
    asked = {"none": QUIET, "repaired": prompt, "withdrawn": STRAYING}
    for action, text in asked.items():
        seen = pipeline.answer(text, sampling=sampling)
        assert seen.action == action, f"{text!r} is not {action} by this library, but {seen.action}"
    rows: list[dict[str, float]] = []
    for _ in range(pairs):
        row: dict[str, float] = {}
        for name, text in zip(("quiet", "repaired", "withdrawn"), asked.values(), strict=True):
            given = Prompt(text=text)
            plain = seconds(lambda given=given: pipeline.model.answer(given, sampling=sampling))
            ours = seconds(lambda given=given: pipeline.answer(given, sampling=sampling))
            row |= {f"{name}_over_plain": ours / plain, f"{name}_ms": 1000 * ours}
            row.setdefault("plain_ms", 1000 * plain)
        rows.append(row)
    found = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    quiet = pipeline.answer(QUIET, sampling=sampling).answer
    return found | {"quiet_tokens": quiet.completion_tokens if quiet else 0}


def serve_memory() -> float:
    """Resident MiB of `promptfix serve` after it has answered."""
    import psutil

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "promptfix.cli", "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            BODY,
            {"content-type": "application/json"},
        )
        for _ in range(5):
            urllib.request.urlopen(request).read()  # noqa: S310 - our own server
        process = psutil.Process(server.pid)
        processes = [process, *process.children(recursive=True)]
        return sum(p.memory_info().rss for p in processes) / 2**20
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url: str, patience: float = 60.0) -> None:
    """Poll until the address answers 200. Raises TimeoutError."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError(url)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt", default=NOISY, help="one that the library repairs")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    result = {
        "cold_start_s": cold_start(options.prompt, options.runs),
        **ratios(options.prompt, options.pairs),
        "serve_rss_mb": serve_memory(),
        "pairs": options.pairs,
        "new_tokens": TOKENS,
        "cores": os.cpu_count(),
    }
    for key, value in result.items():
        print(f"{key:22} {value:.3f}" if isinstance(value, float) else f"{key:22} {value}")
    print(write_result("bench_pipeline", result))


if __name__ == "__main__":
    main()
