"""What does the endpoint cost in front of a model? `python -m eval.bench_gateway`.

promptfix, LiteLLM's proxy and optillm stand in front of the same server, which answers at once.
They run side by side and take turns, so that a change in the machine's load hits all of them.
promptfix reads every prompt (mode `detect`) and finds nothing to repair; the same with mode `off`
says how much of the cost is HTTP. The peers are installed by `make peers`, in `.envs/`. Writes
eval/results/bench_gateway.json.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from eval.common import write_result
from eval.gateways import Server, litellm, optillm, peer, promptfix, upstream
from eval.load import Caller, Reply, per_second

CHAT = "/v1/chat/completions"
PROMPTS = (
    "What should I pack for a walk in the hills?",
    "How many legs has a cat?",
    "What is the colour of the sky?",
    "Write a short letter to my aunt.",
    "Who wrote this book?",
    "Please answer in one sentence: why is the sea salty?",
    "Say good morning in French.",
)
"""Those in which nothing is found are asked; the answers' headers say which."""
FIRST_MS, EVERY_MS = 200.0, 20.0
"""How fast the model of the streams is: its first token, and each other one. With a model that
answers at once, a ratio of times to the first token would only say how slow Python is."""
WARM_UP = 30.0
"""Seconds of streams before memory is looked at: until then buffers, threads and caches fill."""


def request(text: str, **more: object) -> bytes:
    """The body of a request."""
    turns = [{"role": "user", "content": text}]
    return json.dumps({"model": "fake", "messages": turns} | more).encode()


async def quiet(server: Server) -> list[str]:
    """The prompts that the server reads and finds nothing in. Raises RuntimeError if too few."""
    found = []
    for text in PROMPTS:
        reply = checked(await Caller(server.port).post(CHAT, request(text)))
        if b"x-promptfix-action: none" in reply.head.lower():
            found.append(text)
    if len(found) < 3:
        raise RuntimeError(f"something is found in all but {found}; write other prompts")
    return found


async def overheads(
    servers: list[Server], direct: Server, bodies: list[bytes], rounds: int
) -> dict[str, float]:
    """Median extra milliseconds of a request through each server, one request at a time."""
    callers = {server.name: Caller(server.port) for server in (direct, *servers)}
    extra: dict[str, list[float]] = {server.name: [] for server in servers}
    for number in range(rounds + 20):
        body = bodies[number % len(bodies)]
        took = {
            name: checked(await caller.post(CHAT, body)).whole for name, caller in callers.items()
        }
        if number >= 20:  # until then everything warms up
            for name, rows in extra.items():
                rows.append(1000 * (took[name] - took[direct.name]))
    return {name: statistics.median(rows) for name, rows in extra.items()}


async def rates(
    servers: list[Server], bodies: list[bytes], callers: int, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Requests per second of each server, once a round."""
    found: dict[str, list[float]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            found[server.name].append(await per_second(server.port, CHAT, bodies, callers, seconds))
    return found


async def first_tokens(
    server: Server, direct: Server, bodies: list[bytes], rounds: int
) -> tuple[float, float]:
    """Median seconds to the first token through a server and without it, in turns."""
    through, straight = Caller(server.port), Caller(direct.port)
    rows = []
    for number in range(rounds + 3):
        body = bodies[number % len(bodies)]
        rows.append(
            [checked(await caller.post(CHAT, body)).first for caller in (through, straight)]
        )
    with_it, without = zip(*rows[3:], strict=True)
    return statistics.median(with_it), statistics.median(without)


async def streams(server: Server, bodies: list[bytes], callers: int, seconds: float) -> list[float]:
    """Resident MiB of a server, once a second, while that many streams are always open.

    The first is taken when they have been open for WARM_UP seconds.
    """
    await per_second(server.port, CHAT, bodies, callers, WARM_UP)
    load = asyncio.create_task(per_second(server.port, CHAT, bodies, callers, seconds))
    process, sizes = psutil.Process(server.process.pid), []
    while not load.done():
        sizes.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(min(1.0, seconds / 50))
    await load
    return sizes


def growth(sizes: list[float]) -> float:
    """How much larger the last tenth is than the first, as a share."""
    tenth = max(1, len(sizes) // 10)
    return statistics.median(sizes[-tenth:]) / statistics.median(sizes[:tenth]) - 1


def checked(reply: Reply) -> Reply:
    """A reply that is an answer. Raises RuntimeError."""
    if not reply.ok:
        raise RuntimeError(f"{reply.head!r} {reply.body[:300]!r}")
    return reply


def versions() -> dict[str, str]:
    """What was measured."""
    ask = "import importlib.metadata as m; print(m.version({!r}))"
    found = {
        name: subprocess.run(  # noqa: S603 - our own environments
            [peer(name, "python"), "-c", ask.format(name)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in ("litellm", "optillm")
    }
    ours = {name: importlib.metadata.version(name) for name in ("promptfix", "litestar", "uvicorn")}
    return ours | found | {"python": platform.python_version()}


def beside_peers(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Overhead and requests per second, in front of a server that answers at once."""
    with (
        upstream() as direct,
        promptfix(direct.port, "detect") as looking,
        promptfix(direct.port, "off") as off,
        litellm(direct.port, folder) as other,
        optillm(direct.port) as another,
    ):
        bodies = [request(text) for text in asyncio.run(quiet(looking))]
        servers = [looking, off, other, another]
        extra = asyncio.run(overheads(servers, direct, bodies, options.requests))
        rps = asyncio.run(rates(servers, bodies, options.callers, options.rounds, options.seconds))

    def ratio(ours: Server, theirs: Server) -> float:
        pairs = zip(rps[ours.name], rps[theirs.name], strict=True)
        return statistics.median(a / b for a, b in pairs)

    return {
        "overhead_ms_p50": extra[looking.name],
        "rps_over_litellm": ratio(looking, other),
        "rps_over_optillm": ratio(looking, another),
        "overhead_ms_p50_by_server": extra,
        "rps_by_server": {name: statistics.median(row) for name, row in rps.items()},
        "rps_over_litellm_without_reading": ratio(off, other),
        "rps_over_optillm_without_reading": ratio(off, another),
    }


def streaming(options: argparse.Namespace) -> dict[str, object]:
    """Time to the first token and memory, in front of a server that writes like a model."""
    with upstream(FIRST_MS, EVERY_MS) as direct, promptfix(direct.port, "detect") as looking:
        bodies = [request(text, stream=True) for text in asyncio.run(quiet(looking))]
        both = first_tokens(looking, direct, bodies, options.first_tokens)
        through, straight = asyncio.run(both)
        sizes = asyncio.run(streams(looking, bodies, options.streams, options.stream_seconds))
    return {
        "ttft_over_direct": through / straight,
        "ttft_ms": 1000 * through,
        "ttft_ms_direct": 1000 * straight,
        "rss_growth": growth(sizes),
        "rss_mb": sizes[-1],
        "rss_mb_most": max(sizes),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="one at a time, for the overhead")
    parser.add_argument("--callers", type=int, default=16, help="at once, for requests per second")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each server in each round")
    parser.add_argument("--first-tokens", type=int, default=40)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--stream-seconds", type=float, default=300.0)
    parser.add_argument("--dry-run", action="store_true", help="print and write nothing")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        result = beside_peers(options, Path(folder)) | streaming(options)
    result |= {key: value for key, value in vars(options).items() if key != "dry_run"}
    result |= {
        "versions": versions(),
        "first_token_ms_of_the_upstream": FIRST_MS,
        "warm_up_seconds": WARM_UP,
        "cores": len(os.sched_getaffinity(0)),
        "cpu": platform.processor() or platform.machine(),
        "measured": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(result, indent=1))
    if not options.dry_run:
        print(write_result("bench_gateway", result))


if __name__ == "__main__":
    main()
