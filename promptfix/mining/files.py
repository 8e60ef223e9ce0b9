"""Write files so that a crash or a full disk leaves either the old one or the new one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptfix.tasks import DataError


def write_text(path: Path, text: str) -> None:
    """Write beside and rename. Raises DataError if that cannot be done; nothing is left behind."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def append(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file; a line that an interrupted run left cut short is ended first.

    Raises DataError if that cannot be done; what was there before stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.exists() and path.stat().st_size and path.read_bytes()[-1:] != b"\n"
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * bool(torn) + "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise _unwritable(path, error) from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON as `write_text` does."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written ({error.strerror}); make room or choose another folder, and run "
        "the command again: it goes on where it stopped"
    )


def write_record(path: Path, record: BaseModel, schema: str) -> None:
    """Write a data file that names its schema; what was not measured is left out."""
    content = record.model_dump(mode="json", exclude={"schema_"}, exclude_none=True)
    write_json(path, {"$schema": schema, **content})
