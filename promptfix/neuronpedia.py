"""Readings of features, imported from Neuronpedia's export files and kept beside an SAE.

An export is JSON lines, packed or not, or one JSON list; a line names a feature (`index`) and says
what somebody's model made of it (`description`). That is a guess, and where it is from is kept.
Nothing is taken on trust: what is no such line is counted and passed over, and an export of another
SAE, as far as both say what they are, is refused.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from promptfix.errors import PromptfixError

READINGS = "readings.json"
LONGEST = 300
"""Characters of a reading that are kept."""
_MOST = 1 << 30
"""Bytes that a file may unpack to."""


class ExportError(PromptfixError):
    """An export file cannot be used."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    readings: int
    skipped: int
    """Lines that name no feature of the SAE or say nothing."""


class _Line(NamedTuple):
    source: str
    """Of which SAE it speaks: `modelId/layer`."""
    feature: int
    text: str
    author: str


def import_readings(files: Sequence[Path], sae: Path) -> Imported:
    """Write the readings of export files into the folder of an SAE; later files add to earlier.

    Raises ExportError if a file cannot be read, holds none, or is of another SAE.
    """
    config = json.loads((sae / "cfg.json").read_text("utf-8"))
    known = str((config.get("metadata") or {}).get("neuronpedia_id") or "")
    readings: dict[int, str] = {}
    sources: list[dict[str, Any]] = []
    skipped = 0
    for file in files:
        content = _unpacked(file)
        lines = [_line(entry) for entry in _entries(file, content)]
        good = [line for line in lines if line and line.feature < config["d_sae"]]
        skipped += len(lines) - len(good)
        _check_source(file, good, known)
        for line in good:
            readings.setdefault(line.feature, line.text)
        sources.append(
            {
                "file": file.name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "sae": sorted({line.source for line in good}),
                "explained_by": sorted({line.author for line in good if line.author}),
            }
        )
    kept = {str(index): readings[index] for index in sorted(readings)}
    text = json.dumps({"sources": sources, "readings": kept}, indent=1, ensure_ascii=False)
    (sae / READINGS).write_text(text + "\n", "utf-8")
    return Imported(len(readings), skipped)


def load_readings(sae: Path) -> dict[int, str]:
    """The readings beside an SAE; none if none were imported. Raises ExportError if broken."""
    file = sae / READINGS
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8"))["readings"]
        return {int(index): str(text) for index, text in content.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ExportError(f"{file} is broken ({error}); import the readings again") from error


def _unpacked(file: Path) -> bytes:
    try:
        if file.suffix != ".gz":
            return file.read_bytes()
        with gzip.open(file) as packed:
            content = packed.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ExportError(f"{file} cannot be read ({error}); download it again") from error
    if len(content) > _MOST:
        raise ExportError(f"{file} unpacks to more than {_MOST >> 20} MB; split it")
    return content


def _entries(file: Path, content: bytes) -> Iterator[object]:
    """Yield what the file lists; of JSON lines that are none, None."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExportError(f"{file} is not UTF-8 ({error.reason}); download it again") from error
    if text.lstrip().startswith("["):
        try:
            yield from json.loads(text)
        except ValueError as error:
            raise ExportError(f"{file} is no JSON list ({error}); download it again") from error
        return
    for line in text.splitlines():
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                yield None


def _line(entry: object) -> _Line | None:
    if not isinstance(entry, dict):
        return None
    fields = cast("dict[str, object]", entry)
    words = " ".join(str(fields.get("description") or "").split())
    text = "".join(sign for sign in words if sign.isprintable())
    index = str(fields.get("index", ""))
    if not text or not index.isascii() or not index.isdigit():
        return None
    source = f"{fields.get('modelId', '')}/{fields.get('layer', '')}"
    return _Line(source, int(index), text[:LONGEST], str(fields.get("explanationModelName") or ""))


def _check_source(file: Path, lines: Sequence[_Line], known: str) -> None:
    if not lines:
        raise ExportError(
            f"{file} has no explanation of a feature of this SAE (a line has `index` and "
            "`description`); take the export of its explanations"
        )
    others = {line.source for line in lines} - {known, "/"}
    if known and others:
        raise ExportError(
            f"{file} is about {', '.join(sorted(others))} and the SAE is {known}; take the export "
            "of that"
        )
