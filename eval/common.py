"""What the scripts share: where data and weights are, how a result is written, intervals."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from promptfix.mining.files import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "eval" / "results"
WEIGHTS = ROOT / "promptfix" / "mini" / "weights"


def data_folder() -> Path:
    """The folder of the public data sets; exits with a sentence where PROMPTFIX_DATA names none."""
    folder = Path(os.environ.get("PROMPTFIX_DATA", ""))
    if not os.environ.get("PROMPTFIX_DATA") or not (folder / "math").is_dir():
        sys.exit("set PROMPTFIX_DATA to the folder that holds math/ and metaphor/")
    return folder


def write_result(
    name: str,
    content: dict[str, Any],
    *,
    script: str | None = None,
    model: Path = WEIGHTS / "model",
    sae: Path = WEIGHTS / "sae",
) -> Path:
    """Write eval/results/<name>.json, with command, commit and the hashes of model and SAE.

    `script` is that of the name, if not given.
    """
    from promptfix.lens import model_sha256, sae_sha256

    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {
        "command": shlex.join(["python", "-m", f"eval.{script or name}", *sys.argv[1:]]),
        "commit": _commit(),
        "model_sha256": model_sha256(model),
        "sae_sha256": sae_sha256(sae) if sae.exists() else None,
    }
    write_text(path, json.dumps(content | about, indent=1) + "\n")
    return path


@cache
def _commit() -> str:
    """The commit when it is first asked for: results written later make the tree dirty."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    return found.stdout.strip() or "unknown"


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def share(hits: int, n: int) -> str:
    """`63.1 % [59.0, 67.0]`."""
    low, high = wilson(hits, n)
    return f"{100 * hits / max(n, 1):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
