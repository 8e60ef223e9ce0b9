"""Texts -> documents: token ids, and the positions whose activations an SAE is trained on.

They are the positions that promptfix looks at when it runs: the same chat template, no template
tokens but the read-out. Replies, where there are any, count too.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from promptfix.chat import Tokenizer, encode
from promptfix.errors import PromptfixError
from promptfix.records import Prompt

HELD_OUT = 20
"""One text in so many is kept for measuring."""
_KEYS = ("text", "prompt", "question")


class TextError(PromptfixError):
    """The text files cannot be trained on."""


class Document(NamedTuple):
    """What the model reads at once."""

    ids: Sequence[int]
    looked_at: Sequence[int]
    """The positions that count."""
    prompt: int
    """How many of `looked_at`, from the first on, belong to the prompt."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents to train on, in any number of passes, and others to measure with."""

    stream: Callable[[], Iterator[Document]]
    """Begins anew each time it is called, and never ends."""
    held: Sequence[Document]


def from_turn(head: Sequence[int], reply: Sequence[int], special: frozenset[int]) -> Document:
    """Make a document of a prompt up to its read-out and a reply, both as token ids.

    `special` are the ids of the template's tokens.
    """
    own = [at for at, token in enumerate(head[:-1]) if token not in special]
    after = [len(head) + at for at, token in enumerate(reply) if token not in special]
    readout = [len(head) - 1]
    return Document([*head, *reply], [*own, *readout, *after], len(own) + 1)


def from_files(
    files: Sequence[Path], tokenizer: Tokenizer, context: int, held: int = 1000
) -> Corpus:
    """Read text files as users' turns: one of every 20 is held out, the first `held` of those.

    Raises TextError if a file cannot be read or holds too little.
    """
    apart = list(islice(_pass(files, tokenizer, context, take_held=True), held))
    if not apart:
        raise TextError(
            f"{', '.join(map(str, files))}: there are fewer than {HELD_OUT} texts to train on; "
            "give a file with texts apart by blank lines, or JSON lines with a key `text`"
        )

    def stream() -> Iterator[Document]:
        while True:
            yield from _pass(files, tokenizer, context, take_held=False)

    return Corpus(stream, apart)


def files_digest(files: Sequence[Path]) -> str:
    """Hash text files, in their order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _pass(
    files: Sequence[Path], tokenizer: Tokenizer, context: int, *, take_held: bool
) -> Iterator[Document]:
    """Go through the files once, one text in memory at a time."""
    texts = (text for file in files for text in read_texts(file))
    for number, text in enumerate(texts, 1):
        if (number % HELD_OUT == 0) == take_held:
            for piece in _pieces(text, context):
                chat = encode(tokenizer, Prompt(text=piece))
                if len(chat.ids) < context:
                    yield Document(chat.ids, chat.looked_at, len(chat.looked_at))


def read_texts(file: Path) -> Iterator[str]:
    """Yield the texts of a file: of JSON lines the text, prompt or question, else paragraphs.

    Raises TextError with the line.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            yield from _from_json(file, lines) if file.suffix == ".jsonl" else _paragraphs(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{file} cannot be read as UTF-8 text ({error}); give another") from error


def _from_json(file: Path, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            entry: Any = json.loads(line)
            text = next(entry[key] for key in _KEYS if key in entry)
        except (ValueError, TypeError, StopIteration) as error:
            raise TextError(
                f"{file}:{number}: no JSON object with one of {', '.join(_KEYS)}; mend the line"
            ) from error
        if isinstance(text, str) and text.strip():
            yield text


def _paragraphs(lines: Iterator[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        if line.strip():
            held.append(line)
        elif held:
            yield "".join(held).rstrip("\n")
            held = []
    if held:
        yield "".join(held).rstrip("\n")


def _pieces(text: str, context: int) -> Iterator[str]:
    """Cut a text between words so that, as far as can be told, each piece fits the context."""
    longest = max(200, 3 * context)
    while len(text) > longest:
        cut = text.rfind(" ", longest // 2, longest)
        cut = cut if cut > 0 else longest
        yield text[:cut]
        text = text[cut:].lstrip()
    if text.strip():
        yield text
