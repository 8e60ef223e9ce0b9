"""Put the figures that matter into one file: `python -m eval.headline`.

Reads what the other scripts wrote (eval/results/math.json, metaphor.json, their runs on other
seeds and on mini-2, sae_quality.json, false_fires.json) and the library. What was not measured is
null. Writes eval/results/headline.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eval.common import RESULTS, ROOT, write_result
from promptfix.evidence import doubts, reasons
from promptfix.formats import Status
from promptfix.library import Library, load

KEYS = (
    "n plain promptfix best_placebo oracle wrong_to_right right_to_wrong gain gain_ci95 "
    "gain_over_placebo gain_over_placebo_ci95 mcnemar_p per_set"
).split()
TASKS = ("math", "metaphor")
SHIPPED = "mini-l"
"""How the lenses of the embedded model begin."""


def result(name: str) -> dict[str, Any] | None:
    """What a script wrote; None if it did not."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def figures(name: str) -> dict[str, Any] | None:
    """The figures of one evaluation."""
    found = result(name)
    return {key: found[key] for key in KEYS} if found else None


def seeds(task: str) -> dict[str, float]:
    """Seed of mining -> gain: of the shipped detectors, and of those named `<task>-seed-<n>`."""
    files = [RESULTS / f"{task}.json", *sorted(RESULTS.glob(f"{task}-seed-*.json"))]
    runs = [json.loads(file.read_text("utf-8")) for file in files if file.exists()]
    return {str(run["seed"]): run["gain"] for run in runs}


def library_counts(library: Library) -> dict[str, Any]:
    """How many detectors were tested, survived and are trusted; on the embedded model's lens."""
    mine = [d for d in library.detectors if d.lens.startswith(SHIPPED)]
    tested = survived = 0
    for detector in mine:
        measured = library.measurements.get(detector.id)
        if measured is None or measured.falsification is None:
            continue
        recording = library.recordings.get((detector.misunderstanding, detector.lens))
        cases = recording.detectors.get(detector.stamp) if recording else None
        lexical = detector.scope == "lexical"
        tested += 1
        survived += not (doubts(measured, cases) or reasons(measured, cases, lexical=lexical))
    measured_kinds = {d.misunderstanding for d in mine if d.status.reaches(Status.measured)}
    return {
        "detectors_tested": tested,
        "detectors_trusted": sum(d.status is Status.trusted for d in mine),
        "kinds_measured": len(measured_kinds),
        "falsification_survival": survived / tested if tested else None,
    }


def hashes(task: str) -> dict[str, Any]:
    """What an evaluation was made with."""
    found = result(task) or {}
    keys = ("model_sha256", "sae_sha256", "library", "data", "commit")
    return {key: found.get(key) for key in keys}


def headline(root: Path = ROOT) -> dict[str, Any]:
    """All of it."""
    quality, quiet = result("sae_quality") or {}, result("false_fires")
    validated = quality.get("validated") or {}
    second = {task: figures(f"{task}-mini-2") for task in TASKS}
    return {
        **{task: figures(task) for task in TASKS},
        **library_counts(load(root / "detectors", root / "annotations")),
        "validated_features": validated.get("share"),
        "validated_features_random": validated.get("share_random_sae"),
        "false_fire_rate": quiet["edited"] / quiet["n"] if quiet else None,
        "mini_2": second if any(second.values()) else None,
        "seeds": {task: seeds(task) for task in TASKS},
        "hashes": {task: hashes(task) for task in TASKS},
    }


def main() -> None:
    """Gather, print, write."""
    content = headline()
    print(json.dumps(content, indent=1))
    print(write_result("headline", content))


if __name__ == "__main__":
    main()
