"""Draw the results as SVG: `python -m eval.plots` writes eval/results/*.svg.

Gain per arm with intervals, flips per arm, uplift by the gate's score, uplift by detector. Written
by hand, since four bar charts need no plotting library.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from eval.common import RESULTS, ROOT, wilson

ROW, LEFT, WIDE = 22, 190, 420


class Bar(NamedTuple):
    """One row of a chart: from 0 to `value`, with an interval around it."""

    label: str
    value: float
    low: float
    high: float
    colour: str = "#4477aa"


def chart(title: str, bars: Sequence[Bar], unit: str = "points") -> str:
    """A bar chart as SVG text."""
    ends = [b.low for b in bars] + [b.high for b in bars] + [0.0]
    low, high = min(ends), max(ends)
    scale = WIDE / ((high - low) or 1.0)
    height = ROW * (len(bars) + 3)

    def x(value: float) -> float:
        return LEFT + (value - low) * scale

    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + 90}" height="{height}"'
    lines = [f'{head} font-family="sans-serif" font-size="12">']
    lines.append(f'<text x="8" y="16" font-weight="bold">{escape(title)}</text>')
    for n, bar in enumerate(bars):
        y = ROW * (n + 1.5)
        start, end = sorted((x(0), x(bar.value)))
        middle = y + ROW / 2 - 3
        lines.append(_text(LEFT - 8, middle + 4, bar.label, "end"))
        lines.append(_box(start, y, end - start, bar.colour))
        lines.append(_line(x(bar.low), middle, x(bar.high), middle, "black"))
        lines.append(_text(LEFT + WIDE + 8, middle + 4, f"{bar.value:+.2f}", "start"))
    foot = ROW * (len(bars) + 2.2)
    lines.append(_line(x(0), 24, x(0), foot - 12, "#888"))
    lines.append(_text(LEFT, foot + 4, unit, "start") + "</svg>")
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _box(x: float, y: float, width: float, colour: str) -> str:
    size = f'width="{max(width, 0.5):.1f}" height="{ROW - 8}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"'
    return f'<line {ends} stroke="{colour}"/>'


def gains(found: dict[str, Any]) -> str:
    """Gain over plain for each arm."""
    rows = sorted(found["arms"].items(), key=lambda pair: -pair[1]["gain"])
    bars = [
        Bar(name, *(100 * v for v in (row["gain"], *row["gain_ci95"])), _colour(name))
        for name, row in rows
    ]
    return chart(f"{found['task']}: gain over plain, macro average, 95 % interval", bars)


def flips(found: dict[str, Any]) -> str:
    """Prompts turned right and wrong by each arm."""
    bars: list[Bar] = []
    for name, row in found["arms"].items():
        right, wrong = row["wrong_to_right"], -row["right_to_wrong"]
        bars += [Bar(name, right, right, right), Bar("", wrong, wrong, wrong, "#cc6677")]
    return chart(f"{found['task']}: answers turned right and wrong", bars, "answers")


def reliability(found: dict[str, Any]) -> str:
    """What the notes did in each tenth of the prompts by the SAE gate's score."""
    bars: list[Bar] = []
    for row in found["gates"]["sae"]["tenths"]:
        net = (row["repaired"] - row["harmed"]) / row["n"]
        low, high = wilson(row["repaired"], row["n"])
        harm = row["harmed"] / row["n"]
        label = f"score {row['score']:.2f}, n {row['n']}"
        bars.append(Bar(label, *(100 * v for v in (net, low - harm, high - harm))))
    return chart(f"{found['task']}: net uplift of the note by the gate's score", bars, "% of n")


def detectors(folder: Path) -> str:
    """Net share repaired by each detector where it fires, on its calibration half."""
    bars: list[Bar] = []
    for file in sorted(folder.glob("*/*.measured.json")):
        seen = json.loads(file.read_text("utf-8"))
        done, n = seen["calibration"], seen["calibration"]["annotated"]
        net = (done["repaired"] - done["harmed"]) / n
        low, high = wilson(done["repaired"], n)
        harm = done["harmed"] / n
        name = seen["detector"].partition("@")[0]
        bars.append(Bar(name, *(100 * v for v in (net, low - harm, high - harm))))
    return chart("net uplift where a detector fires (calibration half)", bars, "% of fired")


def _colour(name: str) -> str:
    return "#228833" if name == "promptfix" else "#4477aa"


def main() -> None:
    """Draw what there are results for."""
    drawn = {"detectors": detectors(ROOT / "detectors")}
    for task in ("math", "metaphor"):
        file = RESULTS / f"{task}.json"
        if file.exists():
            found = json.loads(file.read_text("utf-8"))
            drawn |= {f"{task}-gains": gains(found), f"{task}-flips": flips(found)}
            drawn[f"{task}-calibration"] = reliability(found)
    for name, text in drawn.items():
        (RESULTS / f"{name}.svg").write_text(text, encoding="utf-8")
        print(RESULTS / f"{name}.svg")


if __name__ == "__main__":
    main()
