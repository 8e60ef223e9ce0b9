"""How often is a prompt edited that is none of the tasks? `python -m eval.false_fires`.

Chat turns, code, lists, letters, other languages and long system-like texts by a small grammar, and
passages of texts that mini was not trained on, where PROMPTFIX_DATA is set. Writes
eval/results/false_fires.json.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from tqdm import tqdm

from eval.common import WEIGHTS, share, write_result
from promptfix.mini.corpus.mix import TEXTS
from promptfix.mining.ordinary import ordinary
from promptfix.pipeline import Pipeline
from promptfix.records import Trace

UNSEEN = ("masc-open-anc", "sgd-dialogues", "onestop-english", "qa-science-commonsense")
"""Texts of the data folder that are no part of mini's corpus."""
SHORTEST, LONGEST = 30, 1200
"""Characters of a passage."""


def passages(count: int, seed: int) -> dict[str, list[str]]:
    """Name of a text -> passages drawn from it; nothing without the data folder."""
    folder = Path(os.environ.get("PROMPTFIX_DATA", "missing")) / "text"
    found: dict[str, list[str]] = {}
    for name in UNSEEN:
        file = folder / f"{name}.txt"
        if name in TEXTS or not file.exists():
            continue
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
        fitting = [line for line in lines if SHORTEST <= len(line) <= LONGEST]
        found[name] = Random(seed).sample(fitting, min(count, len(fitting)))
    return found


def counts(traces: list[Trace]) -> dict[str, Any]:
    """How many prompts were edited, and by what."""
    repairs = [trace.repair for trace in traces if trace.action == "repaired"]
    edits = [edit for repair in repairs if repair for edit in repair.edits]
    by = Counter(edit.finding.misunderstanding for edit in edits)
    return {
        "n": len(traces),
        "edited": len(repairs),
        "fired": sum(bool(t.findings) for t in traces),
        "not_read": sum(t.action in ("skipped", "error") for t in traces),
        "by_misunderstanding": dict(sorted(by.items())),
    }


def main() -> None:
    """Look at everything, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS / "model")
    parser.add_argument("--sae", type=Path, default=WEIGHTS / "sae")
    parser.add_argument("--detectors", type=Path)
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--edit-from", default="measured")
    parser.add_argument("--written", type=int, default=2000, help="prompts by the grammar")
    parser.add_argument("--passages", type=int, default=400, help="from each text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-write", action="store_true")
    options = parser.parse_args()
    pipeline = Pipeline.load(
        model=options.model,
        sae=options.sae,
        detectors=options.detectors,
        annotations=options.annotations,
        edit_from=options.edit_from,
        on_too_long="pass-through",
    )
    sources = {"written here": list(islice(ordinary(options.seed + 1), options.written))}
    sources |= passages(options.passages, options.seed)
    rows: dict[str, dict[str, Any]] = {}
    for name, texts in sources.items():
        bar = tqdm(texts, desc=name, mininterval=5)
        rows[name] = counts([pipeline.repair(text) for text in bar])
        print(f"{name:24} edited {share(rows[name]['edited'], rows[name]['n'])}", flush=True)
    total = {key: sum(row[key] for row in rows.values()) for key in ("n", "edited", "fired")}
    result = total | {"sources": rows, "library": pipeline.library.digest, "seed": options.seed}
    if not options.no_write:
        print(write_result("false_fires", result, model=options.model, sae=options.sae))


if __name__ == "__main__":
    main()
