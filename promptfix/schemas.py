"""The JSON Schemas of all data files, generated from their formats."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from promptfix.formats import TABLES, Annotation, Case, Detector, Lenses
from promptfix.measures import Measurement, Recording, Uplift

_FILES: dict[str, type[BaseModel]] = {
    "detectors/detector.schema.json": Detector,
    "detectors/measured.schema.json": Measurement,
    "detectors/case.schema.json": Case,
    "detectors/recorded.schema.json": Recording,
    "detectors/lenses.schema.json": Lenses,
    "annotations/annotation.schema.json": Annotation,
    "annotations/measured.schema.json": Uplift,
}
_DIALECT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Generate the JSON Schemas: file, relative to the root of the data -> schema."""
    made = {name: _DIALECT | model.model_json_schema() for name, model in _FILES.items()}
    for name, entry in TABLES.items():
        made[f"annotations/tables.{name}.schema.json"] = _DIALECT | {
            "type": "object",
            "title": f"tables/{name}.json",
            "additionalProperties": entry.model_json_schema(),
        }
    return made


def schema_of(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The schema, with its file, of a data file named from `detectors/` or `annotations/` on.

    The user's own tables lie in `tables/`. A table that promptfix does not know has none. A line
    of cases is named with its number: `cases.jsonl:3`.
    """
    folder, *between, file = name.split("/")
    kind = "detector" if folder == "detectors" else "annotation"
    if "tables" in (folder, *between):
        folder, kind = "annotations", f"tables.{file.removesuffix('.json')}"
    elif file == "lenses.json":
        kind = "lenses"
    elif file.endswith(".measured.json") or "measured" in between:
        kind = "measured"
    elif file.endswith(".recorded.json"):
        kind = "recorded"
    elif file.startswith("cases.jsonl:"):
        kind = "case"
    path = f"{folder}/{kind}.schema.json"
    return [(path, schemas()[path])] if path in schemas() else []
