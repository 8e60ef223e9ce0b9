"""Labelled items for mining and evaluation: read a JSONL file, make the prompt, score an answer.

A row with `question` and `answer` is a math item; one with `sentence`, `target` and `label` (1
metaphorical, 0 literal) is a metaphor item. Other keys are ignored, but for `id`, `lemma`,
`group`, `variant_of` and `generated`. Knows nothing of models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

from promptfix.errors import PromptfixError

Task: TypeAlias = Literal["math", "metaphor"]

_ANSWER = re.compile(r"Answer:\s*\$?(-?[\d,]*\.?\d+|\w+)")
_SPACED = re.compile(r" ([.,;:!?)]|n't\b|'(?:s|re|ve|ll|d|m)\b)")
_METAPHOR = re.compile(
    r'Is the word "([^"]+)" used literally or metaphorically in this sentence\? (.+)', re.DOTALL
)
TOLERANCE = 1e-3


class DataError(PromptfixError):
    """A data file cannot be used."""


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled prompt."""

    id: str
    task: Task
    prompt: str
    gold: str
    """A number in digits, or `literal` / `metaphorical`."""
    group: str
    """Items of one group are variants of each other and never fall on both sides of a split."""
    text: str
    """The problem or the sentence alone, without the question about it."""
    variant: bool = False
    """Whether it is another item with other numbers: rules learn from it, no count holds it."""
    generated: bool = False
    """Whether a program wrote it: harm is bounded on what people wrote alone, too."""


def load(path: Path | str) -> list[Item]:
    """Read a JSONL file of items; rows whose answer is not a number are left out.

    Raises DataError if the file is missing, empty, no JSONL, or of no known form.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); name a JSONL file") from error
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    items = [_item(path, number, line) for number, line in filled]
    known = [item for item in items if item is not None]
    if not known:
        raise DataError(
            f"{path} holds no labelled item; each row needs question and answer, or sentence, "
            "target and label"
        )
    return known


def digest(items: Iterable[Item]) -> str:
    """Name a set of items by what is used of them: 64 hex digits."""
    lines = sorted(f"{item.id}\t{item.prompt}\t{item.gold}" for item in items)
    return sha256("\n".join(lines).encode()).hexdigest()


def correct(answer: str, gold: str) -> bool:
    """Whether an answer's last `Answer: ...` is the gold one; numbers compare by value."""
    said = final(answer)
    if said is None:
        return False
    try:
        return abs(float(said) - float(gold)) <= TOLERANCE * max(1.0, abs(float(gold)))
    except ValueError:
        return said.lower() == gold.lower()


def final(answer: str) -> str | None:
    """What an answer settles on, or None if it never says."""
    found = _ANSWER.findall(answer)
    return found[-1].replace(",", "") if found else None


def item_of(name: str, prompt: str, gold: str) -> Item | None:
    """An item from a prompt as it was asked; None if it is of no task or `gold` is no answer."""
    asked = _METAPHOR.fullmatch(prompt.strip())
    if asked is None:
        return _math(name, prompt, gold)
    if gold not in {"literal", "metaphorical"}:
        return None
    sentence = {"target": asked[1], "sentence": asked[2], "label": int(gold == "metaphorical")}
    return _metaphor(name, sentence)


def metaphor_prompt(sentence: str, target: str) -> str:
    """The form in which the metaphor task is asked."""
    asked = f'Is the word "{target}" used literally or metaphorically in this sentence?'
    return f"{asked} {tidy(sentence)}"


def tidy(sentence: str) -> str:
    """Undo the spaces that corpora put around punctuation."""
    return _SPACED.sub(r"\1", sentence.replace("( ", "(").replace(" n't", "n't"))


def _item(path: Path, line: int, text: str) -> Item | None:
    try:
        row: Mapping[str, Any] = json.loads(text)
        name = str(row.get("id", f"{path.stem}-{line}"))
        if "question" in row:
            made = _math(name, str(row["question"]), str(row["answer"]))
        else:
            made = _metaphor(name, row)
        if made is None:
            return None
        return replace(
            made,
            group=str(row.get("group", made.group)),
            variant="variant_of" in row,
            generated=bool(row.get("generated")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{path}, line {line}: no labelled item ({what}); correct or remove it"
        ) from error


def _math(name: str, question: str, answer: str) -> Item | None:
    number = answer.replace(",", "").replace("$", "")
    if not question.strip() or not re.fullmatch(r"-?\d*\.?\d+", number):
        return None
    return Item(name, "math", question.strip(), number, masked(question), question.strip())


def _metaphor(name: str, row: Mapping[str, Any]) -> Item:
    label = row["label"]
    if label not in (0, 1):
        raise ValueError(f"label {label!r} is neither 1 nor 0")
    target, sentence = str(row["target"]), str(row["sentence"])
    return Item(
        name,
        "metaphor",
        prompt=metaphor_prompt(sentence, target),
        gold="metaphorical" if label else "literal",
        group=str(row.get("lemma", target)).lower(),
        text=tidy(sentence),
    )


def masked(text: str) -> str:
    """A problem without its numbers, names and capitals: variants of one problem look alike."""
    nameless = re.sub(r"\b[A-Z]\w+", "@", text)
    return " ".join(re.sub(r"\d+(?:[.,]\d+)*", "#", nameless).lower().split())
