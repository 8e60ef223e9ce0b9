"""Find and read the data files. Every fault becomes a Problem; nothing is raised half-way.

This module knows JSON and the formats, not how files refer to each other: see library.py.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from promptfix.errors import Problem

FormatT = TypeVar("FormatT", bound=BaseModel)

REPORT = ".report.json"
"""What mining looked for on a lens, in counts."""
SIDECAR = ".sidecar.json"
"""When, where and with what versions that was done."""

_REMEDIES = {
    "extra_forbidden": "remove the key or correct its spelling",
    "missing": "add the key",
    "union_tag_invalid": "write one of the kinds that the schema lists",
}
_TAGS = {"weighted", "all_of"}
_BROKEN: Any = object()
"""What stands for a file that is no JSON: `null` is JSON, and of no format."""


class _RepeatedKeyError(ValueError):
    """A JSON object says the same key twice."""


@dataclass
class Reader:
    """Reads files below `root`, gathering the problems and what is needed for the digest."""

    root: Path
    label: str
    """What the folder is called in messages and in the digest, wherever it lies."""
    problems: list[Problem] = field(default_factory=list[Problem])
    contents: dict[str, Any] = field(default_factory=dict[str, Any])

    def json(self, path: Path) -> Any:
        """Decode a file; _BROKEN, and a problem, if it cannot be."""
        text = self._text(path)
        return _BROKEN if text is None else self._json(path, text)

    def lines(self, path: Path, form: type[FormatT]) -> dict[int, FormatT]:
        """Read a file with one JSON value a line: line number -> value, for those that fit."""
        text, made = self._text(path), dict[int, FormatT]()
        lines = [] if text is None else text.removesuffix("\n").split("\n")
        for number, line in enumerate(lines, 1):
            place = path.with_name(f"{path.name}:{number}")
            content = self._json(place, line)
            value = None if content is _BROKEN else self.decode(place, content, TypeAdapter(form))
            if value is not None:
                made[number] = value
        return made

    def _text(self, path: Path) -> str | None:
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            self.report(path, "$", "the file is missing", "restore it, or name another folder")
        except UnicodeDecodeError as error:
            self.report(path, "$", f"byte {error.start} is not UTF-8", "save the file as UTF-8")
        return None

    def _json(self, path: Path, text: str) -> Any:
        try:
            content = json.loads(text, object_pairs_hook=_unique_keys)
        except json.JSONDecodeError as error:
            self.report(path, "$", f"no JSON: {error}", "correct the line or restore the file")
        except _RepeatedKeyError as error:
            self.report(path, "$", f"the key {error} is there twice", "keep one of them")
        else:
            self.contents[self.name(path)] = content
            return content
        return _BROKEN

    def file(self, path: Path, form: type[FormatT]) -> FormatT | None:
        """Read a file of one format."""
        content = self.json(path)
        return None if content is _BROKEN else self.decode(path, content, TypeAdapter(form))

    def table(self, path: Path, entry: type[FormatT]) -> dict[str, FormatT]:
        """Read a table of entries of one format."""
        content = self.json(path)
        if not isinstance(content, dict):
            if content is not _BROKEN:
                self.report(path, "$", "a table is a JSON object", "write {entry: ...}")
            return {}
        entries = cast("dict[str, Any]", content)
        made = {
            name: self.decode(path, value, TypeAdapter(entry), (name,))
            for name, value in entries.items()
        }
        return {name: value for name, value in made.items() if value is not None}

    def decode(
        self, path: Path, content: object, form: TypeAdapter[FormatT], at: tuple[str, ...] = ()
    ) -> FormatT | None:
        """Check decoded JSON, which stands at `at` in its file, against a format."""
        try:
            return form.validate_json(json.dumps(content))
        except ValidationError as error:
            for fault in error.errors(include_url=False):
                remedy = _REMEDIES.get(fault["type"], "correct the value; the schema says how")
                message = fault["msg"].removeprefix("Value error, ")
                self.report(path, _json_path((*at, *fault["loc"])), message, remedy)
            return None

    def report(self, path: Path, where: str, message: str, remedy: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.name(path), where, message, remedy))

    def name(self, path: Path) -> str:
        """The name of a file in messages and in the digest."""
        return (Path(self.label) / path.relative_to(self.root)).as_posix()


def find(folder: str, chosen: Path | None = None) -> Path:
    """Locate `detectors` or `annotations`: as set, else beside the package, else inside it."""
    if chosen is not None:
        return chosen
    checkout = Path(__file__).resolve().parents[1] / folder
    if checkout.is_dir() and (checkout.parent / "pyproject.toml").is_file():
        return checkout
    return Path(str(files("promptfix"))) / "data" / folder


def data_files(folder: Path) -> Iterator[Path]:
    """All JSON files of a folder but schemas and accounts of how it was made, in order."""
    found = sorted(folder.rglob("*.json")) if folder.is_dir() else []
    return (path for path in found if not path.name.endswith((".schema.json", REPORT, SIDECAR)))


def violations(content: object, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where and how a JSON value breaks a schema: (JSON path, message)."""
    from jsonschema import Draft202012Validator

    validator: Any = Draft202012Validator(schema)
    for error in validator.iter_errors(content):
        yield error.json_path, error.message


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(repr(key) for key in keys if keys.count(key) > 1))
    return made


def _json_path(location: Iterable[int | str]) -> str:
    steps = [step for step in location if step not in _TAGS and step != "[key]"]
    return "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
