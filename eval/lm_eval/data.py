"""Data and scores of the tasks in this folder, for lm-evaluation-harness.

The rows lie in the folder that PROMPTFIX_DATA names. Prompts and scores are those of
promptfix/tasks.py, so that figures compare with all others of this project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from datasets import Dataset  # a dependency of the harness, and of nothing here

from promptfix.tasks import correct, load


def items(file: str, **_: Any) -> dict[str, Dataset]:
    """The items of a file as the test split. Raises DataError if there are none."""
    folder = Path(os.environ.get("PROMPTFIX_DATA", ""))
    rows = [{"id": i.id, "prompt": i.prompt, "gold": i.gold} for i in load(folder / file)]
    return {"test": Dataset.from_list(rows)}


def score(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """1 for an answer whose last `Answer: ...` is the gold one, else 0."""
    return {"correct": float(correct(results[0], doc["gold"]))}
