"""Traces of a running service as labelled data: what somebody said about its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from promptfix.store import Labelled, labelled
from promptfix.tasks import DataError, Item, final, item_of


def load_traces(path: Path, log: Callable[[str], object] = print) -> list[Item]:
    """The labelled traces of a file as items; those that do not say what is right are left out.

    What is right is what the feedback says was expected, or the answer that it says was correct.
    Raises DataError if none is left, SettingsError if the file holds no traces.
    """
    told = labelled(path)
    found = [item_of(label.id, label.prompt, _gold(label) or "") for label in told]
    items = [item for item in found if item is not None]
    if not items:
        raise DataError(
            f"{path} holds no trace to learn from; serve with content on, and send feedback that "
            "says what was expected"
        )
    if len(items) < len(told):
        log(f"{path}: {len(told) - len(items)} labelled traces do not say what would be right")
    return items


def _gold(label: Labelled) -> str | None:
    if label.expected is not None:
        return label.expected
    return final(label.answer) if label.correct else None
