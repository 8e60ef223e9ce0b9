"""What serving costs: the start, and requests at once, beside `transformers serve`."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from eval.cost_requests import NEW, Row, medians, ratio

TOGETHER = 16
QUIET = [
    "What should I pack for a walk in the hills?",
    "The bus had 18 people. 7 got off. How many people are on the bus now?",
    "Tell me what a baker does on an ordinary day.",
    "A box holds 12 pencils. How many pencils are in 7 boxes?",
]
LOADING = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
AutoTokenizer.from_pretrained(sys.argv[1], local_files_only=True)
AutoModelForCausalLM.from_pretrained(sys.argv[1], local_files_only=True, dtype="float32")
"""
LOADED = """
import sys
from promptfix.pipeline import Pipeline
from promptfix.service.app import create_app
create_app(Pipeline.load())
print("sae_lens" in sys.modules)
"""


def start(model: Path, pairs: int) -> Iterator[Row]:
    """Seconds until `promptfix serve` is ready, beyond those that loading the model takes."""

    def ready() -> None:
        with serving(_promptfix(), "/readyz"):
            pass

    def load() -> None:
        _run([sys.executable, "-c", LOADING, str(model)])

    seconds, rounds = medians(pairs, ready=ready, load=load)
    yield {
        "part": "start",
        "model": "mini",
        "pairs": pairs,
        "ready_seconds_beyond_model": statistics.median(r["ready"] - r["load"] for r in rounds),
        "seconds": seconds,
        "sae_lens_imported": _run([sys.executable, "-c", LOADED]).strip() == "True",
    }


def throughput(folder: Path, work: Path, pairs: int, transformers: str | None) -> Iterator[Row]:
    """Requests at once against one at a time, on mini; the peer is left out if it is not there."""
    model = unending(folder / "model", work / "mini-unending")
    command = [*_promptfix(), "--model", str(model), "--sae", str(folder / "sae")]
    with serving([*command, "--traces", "none"], "/readyz") as ours:
        if transformers is None:
            yield _measured({"promptfix": (ours, "mini")}, pairs)
            return
        peer = [*shlex.split(transformers), "serve", str(model), "--continuous-batching"]
        with serving([*peer, "--device", "cpu", "--host", "127.0.0.1"], "/health") as theirs:
            servers = {"promptfix": (ours, "mini"), "transformers serve": (theirs, str(model))}
            yield _measured(servers, pairs)


def unending(model: Path, copy: Path) -> Path:
    """Copy a model, which then ends its answers with a token that it never writes.

    All answers are then as long as asked for. Weights, tokenizer and template stay what they are.
    """
    never = 3  # <|system|>
    shutil.copytree(model, copy, dirs_exist_ok=True)
    for name in ("config.json", "generation_config.json"):
        content = json.loads((copy / name).read_text("utf-8"))
        (copy / name).write_text(json.dumps(content | {"eos_token_id": never}), "utf-8")
    file = copy / "tokenizer_config.json"
    content = json.loads(file.read_text("utf-8")) | {"eos_token": "<|system|>"}
    file.write_text(json.dumps(content), "utf-8")
    return copy.resolve()


def _measured(servers: dict[str, tuple[int, str]], pairs: int) -> Row:
    """Tokens per second of each server, with one request at a time and with 16 at once."""
    speeds: dict[str, list[float]] = {}
    with ThreadPoolExecutor(TOGETHER) as pool:
        for number in range(pairs + 1):
            for name, (port, model) in servers.items():
                for kind, ask in (("alone", map), ("together", pool.map)):
                    began = time.perf_counter()
                    tokens = sum(ask(partial(_ask, port, model), range(TOGETHER)))
                    speed = tokens / (time.perf_counter() - began)
                    speeds.setdefault(f"{name}, {kind}", []).extend([speed] if number else [])
    rounds = [dict(zip(speeds, row, strict=True)) for row in zip(*speeds.values(), strict=True)]
    row: Row = {
        "part": "throughput",
        "model": "mini",
        "requests": TOGETHER,
        "new_tokens": NEW,
        "pairs": pairs,
        "throughput_16_over_1": ratio(rounds, "promptfix, together", "promptfix, alone"),
        "tokens_per_second": {name: statistics.median(each) for name, each in speeds.items()},
    }
    if len(servers) > 1:
        both = "promptfix, together", "transformers serve, together"
        row["serve_over_transformers_serve"] = ratio(rounds, *both)
    return row


def _ask(port: int, model: str, number: int) -> int:
    """Ask once; returns how many tokens the answer has."""
    content = f"{QUIET[number % len(QUIET)]} {number}"
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": NEW}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps(body | {"temperature": 0}),
        {"content-type": "application/json"},
    )
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    if (written := answer["usage"]["completion_tokens"]) != NEW:
        raise ValueError(f"{written} tokens were written where {NEW} were asked for")
    return written


def _promptfix() -> list[str]:
    return [sys.executable, "-m", "promptfix.cli", "serve"]


@contextmanager
def serving(command: list[str], ready: str, patience: float = 120.0) -> Generator[int]:
    """Start a server on a free port and wait until it is ready; hands out the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 - our own program, or the peer that was named
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + patience
        while not _answers(port, ready):
            if server.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"{' '.join(command)} does not answer")
            time.sleep(0.02)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _run(command: list[str]) -> str:
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout
