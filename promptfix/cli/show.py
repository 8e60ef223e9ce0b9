"""Traces, readings and problems as people want to see them.

Colour is never the only sign: what was added stands behind a `+`, strength is also a number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import islice
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from promptfix.errors import Problem
from promptfix.records import (
    Evidence,
    Finding,
    NearMiss,
    Reading,
    Repair,
    Span,
    Token,
    Trace,
    Verification,
)

ADDED = "bold green"
SHADES = ("", "on grey15", "on dark_green", "on green4", "black on green3", "black on bright_green")
"""From silent to as strong as anything in the table."""
COLUMNS = 8
"""Features side by side; more go into another table."""
_VISIBLE = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {127: 0x2421}


class Line(NamedTuple):
    """A line, and what stands before it where it is wrapped too."""

    gutter: str
    text: Text


def trace(seen: Trace) -> None:
    """Show what happened to a prompt, and why."""
    console = Console(highlight=False)
    for line in _trace(seen):
        _print(console, line)


def reading(seen: Reading, meanings: Mapping[int, str]) -> None:
    """Show tokens by features, for the features that fire anywhere."""
    console = Console(highlight=False)
    fired = sorted({act.feature for act in seen.activations})
    if not fired:
        console.print("none of the features that detectors look at fires on this prompt")
    for features in _batched(fired, COLUMNS):
        console.print(_table(seen, features))
    for feature in fired:
        console.print(Text(f"{feature:>6}  {meanings.get(feature, '')}"))


def strongest(seen: Reading, top: int) -> None:
    """Show the `top` features of every token, strongest first."""
    console = Console(highlight=False)
    most = max((act.value for act in seen.activations), default=1.0)
    table = Table("token", "strongest features of the SAE")
    for token in _looked_at(seen):
        here = [act for act in seen.activations if act.position == token.position]
        cells = [
            Text(f"{act.feature}:{act.value:.2f}", _shade(act.value / most))
            for act in nlargest(top, here, key=lambda act: act.value)
        ]
        table.add_row(_name(token), Text("  ").join(cells))
    console.print(table)


def problems(found: Sequence[Problem]) -> None:
    """Show everything that is wrong with the data files, on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for problem in found:
        console.print(Text.assemble((problem.file, "bold"), f"  {problem.path}"))
        console.print(Text(f"  {problem.message}"))
        console.print(Text(f"  remedy: {problem.remedy}", "green"))
    console.print(f"{len(found)} problem{'s' if len(found) != 1 else ''}")


def _trace(seen: Trace) -> Iterator[Line]:
    text = seen.prompt.text
    yield from _section("prompt", [Text(_clean(text))])
    if seen.failure:
        yield from _section("not looked at", [Text(_clean(seen.failure), "yellow")])
    for finding in seen.findings:
        title = f"misunderstanding: {finding.misunderstanding}"
        yield from _section(title, _recognised(finding, text))
    if not seen.findings and not seen.failure:
        yield from _section("nothing recognised", _near_misses(seen.near_misses, text))
    if seen.repair:
        kept = seen.action == "repaired"
        yield _title("repaired prompt" if kept else "a repair that was not kept")
        yield from _marked(seen.repair)
    if seen.verification:
        yield from _section("read again", _verified(seen.verification))
    yield from _answers(seen)


def _answers(seen: Trace) -> Iterator[Line]:
    if seen.answer is None:
        return
    before, after = seen.original_answer, Text(_clean(seen.answer.text))
    if seen.action != "repaired" or before is None:
        yield from _section("answer", [after])
        return
    yield from _section("answer to the prompt as it came", [Text(_clean(before.text))])
    yield from _section("answer to the repaired prompt", [after])


def _section(title: str, texts: Iterable[Text]) -> Iterator[Line]:
    yield _title(title)
    yield from (Line("  ", text) for text in texts)


def _title(title: str) -> Line:
    return Line("", Text(title, "bold cyan"))


def _recognised(finding: Finding, text: str) -> Iterator[Text]:
    yield Text(f"about {_about(finding.span, text)}")
    score = f"score {finding.score:.2f}, fires from {finding.threshold:.2f}"
    yield Text(f"{finding.detector}: {score}", "dim")
    yield from (_evidence(evidence, text) for evidence in finding.evidence)


def _near_misses(misses: Sequence[NearMiss], text: str) -> Iterator[Text]:
    yield Text("the prompt goes to the model as it is")
    for miss in misses:
        score = f"score {miss.score:.2f} of {miss.threshold:.2f}"
        about = _about(miss.span, text)
        yield Text(f"nearest: {miss.misunderstanding}, {about} ({miss.detector}: {score})", "dim")


def _evidence(evidence: Evidence, text: str) -> Text:
    if evidence.at == "readout":
        where = "at the read-out"
    else:
        where = f"on {_about(evidence.span, text)}" if evidence.span else "on no word"
    return Text.assemble(
        (f"feature {evidence.feature}", "bold"),
        f" {where}: {evidence.value:.2f}  ",
        (_clean(evidence.meaning), "italic"),
    )


def _about(span: Span | None, text: str) -> str:
    return f'"{_clean(span.of(text))}"' if span else "the text as a whole"


def _marked(repair: Repair) -> Iterator[Line]:
    """Put a `+` before every line of the repaired prompt that was added to."""
    for line in _pieces(repair).split("\n", allow_blank=True):
        yield Line("+ " if line.spans else "  ", line)


def _pieces(repair: Repair) -> Text:
    text, at, made = repair.original.text, 0, Text()
    for edit in repair.edits:
        made.append(_clean(text[at : edit.at]))
        made.append(_clean(edit.text), ADDED)
        at = edit.at
    return made.append(_clean(text[at:]))


def _verified(verification: Verification) -> Iterator[Text]:
    for check in verification.checks:
        if check.after is None:
            line = f"{check.detector}: nothing it looks at could change"
        else:
            state = "cleared" if check.after < check.threshold else "still fires"
            line = f"{check.detector}: score {check.before:.2f} -> {check.after:.2f}, {state}"
        yield Text(line, "dim")


def _print(console: Console, line: Line) -> None:
    width = max(1, console.width - len(line.gutter))
    for part in line.text.wrap(console, width) or [Text()]:
        console.print(Text.assemble((line.gutter, ADDED), part), soft_wrap=True)


def _table(seen: Reading, features: Sequence[int]) -> Table:
    values = {(act.position, act.feature): act.value for act in seen.activations}
    most = max(values.values())
    table = Table("token")
    for feature in features:
        table.add_column(str(feature), justify="right")
    for token in _looked_at(seen):
        cells = (values.get((token.position, feature), 0.0) for feature in features)
        table.add_row(_name(token), *(_cell(value, most) for value in cells))
    return table


def _cell(value: float, most: float) -> Text:
    shown = f"{value:.2f}" if value else "."
    return Text(shown, _shade(value / most))


def _shade(share: float) -> str:
    return SHADES[round(max(0.0, share) * (len(SHADES) - 1))]


def _looked_at(seen: Reading) -> Iterable[Token]:
    return (token for token in seen.tokens if token.kind != "template")


def _name(token: Token) -> Text:
    if token.kind == "readout":
        return Text("read-out", "italic")
    return Text(_clean(token.text).replace("\n", "⏎"))


def _clean(text: str) -> str:
    """Make control characters visible: a prompt or an answer must not steer the terminal."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def _batched(items: Sequence[int], size: int) -> Iterator[list[int]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
