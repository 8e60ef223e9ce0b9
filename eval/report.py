"""Rebuild the tables of README.md, eval/README.md and MODEL_CARD.md: `python -m eval.report`.

With `--check` it only compares.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from eval.common import ROOT
from eval.tables import TABLES

FILES = [
    ROOT / "README.md",
    ROOT / "eval" / "README.md",
    ROOT / "promptfix" / "mini" / "MODEL_CARD.md",
]
_BLOCK = re.compile(r"(<!-- (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


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
