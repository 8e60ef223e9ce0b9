"""The tables of README.md, eval/README.md and MODEL_CARD.md, each made from what a script wrote.

`TABLES` names them; `eval.report` puts them where they belong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from eval.common import RESULTS, ROOT, share

RUNS = {
    "math": "word problems",
    "math-seed-0": "word problems, mined with seed 0",
    "math-seed-2": "word problems, mined with seed 2",
    "math-mini-2": "word problems, mini-2",
    "metaphor": "metaphor",
    "metaphor-seed-0": "metaphor, mined with seed 0",
    "metaphor-seed-2": "metaphor, mined with seed 2",
    "metaphor-mini-2": "metaphor, mini-2",
    "metaphor-rare-words": "metaphor, rare words",
}
"""The evaluations, and what the tables call them."""

TASKS = {"math": "word problems", "metaphor": "metaphor"}


def result(name: str) -> dict[str, Any]:
    """What a script wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def abilities() -> str:
    """Mini's answers without any repair."""
    found = result("mini_abilities")
    columns = "set", "n", "right (95 % interval)", "majority class", "dropped as overlapping"
    rows: list[tuple[object, ...]] = []
    for name, row in found.items():
        if isinstance(row, dict):
            n = row["n"]
            majority = f"{100 * row['majority'] / n:.1f} %" if "majority" in row else ""
            rows.append((name, n, share(row["correct"], n), majority, row["dropped_as_leaks"]))
    return table(columns, rows)


def sae() -> str:
    """The SAE's quality on unseen prompts."""
    found = result("sae_quality")
    goals = {
        "unexplained_variance": "<= 5 %",
        "l0_fraction": "<= 1 %",
        "ce_recovered": ">= 98 %",
        "dead_fraction": "<= 5 %",
    }
    rows: list[tuple[object, ...]] = [
        (key.replace("_", " "), f"{100 * found[key]:.2f} %", goal) for key, goal in goals.items()
    ]
    if seen := found.get("validated"):
        random = f"{100 * seen['share_random_sae']:.1f} % in a random SAE"
        rows.append(("validated features", f"{100 * seen['share']:.1f} %", f">= 93 %; {random}"))
        live, random = (100 * seen[f"share_of_live{of}"] for of in ("", "_random_sae"))
        rows.append(("of all live features", f"{live:.1f} %", f"{random:.1f} % in a random SAE"))
    return table(("what", "measured", "goal"), [*rows, ("tokens", found["n_tokens"], "")])


def speed() -> str:
    """What looking costs."""
    found = result("bench_pipeline")
    plain = f"plain answer of {found['quiet_tokens']} tokens"
    return table(
        ("what", "measured", "goal"),
        [
            ("`promptfix ask` from a cold start", f"{found['cold_start_s']:.1f} s", "< 6 s"),
            (f"nothing fires / {plain}", f"{found['quiet_over_plain']:.3f}", "<= 1.05"),
            ("repaired / plain answer", f"{found['repaired_over_plain']:.2f}", "<= 1.5"),
            ("withdrawn / plain answer", f"{found['withdrawn_over_plain']:.2f}", ""),
            ("resident memory of `serve`", f"{found['serve_rss_mb']:.0f} MB", "< 1000 MB"),
        ],
    )


def notes() -> str:
    """Whether mini computes with what a note says."""
    found = result("counterfactual")
    told = {
        "plain_right": "right without a note",
        "true_note_right": "right with the true note",
        "false_note_computed_with": "with a false note: computed with the false value",
        "false_note_still_right": "with a false note: still the true answer",
    }
    rows = [(words, share(found[key], found["n"])) for key, words in told.items()]
    return table(("unit-word problems (held-out generator)", ""), rows)


def detectors() -> str:
    """The detectors and what they did on their calibration half."""
    rows: list[tuple[object, ...]] = []
    for rule, measured, _ in _detectors():
        counts = measured["calibration"]
        done = [counts[key] for key in ("prompts", "annotated", "repaired", "harmed")]
        harm = f"{100 * measured['harm']['at_most']:.2f} %"
        rows.append((f"`{rule['id']}`", rule["status"], *done, harm))
    columns = "calibration prompts", "fires", "repaired", "harmed", "harm at most"
    return table(("detector", "status", *columns), rows)


def falsified() -> str:
    """What tried to break each detector, and what its features do to the answers."""
    columns = "look-up rule", "injected words", "other wordings", "cases", "ablated", "steered"
    rows: list[tuple[object, ...]] = []
    for rule, measured, cases in _detectors():
        tried, cause = measured["falsification"], measured.get("cause")
        lookup = "{repaired} right, {harmed} wrong".format_map(tried["lookup"])
        effects = [row["effect"] for row in tried["injections"]]
        injected = f"{min(effects):.1f} to {max(effects):.1f}" if effects else ""
        kept = "{kept} of {prompts}".format_map(tried["paraphrase"]) if effects else ""
        named = "{fired} of {n}".format
        told = f"{named(**cases['fire'])}, {named(**cases['quiet'])}"
        done = [
            f"{cause[f'{how}_repaired']} right, {cause[f'{how}_harmed']} wrong of {cause[on]}"
            if cause
            else ""
            for how, on in (("ablated", "fired"), ("steered", "quiet"))
        ]
        rows.append((rule["misunderstanding"], lookup, injected, kept, told, *done))
    return table(("misunderstanding", *columns), rows)


def _detectors() -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Rule, measured figures and counts of cases of each detector."""
    for file in sorted((ROOT / "detectors").glob("*/*.measured.json")):
        rule = json.loads(file.with_name(file.name.replace(".measured", "")).read_text("utf-8"))
        measured = json.loads(file.read_text("utf-8"))
        recorded = json.loads((file.parent / f"{rule['lens']}.recorded.json").read_text("utf-8"))
        yield rule, measured, recorded["detectors"][measured["detector"]]


def evaluation(task: str) -> str:
    """What every arm did on the held-out items of a task."""
    found = result(task)
    columns = "arm", "accuracy", "gain (95 % interval)", "wrong to right", "right to wrong", "p"
    plain = ("plain", f"{100 * found['plain']:.1f} %", "", "", "", "")
    rows: list[tuple[object, ...]] = [plain]
    for name, row in sorted(found["arms"].items(), key=lambda pair: -pair[1]["gain"]):
        shown = f"**{name}**" if name == "promptfix" else name
        changed = *_changed(row), f"{row['mcnemar_p']:.2g}"
        rows.append((shown, f"{100 * row['accuracy']:.1f} %", _gain(row), *changed))
    best = f"{100 * found['oracle']:.1f} %"
    return table(columns, [*rows, ("any annotation (the ceiling)", best, "", "", "", "")])


def gates(task: str) -> str:
    """The same notes where other gates put them; `perfect` is the ceiling of all gates."""
    columns = "gate", "prompts", "gain (95 % interval)", "wrong to right", "right to wrong"
    told = "auroc_repaired_or_harmed"
    rows = [
        (
            name,
            row["chosen"],
            _gain(row),
            *_changed(row),
            "" if row[told] is None else f"{row[told]:.2f}",
        )
        for name, row in result(task)["gates"].items()
    ]
    return table((*columns, "AUROC, repaired or harmed"), rows)


def runs() -> str:
    """Every evaluation in one line."""
    columns = "task", "n", "plain", "promptfix", "gain (95 % interval)"
    rows: list[tuple[object, ...]] = []
    for name, words in RUNS.items():
        found = result(name)
        right = [f"{100 * found[arm]:.1f} %" for arm in ("plain", "promptfix")]
        rows.append((words, found["n"], *right, _gain(found), *_changed(found)))
    return table((*columns, "wrong to right", "right to wrong"), rows)


def controls() -> str:
    """Every evaluation against its best placebo, and as a gate against a dense probe."""
    columns = "task", "best placebo", "gain over it (95 % interval)"
    rows: list[tuple[object, ...]] = []
    for name, words in RUNS.items():
        found = result(name)
        over = _gain(found, "gain_over_placebo")
        told = [_flips(found["gates"][gate]) for gate in ("sae", "dense", "random-sae")]
        rows.append((words, found["best_placebo"]["name"], over, _lead_at_most(found), *told))
    return table((*columns, "at most", "SAE gate", "dense probe", "random SAE"), rows)


def _lead_at_most(found: dict[str, Any]) -> str:
    """What a gate that knows what each note will do would gain over the best placebo.

    Nothing where promptfix edits no prompt, and its rate is that of all gates.
    """
    perfect = found["gates"].get("perfect")
    if perfect is None or not perfect["chosen"]:
        return ""
    return f"{100 * (found['plain'] + perfect['gain'] - found['best_placebo']['value']):+.1f}"


def sets(task: str) -> str:
    """Right answers, set by set."""
    rows: list[tuple[object, ...]] = [
        (name, row["plain"]["n"], row["plain"]["right"], row["promptfix"]["right"])
        for name, row in result(task)["per_set"].items()
    ]
    return table(("set", "n", "plain", "promptfix"), rows)


def kinds(task: str) -> str:
    """What the notes of each misunderstanding did."""
    columns = "misunderstanding", "prompts", "wrong to right", "right to wrong"
    found = sorted(result(task)["kinds"].items(), key=lambda pair: -pair[1]["n"])
    rows: list[tuple[object, ...]] = [
        (name, row["n"], *_changed(row), "yes" if row["trained"] else "no") for name, row in found
    ]
    return table((*columns, "mini saw such notes in training"), rows)


def direct() -> str:
    """The metaphor tasks answered from inside, without asking the model."""
    rows: list[tuple[object, ...]] = []
    for found in map(result, ("metaphor", "metaphor-rare-words")):
        for name, said in found["per_set"].items():
            read = [found["direct"][how][name]["right"] for how in ("dense", "features")]
            told = [said[arm]["right"] for arm in ("plain", "promptfix")]
            rows.append((name, said["plain"]["n"], *told, *read))
    return table(("set", "n", "plain", "promptfix", "dense probe", "detectors' features"), rows)


def shortcuts() -> str:
    """What is answered without understanding: from the notes alone, and without the question."""
    found = result("math")
    leaks, cut = found["leaks"], found["shortcut"].values()
    n, whole, without = (
        sum(row[key] for row in cut)
        for key in ("n", "right_with_the_question", "right_without_the_question")
    )
    rows: list[tuple[object, ...]] = [
        ("notes that hold the right number", len(leaks["say_the_gold_number"]), leaks["notes"]),
        ("right from the note alone", leaks["right_from_the_note_alone"], leaks["notes"]),
        ("right by the commonest answer", leaks["right_by_the_commonest_answer"], leaks["notes"]),
        ("right with the question", whole, n),
        ("right with the question cut off", without, n),
    ]
    return table(("word problems", "", "of"), rows)


def misleading() -> str:
    """Notes that are false on problems written to mislead."""
    rows = [
        (kind, row["notes"], share(row["false"], row["notes"]))
        for kind, row in result("misleading")["kinds"].items()
    ]
    return table(("misunderstanding", "notes", "false (95 % interval)"), rows)


def goals() -> str:
    """What was aimed at, beside what was reached."""
    found = result("headline")
    math, gates = found["math"], result("math")["gates"]
    harmed, repaired = math["right_to_wrong"], math["wrong_to_right"]
    sae, dense = gates["sae"], gates["dense"]
    trusted, kinds = found["detectors_trusted"], found["kinds_measured"]
    validated, random = found["validated_features"], found["validated_features_random"]
    fired = found["false_fire_rate"]
    rows = [
        *(row for task, words in TASKS.items() for row in _gain_goals(found[task], words)),
        (
            "word problems turned wrong",
            "at most 1 %",
            share(harmed, math["n"]),
            harmed <= 0.01 * math["n"],
        ),
        ("repairs to harms", "4 to 1", f"{repaired} to {harmed}", repaired >= 4 * harmed),
        (
            "the SAE as a gate; a dense probe on as many problems",
            "as many repairs",
            f"{_flips(sae)}; {_flips(dense)}",
            sae["wrong_to_right"] >= dense["wrong_to_right"],
        ),
        ("detectors trusted", "5", trusted, trusted >= 5),
        ("misunderstandings with one that may edit", "8", kinds, kinds >= 8),
        (
            "features validated on unseen texts",
            "93 %",
            f"{100 * validated:.1f} % (random SAE {100 * random:.1f} %)",
            validated >= 0.93,
        ),
        ("ordinary texts edited", "at most 0.5 %", f"{100 * fired:.2f} %", fired <= 0.005),
    ]
    shown = [(*row, "met" if met else "missed") for *row, met in rows]
    return table(("what", "aimed at", "measured", ""), shown)


def _gain_goals(row: dict[str, Any], words: str) -> list[tuple[str, str, str, bool]]:
    """Against no notes, and against the best placebo."""
    clear = row["gain_over_placebo"] >= 0.03 and row["gain_over_placebo_ci95"][0] > 0
    over = _gain(row, "gain_over_placebo")
    return [
        (f"gain, {words}", "+5.2 points", _gain(row), row["gain"] >= 0.052),
        (f"over the best placebo, {words}", "+3 points, interval above 0", over, clear),
    ]


def _gain(row: dict[str, Any], key: str = "gain") -> str:
    low, high = row[f"{key}_ci95"]
    return f"{100 * row[key]:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _changed(row: dict[str, Any]) -> tuple[int, int]:
    return row["wrong_to_right"], row["right_to_wrong"]


def _flips(row: dict[str, Any]) -> str:
    """`86 right, 9 wrong`."""
    return "{} right, {} wrong".format(*_changed(row))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [row_of(columns), "|" + "---|" * len(columns), *(row_of(row) for row in rows)]
    return "\n".join(lines)


def row_of(cells: Iterable[object]) -> str:
    """One row of it."""
    return "|" + "".join(f" {cell} |" if cell != "" else " |" for cell in cells)


TABLES: dict[str, Callable[[], str]] = {
    "abilities": abilities,
    "sae": sae,
    "speed": speed,
    "notes": notes,
    "detectors": detectors,
    "falsified": falsified,
    "goals": goals,
    "runs": runs,
    "controls": controls,
    "math-sets": partial(sets, "math"),
    "math-kinds": partial(kinds, "math"),
    "shortcuts": shortcuts,
    "misleading": misleading,
    "direct": direct,
    "math": partial(evaluation, "math"),
    "metaphor": partial(evaluation, "metaphor"),
    "metaphor-rare-words": partial(evaluation, "metaphor-rare-words"),
    "math-gates": partial(gates, "math"),
}
