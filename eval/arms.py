"""What each arm sends to the model for an item: pure, but for the pipeline that looks at prompts.

Arms that annotate choose with the same gate, promptfix's own, unless their name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

from promptfix.formats import Annotation
from promptfix.library import Library
from promptfix.mining.outcomes import annotate
from promptfix.pipeline import Pipeline
from promptfix.records import Finding, Prompt, Repair, Trace
from promptfix.rewriting import note, rewrite
from promptfix.slots.words import question
from promptfix.tasks import Item, Task

Sent: TypeAlias = list[str | None]
"""For each item what is sent instead of its prompt; None where the prompt goes as it is."""
Repairs: TypeAlias = Sequence[Repair | None]
"""For each item the repaired prompt, whose answer is held against its note as the pipeline does."""

WARNING = "Read this once more with care; something in it is easily misread."
AGAIN = "Read the question again: "
PLACEBOS = (
    "template-only",
    "template-unchecked",
    "generic",
    "generic-everywhere",
    "shuffled",
    "random-features",
    "re2",
    "re2-everywhere",
    "retry",
    "best-of-2",
)
"""What promptfix has to beat."""


@dataclass(frozen=True)
class Looked:
    """What promptfix made of the items."""

    traces: Sequence[Trace]

    @property
    def flagged(self) -> list[bool]:
        """Whether promptfix edits an item."""
        return [trace.action == "repaired" for trace in self.traces]

    @property
    def repairs(self) -> Repairs:
        """The repaired prompts, with their notes."""
        return [t.repair if t.action == "repaired" else None for t in self.traces]

    @property
    def sent(self) -> Sent:
        """The repaired prompts."""
        return texts_of(self.repairs)

    @property
    def by(self) -> list[str | None]:
        """The misunderstanding that an edit answers."""
        return [r.edits[0].finding.misunderstanding if r else None for r in self.repairs]


def look(pipeline: Pipeline, items: Iterable[Item]) -> Looked:
    """Let promptfix look at every item, without answering."""
    return Looked([pipeline.repair(item.prompt) for item in items])


def in_force(pipeline: Pipeline, task: Task) -> dict[str, Annotation]:
    """Misunderstanding -> annotation, for the detectors that may edit prompts of a task."""
    lens, least = pipeline.microscope.lens, pipeline.policy.edit_from
    kinds = {
        d.misunderstanding for d in pipeline.library.detectors_for(lens) if d.status.reaches(least)
    }
    found = {kind: pipeline.library.annotation_for(kind, lens) for kind in sorted(kinds)}
    return {kind: a for kind, a in found.items() if a is not None and a.task == task}


def templates(pipeline: Pipeline, task: Task) -> list[str]:
    """The kinds whose notes are written wherever they can be made.

    Those in force; where no detector may edit, every kind of the task: a control that sends
    nothing shows nothing.
    """
    every = {a.misunderstanding for a in pipeline.library.annotations if a.task == task}
    return sorted(in_force(pipeline, task) or every)


def template_notes(
    pipeline: Pipeline, items: Sequence[Item], kinds: Iterable[str]
) -> list[Repair | None]:
    """The note wherever it can be made: as if every detector fired on everything."""
    findings = [
        Finding(detector=f"{k}@1", misunderstanding=k, span=None, score=1, threshold=1, evidence=())
        for k in kinds
    ]
    lens = pipeline.microscope.lens
    return [
        rewrite(Prompt(text=item.prompt), findings, pipeline.library, lens=lens, limit=1)
        for item in items
    ]


def texts_of(repairs: Iterable[Repair | None]) -> Sent:
    """What they send."""
    return [repair.repaired.text if repair else None for repair in repairs]


def everywhere(items: Sequence[Item], words: str) -> Sent:
    """The same note for every item."""
    return [item.prompt + str(note(words)) for item in items]


def reread(items: Sequence[Item]) -> Sent:
    """The question twice (Re2, 2309.06275)."""
    return [f"{item.prompt}\n{AGAIN}{item.prompt}" for item in items]


def shuffled(looked: Looked, items: Sequence[Item], library: Library, seed: int) -> Sent:
    """On flagged items the note of another misunderstanding, of this prompt or else of another."""
    rng = Random(seed)
    texts = [item.prompt for item in items]
    notes = list(zip(looked.by, looked.sent, texts, strict=True))
    foreign = [(by, sent.removeprefix(text)) for by, sent, text in notes if sent]
    made: Sent = []
    for (by, sent, text), item in zip(notes, items, strict=True):
        made.append(_other_note(by, text, item, foreign, library, rng) if sent else None)
    return made


def _other_note(
    by: str | None,
    text: str,
    item: Item,
    foreign: Sequence[tuple[str | None, str]],
    library: Library,
    rng: Random,
) -> str:
    fitting = [a for a in library.annotations if a.task == item.task and a.misunderstanding != by]
    own = [made for a in fitting if (made := annotate(text, a, library))]
    if own:
        return rng.choice(own)
    others = [words for kind, words in foreign if kind != by] or [words for _, words in foreign]
    return text + rng.choice(others)


def gated(sent: Sent, chosen: Sequence[bool]) -> Sent:
    """Send an arm's prompts for the chosen items only."""
    return [text if here else None for text, here in zip(sent, chosen, strict=True)]


def without_question(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The maths items that still say something with their question cut off: whole, and so cut."""
    whole: list[Item] = []
    cut: list[Item] = []
    for item in items:
        asked = question(item.prompt)
        if rest := item.prompt[: asked.start].strip() if asked else "":
            whole.append(item)
            cut.append(replace(item, prompt=rest))
    return whole, cut


def notes_alone(sent: Sent, items: Sequence[Item]) -> dict[int, str]:
    """Item -> the words of its note, without the prompt."""
    pairs = zip(sent, items, strict=True)
    return {
        n: text.removeprefix(item.prompt).strip() for n, (text, item) in enumerate(pairs) if text
    }


def digits(texts: Mapping[int, str], items: Sequence[Item]) -> list[str]:
    """Ids of items whose note says the gold number and whose prompt does not: a leak."""
    import re

    def numbers(text: str) -> set[str]:
        return set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))

    return [
        items[n].id
        for n, words in texts.items()
        if items[n].gold in numbers(words) - numbers(items[n].prompt)
    ]
