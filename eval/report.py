"""Rebuild the tables of README.md and MODEL_CARD.md from eval/results: `python -m eval.report`.

With `--check` it only compares.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eval.common import RESULTS, ROOT, share

FILES = [ROOT / "README.md", ROOT / "promptfix" / "mini" / "MODEL_CARD.md"]
_BLOCK = re.compile(r"(<!-- (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def result(name: str) -> dict[str, Any]:
    """What a script wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def abilities() -> str:
    """Mini's answers without any repair."""
    found = result("mini_abilities")
    columns = "set", "n", "right (95 % interval)", "majority class", "dropped as overlapping"
    rows: list[tuple[object, ...]] = []
    for name, row in found.items():
        if isinstance(row, dict):
            n = row["n"]
            majority = f"{100 * row['majority'] / n:.1f} %" if "majority" in row else ""
            rows.append((name, n, share(row["correct"], n), majority, row["dropped_as_leaks"]))
    return table(columns, rows)


def sae() -> str:
    """The SAE's quality on unseen prompts."""
    found = result("sae_quality")
    goals = {
        "unexplained_variance": "<= 5 %",
        "l0_fraction": "<= 1 %",
        "ce_recovered": ">= 98 %",
        "dead_fraction": "<= 5 %",
    }
    rows: list[tuple[object, ...]] = [
        (key.replace("_", " "), f"{100 * found[key]:.2f} %", goal) for key, goal in goals.items()
    ]
    if seen := found.get("validated"):
        random = f"{100 * seen['share_random_sae']:.1f} % in a random SAE"
        rows.append(("validated features", f"{100 * seen['share']:.1f} %", f">= 93 %; {random}"))
    return table(("what", "measured", "goal"), [*rows, ("tokens", found["n_tokens"], "")])


def speed() -> str:
    """What looking costs."""
    found = result("bench_pipeline")
    plain = f"plain answer of {found['quiet_tokens']} tokens"
    return table(
        ("what", "measured", "goal"),
        [
            ("`promptfix ask` from a cold start", f"{found['cold_start_s']:.1f} s", "< 6 s"),
            (f"nothing fires / {plain}", f"{found['quiet_over_plain']:.3f}", "<= 1.05"),
            ("repaired / plain answer", f"{found['repaired_over_plain']:.2f}", "<= 1.5"),
            ("withdrawn / plain answer", f"{found['withdrawn_over_plain']:.2f}", ""),
            ("resident memory of `serve`", f"{found['serve_rss_mb']:.0f} MB", "< 1000 MB"),
        ],
    )


def notes() -> str:
    """Whether mini computes with what a note says."""
    found = result("counterfactual")
    told = {
        "plain_right": "right without a note",
        "true_note_right": "right with the true note",
        "false_note_computed_with": "with a false note: computed with the false value",
        "false_note_still_right": "with a false note: still the true answer",
    }
    rows = [(words, share(found[key], found["n"])) for key, words in told.items()]
    return table(("unit-word problems (held-out generator)", ""), rows)


def detectors() -> str:
    """The detectors and what they did on their calibration half."""
    counts = "prompts", "annotated", "repaired", "harmed"
    rows: list[tuple[object, ...]] = []
    for file in sorted((ROOT / "detectors").glob("*/*.measured.json")):
        measured = json.loads(file.read_text("utf-8"))
        rule = json.loads(file.with_name(file.name.replace(".measured", "")).read_text("utf-8"))
        harm = f"{100 * measured['harm']['at_most']:.2f} %"
        done = [measured["calibration"][key] for key in counts]
        rows.append((f"`{rule['id']}`", rule["status"], *done, harm))
    columns = "calibration prompts", "fires", "repaired", "harmed", "harm at most"
    return table(("detector", "status", *columns), rows)


def evaluation(task: str) -> str:
    """What every arm did on the held-out items of a task."""
    found = result(task)
    columns = "arm", "accuracy", "gain (95 % interval)", "wrong to right", "right to wrong", "p"
    plain = ("plain", f"{100 * found['plain']:.1f} %", "", "", "", "")
    rows: list[tuple[object, ...]] = [plain]
    for name, row in sorted(found["arms"].items(), key=lambda pair: -pair[1]["gain"]):
        shown = f"**{name}**" if name == "promptfix" else name
        changed = row["wrong_to_right"], row["right_to_wrong"], f"{row['mcnemar_p']:.2g}"
        rows.append((shown, f"{100 * row['accuracy']:.1f} %", _gain(row), *changed))
    best = f"{100 * found['oracle']:.1f} %"
    return table(columns, [*rows, ("any annotation (the ceiling)", best, "", "", "", "")])


def gates(task: str) -> str:
    """The same notes where other gates put them."""
    columns = "gate", "prompts", "gain (95 % interval)", "wrong to right", "right to wrong"
    told = "auroc_repaired_or_harmed"
    rows = [
        (
            name,
            row["chosen"],
            _gain(row),
            row["wrong_to_right"],
            row["right_to_wrong"],
            "" if row[told] is None else f"{row[told]:.2f}",
        )
        for name, row in result(task)["gates"].items()
    ]
    return table((*columns, "AUROC, repaired or harmed"), rows)


def _gain(row: dict[str, Any]) -> str:
    low, high = row["gain_ci95"]
    return f"{100 * row['gain']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [row_of(columns), "|" + "---|" * len(columns), *(row_of(row) for row in rows)]
    return "\n".join(lines)


def row_of(cells: Iterable[object]) -> str:
    """One row of it."""
    return "|" + "".join(f" {cell} |" if cell != "" else " |" for cell in cells)


TABLES: dict[str, Callable[[], str]] = {
    "abilities": abilities,
    "sae": sae,
    "speed": speed,
    "notes": notes,
    "detectors": detectors,
    "math": partial(evaluation, "math"),
    "metaphor": partial(evaluation, "metaphor"),
    "metaphor-rare-words": partial(evaluation, "metaphor-rare-words"),
    "math-gates": partial(gates, "math"),
    "metaphor-gates": partial(gates, "metaphor"),
}


def rendered(text: str) -> str:
    """The text with every marked table made anew."""
    return _BLOCK.sub(lambda m: f"{m[1]}{TABLES[m['name']]()}\n{m[3]}", text)


def stale() -> list[Path]:
    """The files whose tables do not say what the results say."""
    return [f for f in FILES if f.read_text("utf-8") != rendered(f.read_text("utf-8"))]


def main() -> None:
    """Write, or with `--check` exit 1 if anything is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    old = stale()
    if parser.parse_args().check:
        sys.exit(
            f"stale: {', '.join(f.name for f in old)}; run python -m eval.report" if old else 0
        )
    for file in old:
        file.write_text(rendered(file.read_text("utf-8")), encoding="utf-8")
        print(file)


if __name__ == "__main__":
    main()
