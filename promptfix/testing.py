"""Fakes for tests, here and in other people's projects: no network, no files, no torch.

A FakeMicroscope cuts a text into words and lets features fire on the words, or at the read-out,
that it was told about. A FakeModel answers from a function and remembers what it was asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptfix.detection import WORD
from promptfix.formats import AllOf, Condition, Detector, Provenance, Status, Term, Weighted
from promptfix.library import Library
from promptfix.pipeline import Input, Look, Prefill, joined
from promptfix.records import (
    GREEDY,
    Activation,
    Answer,
    Finding,
    Likely,
    Piece,
    Prompt,
    Reading,
    Sampling,
    Score,
    Span,
    Token,
)

LENS = "fake"
PROVENANCE = Provenance(author="promptfix", created="2026-11-21", found_by="by hand, for a test")


def tokens(text: str) -> tuple[Token, ...]:
    """One template token, one token for each word of the text, and the read-out."""
    words = list(WORD.finditer(text))
    user = (
        Token(
            position=at,
            text=word.group(),
            span=Span(start=word.start(), end=word.end()),
            kind="user",
        )
        for at, word in enumerate(words, 1)
    )
    first = Token(position=0, text="<user>", kind="template")
    return (first, *user, Token(position=len(words) + 1, text="<answer>", kind="readout"))


def reading(
    text: str,
    on_words: Mapping[str, Mapping[int, float]] | None = None,
    readout: Mapping[int, float] | None = None,
) -> Reading:
    """A reading in which features fire on words of the text and at the read-out."""
    made = tokens(text)
    acts = [
        Activation(feature=feature, position=token.position, value=value)
        for token in made
        if token.kind == "user"
        for feature, value in (on_words or {}).get(token.text, {}).items()
    ]
    acts += [
        Activation(feature=feature, position=made[-1].position, value=value)
        for feature, value in (readout or {}).items()
    ]
    return Reading(lens=LENS, prompt=Prompt(text=text), tokens=made, activations=tuple(acts))


@dataclass
class FakeMicroscope:
    """Features fire on the given words; `readout` tells from the text what fires at the end."""

    on_words: Mapping[str, Mapping[int, float]] = field(
        default_factory=dict[str, Mapping[int, float]]
    )
    readout: Callable[[str], Mapping[int, float]] = lambda _: {}
    broken: Exception | None = None
    """Raised instead of reading."""
    lens: str = LENS
    looked_at: list[tuple[Prompt, Prefill | None]] = field(
        default_factory=list[tuple[Prompt, Prefill | None]]
    )

    def read(self, prompt: Prompt, prefill: Prefill | None = None, *, keep: bool = True) -> Look:
        """Read a prompt; the prefill that comes out is the text itself."""
        self.looked_at.append((prompt, prefill))
        if self.broken is not None:
            raise self.broken
        made = reading(prompt.text, self.on_words, self.readout(prompt.text))
        return Look(
            made.model_copy(update={"prompt": prompt, "lens": self.lens}),
            prompt.text if keep else None,
        )


@dataclass
class FakeModel:
    """Answers with what a function makes of the prompt's text, word by word."""

    say: Callable[[str], str] = lambda text: f"heard: {text}"
    asked: list[tuple[Input, Prefill | None]] = field(
        default_factory=list[tuple[Input, Prefill | None]]
    )
    context: int = 4096
    places: int = 1

    def answer(
        self, prompt: Prompt, prefill: Prefill | None = None, sampling: Sampling = GREEDY
    ) -> Answer:
        """Answer a prompt, in words, up to as many as may be said."""
        pieces = list(self.stream(prompt, prefill, sampling))
        return joined(pieces, prompt_tokens=len(self.encode(prompt)))

    def stream(
        self, prompt: Input, prefill: Prefill | None = None, sampling: Sampling = GREEDY
    ) -> Iterator[Piece]:
        """Answer a prompt word by word."""
        self.asked.append((prompt, prefill))
        words = self.say(_text(prompt)).split(" ")
        said = words[: sampling.max_tokens]
        for count, word in enumerate(said, 1):
            ends = "stop" if said == words else "length"
            yield Piece(
                text=word if count == 1 else f" {word}",
                tokens=count,
                score=None if sampling.logprobs is None else _score(word, sampling.logprobs),
                finish=ends if count == len(said) else None,
            )

    def encode(self, prompt: Input) -> tuple[int, ...]:
        """One token for each word, and two for the template of a turn."""
        if isinstance(prompt, tuple):
            return prompt
        return tuple(range(len(tokens(_text(prompt))) - 2 * isinstance(prompt, str)))

    def spell(self, token: int) -> str:
        """Write a token: its number."""
        return str(token)

    def score(self, prompt: Input, top: int = 0) -> list[Score]:
        """Every token is as likely as any other."""
        first, *rest = map(self.spell, self.encode(prompt))
        return [Score(text=first, logprob=None), *(_score(text, top) for text in rest)]


def _text(prompt: Input) -> str:
    if isinstance(prompt, Prompt):
        return prompt.text
    return prompt if isinstance(prompt, str) else " ".join(map(str, prompt))


def _score(text: str, top: int) -> Score:
    return Score(text=text, logprob=-1.0, top=(Likely(text=text, logprob=-1.0),) * min(top, 1))


def detector(
    name: str,
    misunderstanding: str = "unknown-unit-word",
    *,
    parts: Sequence[Term | Condition],
    bias: float = 0.0,
    threshold: float = 1.0,
    lexical: bool = False,
    status: Status = Status.measured,
    lens: str = LENS,
) -> Detector:
    """A detector with a weighted rule of terms, or an all_of rule of conditions."""
    terms = tuple(part for part in parts if isinstance(part, Term))
    conditions = tuple(part for part in parts if isinstance(part, Condition))
    rule = (
        Weighted(kind="weighted", terms=terms, bias=bias, threshold=threshold)
        if terms
        else AllOf(kind="all_of", conditions=conditions)
    )
    return Detector(
        id=name,
        version=1,
        misunderstanding=misunderstanding,
        lens=lens,
        scope="lexical" if lexical else "contextual",
        status=status,
        rule=rule,
        readings={str(part.feature): f"feature {part.feature}" for part in parts},
        provenance=PROVENANCE,
    )


def finding(misunderstanding: str, *, name: str = "found", span: Span | None = None) -> Finding:
    """A finding without evidence."""
    return Finding(
        detector=f"{name}@1",
        misunderstanding=misunderstanding,
        span=span,
        score=2.0,
        threshold=1.0,
        evidence=(),
    )


def with_detectors(library: Library, *detectors: Detector) -> Library:
    """The same library with these detectors instead of its own."""
    return Library(
        digest=library.digest,
        detectors=detectors,
        annotations=library.annotations,
        lenses=library.lenses,
        tables=library.tables,
        uplifts=library.uplifts,
        cases=library.cases,
    )
