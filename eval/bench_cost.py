"""What does not looking cost? `python -m eval.bench_cost`, all of it in one run.

Whole requests, reading, the slice, matching, serving and its start, each against what it is to be
compared with, in interleaved pairs whose ratios' medians are reported. Writes
eval/results/bench_cost.json after each part; `--part` measures some parts again and keeps the rest.

`transformers serve` needs an environment of its own: `make peer-transformers`, then
`--transformers .venv-transformers/bin/transformers`. Without it that ratio is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval import cost_parts, cost_requests, cost_serving
from eval.common import RESULTS, WEIGHTS, write_result
from eval.cost_models import folder_of
from eval.cost_requests import Row

PARTS = ("requests", "slice", "matching", "start", "throughput")
OF_PART = {"quiet": "requests", "repaired": "requests"}
LARGE = "gpt2-124m"


def measure(part: str, options: argparse.Namespace) -> Iterator[Row]:
    """Measure one part."""
    work: Path = options.work
    if part == "requests":
        yield from cost_requests.rows(options.models, options.lengths, work, options.pairs)
    elif part == "slice":
        from promptfix.network import load_network

        network = load_network(folder_of(LARGE, work) / "model", "cpu")
        yield from cost_parts.slices(network, work, options.pairs)
    elif part == "matching":
        yield from cost_parts.matching(options.pairs)
    elif part == "start":
        yield from cost_serving.start(WEIGHTS / "model", options.pairs)
    else:
        yield from cost_serving.throughput(WEIGHTS, work, options.pairs, options.transformers)


def ratios(rows: list[Row]) -> dict[str, float]:
    """One number for each goal that was measured: the worst of its rows."""

    def every(part: str, *keys: str, **where: Any) -> list[float]:
        some = [row for row in rows if row["part"] == part]
        some = [row for row in some if all(row[name] == value for name, value in where.items())]
        return [row[key] for row in some for key in keys if key in row]

    large = {"model": LARGE}
    quiet, repaired = ("quiet_over_generate", "quiet_over_plain"), ("repaired_over_generate",)
    found = {
        "quiet_request": max(every("quiet", *quiet, **large), default=None),
        "reading_over_prefill": max(every("quiet", "reading_over_prefill", **large), default=None),
        "repaired_request": max(
            every("repaired", *repaired, "repaired_over_plain", **large), default=None
        ),
        "full_encode_over_slice": min(
            every("slice", "full_encode_over_slice", features=64), default=None
        ),
        "matching_10000_over_10": max(every("matching", "over_10", detectors=10_000), default=None),
        "throughput_16_over_1": min(every("throughput", "throughput_16_over_1"), default=None),
        "serve_over_transformers_serve": min(
            every("throughput", "serve_over_transformers_serve"), default=None
        ),
        "ready_seconds_beyond_model": max(
            every("start", "ready_seconds_beyond_model"), default=None
        ),
    }
    return {name: value for name, value in found.items() if value is not None}


def machine() -> str:
    """The machine in words."""
    import torch

    cores, name = os.sched_getaffinity(0), platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = torch.get_num_threads()
    return f"{name}, {len(cores)} of {os.cpu_count()} cores, {threads} torch threads, {gpu}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--models", nargs="+", default=["mini", LARGE], help="also: llama-1b")
    parser.add_argument("--lengths", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("runs/bench_cost"))
    parser.add_argument("--transformers", help="the command `transformers` of its environment")
    parser.add_argument("--name", default="bench_cost", help="of the result; for a try, another")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    file = RESULTS / f"{options.name}.json"
    rows: list[Row] = json.loads(file.read_text("utf-8"))["rows"] if file.exists() else []
    rows = [row for row in rows if OF_PART.get(row["part"], row["part"]) not in options.part]
    for part in options.part:
        for row in measure(part, options):
            print(json.dumps(row), flush=True)
            rows.append(row | {"machine": machine()})
            # After each row: a run takes an hour, and may be stopped.
            content = {"ratios": ratios(rows), "rows": rows, "machine": machine()}
            file = write_result(options.name, content)
    print(file)
    print(json.dumps(ratios(rows), indent=1))


if __name__ == "__main__":
    main()
