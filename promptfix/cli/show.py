"""Traces and problems as people want to see them; see tables.py for readings.

Colour is never the only sign: what was added stands behind a `+`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from promptfix.errors import Problem
from promptfix.records import (
    Answer,
    Evidence,
    Finding,
    NearMiss,
    Repair,
    Span,
    Trace,
    Verification,
)

ADDED = "bold green"
_VISIBLE = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"},
    127: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


class Line(NamedTuple):
    """A line, and what stands before it where it is wrapped too."""

    gutter: str
    text: Text


def visible(text: str) -> str:
    """Make control characters visible: a prompt or an answer must not steer the terminal."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def trace(seen: Trace) -> None:
    """Show what happened to a prompt, and why."""
    console = Console(highlight=False)
    for line in _trace(seen):
        _print(console, line)


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
    yield from _section("prompt", [Text(visible(text))])
    if seen.failure:
        title = "not repaired" if seen.findings else "not looked at"
        yield from _section(title, [Text(visible(seen.failure), "yellow")])
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
    if seen.strayed:
        yield from _strayed(seen.strayed, again=seen.action == "repaired")
    before, after = seen.original_answer, Text(visible(seen.answer.text))
    if seen.action != "repaired" or before is None:
        yield from _section("answer", [after])
        return
    yield from _section("answer to the prompt as it came", [Text(visible(before.text))])
    yield from _section("answer to the repaired prompt", [after])


def _strayed(answer: Answer, *, again: bool) -> Iterator[Line]:
    then = "it was asked again in other words" if again else "it was not taken"
    why = Text(f"it does something else than the note says, so {then}", "dim")
    yield from _section("answer to the repaired prompt", [Text(visible(answer.text)), why])


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
        (visible(evidence.meaning), "italic"),
    )


def _about(span: Span | None, text: str) -> str:
    return f'"{visible(span.of(text))}"' if span else "the text as a whole"


def _marked(repair: Repair) -> Iterator[Line]:
    """Put a `+` before every line of the repaired prompt that was added to."""
    for line in _pieces(repair).split("\n", allow_blank=True):
        yield Line("+ " if line.spans else "  ", line)


def _pieces(repair: Repair) -> Text:
    text, at, made = repair.original.text, 0, Text()
    for edit in repair.edits:
        made.append(visible(text[at : edit.at]))
        made.append(visible(edit.text), ADDED)
        at = edit.at
    return made.append(visible(text[at:]))


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
