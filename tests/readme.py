"""The README's examples, by kind and by what they hold."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "127.0.0.1:8000"
"""Where the examples' service listens."""


def blocks(kind: str) -> list[str]:
    """All examples of a kind."""
    readme = (ROOT / "README.md").read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)


def block(kind: str, holds: str) -> str:
    """The one example of a kind that holds these words."""
    found = [text for text in blocks(kind) if holds in text]
    assert len(found) == 1, f"{len(found)} {kind} examples hold {holds!r}"
    return found[0]
