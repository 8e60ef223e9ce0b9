"""Every value that travels through promptfix: frozen, compared by value, JSON as it is.

A record knows its own invariants and nothing about models, SAEs, files or HTTP. No field is
filled in later: a new step makes a new record.
"""

from functools import cached_property
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from promptfix.errors import PromptError

Place: TypeAlias = Literal["user", "readout"]
"""Where features count: on a token of the user's text, or on the read-out."""

Kind: TypeAlias = Literal["user", "readout", "template"]
"""What a token is: one of the user's, the read-out, or any other token of the chat template."""

Mode: TypeAlias = Literal["off", "detect", "repair"]
"""How far the flow may go: answer only; also look and report; also rewrite the prompt."""

Action: TypeAlias = Literal["none", "detected", "repaired", "withdrawn", "skipped", "error"]
"""What came of a request: nothing fired; something fired and the prompt was left alone; the
prompt was rewritten; it was, but the answer did something else than the note says, so that the
prompt was answered as it came; the prompt was not read (mode off, or too long); looking failed."""


class Record(BaseModel):
    """A frozen value without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    """An earlier turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str


class Prompt(Record):
    """What the user wrote. Raises PromptError for text that cannot be read."""

    text: str
    system: str | None = None
    history: tuple[Message, ...] = ()
    """What was said before, the oldest first. Nothing is looked for in it, and nothing edited."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not self.text.strip():
            raise PromptError("the prompt is empty; write a question or a sentence")
        earlier = "".join(message.text for message in self.history)
        said = {"prompt": self.text, "system text": self.system or "", "history": earlier}
        for name, text in said.items():
            check_text(text, name)
        return self


class Span(Record):
    """A half-open range of characters of the user's text."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a span ends after it starts")
        return self

    def of(self, text: str) -> str:
        """Cut the span out of a text."""
        return text[self.start : self.end]


class Token(Record):
    """One token of the model's input."""

    position: int = Field(ge=0)
    """Index in the model's input, template tokens included."""
    text: str
    span: Span | None = None
    """Characters of `Prompt.text`; exactly the tokens of kind `user` have one."""
    kind: Kind

    @model_validator(mode="after")
    def _span_if_user(self) -> Self:
        if (self.kind == "user") != (self.span is not None):
            raise ValueError("exactly the user's tokens have a span")
        return self


class Activation(Record):
    """How strongly one SAE feature fires at one position. What is absent is zero."""

    feature: int = Field(ge=0)
    position: int = Field(ge=0)
    value: float


class Reading(Record):
    """What one lens saw while the model read a prompt: sparse, at user tokens and the read-out."""

    lens: str
    prompt: Prompt
    tokens: tuple[Token, ...]
    """In order of position. Template tokens may be left out; nothing is read at them."""
    activations: tuple[Activation, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds = {token.position: token.kind for token in self.tokens}
        if len(kinds) != len(self.tokens) or list(kinds) != sorted(kinds):
            raise ValueError("tokens are in order, one for each position")
        if sum(kind == "readout" for kind in kinds.values()) != 1:
            raise ValueError("a reading has exactly one read-out")
        if any(kinds.get(act.position, "template") == "template" for act in self.activations):
            raise ValueError("features are read at user tokens and the read-out only")
        return self

    @cached_property
    def readout(self) -> int:
        """The position of the last prompt token before the answer."""
        return next(token.position for token in self.tokens if token.kind == "readout")


class Evidence(Record):
    """One feature of a rule, where it counted and how strongly it fired there."""

    feature: int = Field(ge=0)
    at: Place
    value: float
    """0 where the feature did not fire."""
    span: Span | None = None
    """The token where it was strongest; None at the read-out, or where it did not fire."""
    meaning: str = ""
    """The detector's one-line reading of the feature."""


class Finding(Record):
    """A known misunderstanding, recognised in a reading, with the proof."""

    detector: str
    """`id@version`."""
    misunderstanding: str
    span: Span | None
    """The words it is about; None where it is about the text as a whole."""
    score: float
    threshold: float
    evidence: tuple[Evidence, ...]


class NearMiss(Record):
    """A detector that came close and did not fire: the answer to "why not?"."""

    detector: str
    misunderstanding: str
    span: Span | None
    score: float
    threshold: float
    lacking: float = Field(ge=0)
    """How much score was missing: threshold - score."""
    evidence: tuple[Evidence, ...]


class Edit(Record):
    """One insertion into the user's text, and why."""

    annotation: str
    """`id@version`."""
    at: int = Field(ge=0)
    """Character of the original text in front of which `text` goes in."""
    text: str
    finding: Finding


class Repair(Record):
    """A rewritten prompt. Taking the edits out of `repaired` gives `original`."""

    original: Prompt
    edits: tuple[Edit, ...]
    """In order of `at`; edits at the same place stand in this order."""
    repaired: Prompt


class Check(Record):
    """What re-reading said about one finding."""

    detector: str
    threshold: float
    before: float
    after: float | None
    """None where nothing that the rule looks at could have changed."""


class Verification(Record):
    """Whether the findings cleared when the repaired prompt was read again."""

    verified: bool | None
    """True if all findings that can be compared cleared; None if none can be compared."""
    checks: tuple[Check, ...]


ANSWER_TOKENS = 96
"""The longest answer where nobody says otherwise; mining and evaluation answer so, too."""


class Sampling(Record):
    """How the model is to write its answer."""

    max_tokens: int = Field(default=ANSWER_TOKENS, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    """0 takes the likeliest token each time."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: int | None = Field(default=None, ge=0)
    """Of how many tokens the log-probability is wanted beside that of each token written."""


GREEDY = Sampling()
"""Take the likeliest token each time."""


class Likely(Record):
    """A token and how likely it was."""

    text: str
    logprob: float | None
    """Natural logarithm of its probability, before temperature and top_p; None for the first
    token of all, which nothing comes before."""


class Score(Likely):
    """A token that was read or written."""

    top: tuple[Likely, ...] = ()
    """The likeliest tokens at its place, the likeliest first."""


class Piece(Record):
    """What one more token adds to an answer."""

    text: str = ""
    """Empty while a character, or what may become a stop text, is not complete."""
    tokens: int = Field(ge=0)
    """How many tokens are written so far."""
    score: Score | None = None
    finish: Literal["stop", "length"] | None = None
    """Set in the last piece."""


class Answer(Record):
    """What the model said."""

    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class Trace(Record):
    """Everything that happened to one request."""

    id: str
    library: str
    """Digest of the library that was in force."""
    lens: str
    answers: str | None = None
    """The model that answers, where it is not the lens's own: the lens's stood in for it."""
    mode: Mode
    action: Action
    prompt: Prompt
    findings: tuple[Finding, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    repair: Repair | None = None
    """The rewriting that is in force; also the one that was tried and dropped: see `action`."""
    verification: Verification | None = None
    answer: Answer | None = None
    """None if no answer was asked for."""
    strayed: Answer | None = None
    """The last answer to a repaired prompt that was not taken: to the notes in their first words if
    `action` is `repaired`, to those in `repair` if it is `withdrawn`."""
    original_answer: Answer | None = None
    """The answer to the prompt as it came, if the two were to be compared."""
    failure: str | None = None
    """Why the prompt was not read or not rewritten, in one sentence."""
    seconds: dict[str, float]
    """How long each step took."""

    @property
    def in_force(self) -> Prompt:
        """The prompt that goes to the model."""
        repaired = self.repair.repaired if self.repair else self.prompt
        return repaired if self.action == "repaired" else self.prompt


def check_text(text: str, name: str = "prompt") -> None:
    """Raise PromptError for text that is no valid Unicode, which no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PromptError(
            f"the {name} has a lone surrogate at character {error.start}, which is no valid "
            "Unicode; send it as UTF-8"
        ) from None
