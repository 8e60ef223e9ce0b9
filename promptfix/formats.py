"""The files in detectors/ and annotations/: one declaration each for type, decoder and schema.

What programs measure lies in separate files, whose formats are in measures.py. Detectors and
annotations never name each other: both name a misunderstanding.
"""

from enum import StrEnum
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from promptfix.records import Place

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=80)]
Stamp = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*@[1-9][0-9]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\r\n]+$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
MAX_FEATURES = 8


class Format(BaseModel):
    """A part of a data file: frozen, without unknown keys or silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class File(Format):
    """A whole data file; it may name its schema, so that editors complete it."""

    schema_: str | None = Field(default=None, alias="$schema")


class Status(StrEnum):
    """How much is known about a detector, in rising order but for the last."""

    experimental = "experimental"
    measured = "measured"
    trusted = "trusted"
    retired = "retired"

    def reaches(self, least: "Status") -> bool:
        """Say whether the evidence is at least of this degree; nothing retired reaches any."""
        order = list(Status)
        return self is not Status.retired and order.index(self) >= order.index(least)


class Term(Format):
    """One feature of a weighted sum, at the position of that kind where it is strongest."""

    feature: int = Field(ge=0)
    weight: Finite
    at: Place


class Weighted(Format):
    """Fires where bias + sum(weight * activation) reaches the threshold."""

    kind: Literal["weighted"]
    terms: tuple[Term, ...] = Field(min_length=1, max_length=MAX_FEATURES, strict=False)
    bias: Finite
    threshold: Finite

    @model_validator(mode="after")
    def _quiet_in_silence(self) -> Self:
        if self.bias >= self.threshold:
            raise ValueError("the rule fires when no feature does; keep bias below threshold")
        return self


class Condition(Format):
    """One feature that has to reach a level at some position of that kind."""

    feature: int = Field(ge=0)
    at: Place
    at_least: Finite = Field(gt=0)


class AllOf(Format):
    """Fires where all conditions hold. Its score is the smallest activation / at_least; 1 fires."""

    kind: Literal["all_of"]
    conditions: tuple[Condition, ...] = Field(min_length=1, max_length=MAX_FEATURES, strict=False)


Rule = Annotated[Weighted | AllOf, Field(discriminator="kind")]


class Provenance(Format):
    """Where a file comes from."""

    author: Line
    created: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Left out by programs, whose dates are in a sidecar: equal runs write equal files."""
    found_by: Line
    """The command, or the thought, that led to it."""
    sources: tuple[Line, ...] = Field(default=(), strict=False)


class Detector(File):
    """detectors/<misunderstanding>/<id>.json: a rule over the features of one lens."""

    id: Slug
    version: int = Field(ge=1)
    misunderstanding: Slug
    lens: Slug
    scope: Literal["lexical", "contextual"]
    """About a word that the model does not know, or about what is made of the words."""
    status: Status = Field(strict=False)
    rule: Rule
    readings: dict[str, Line]
    """Feature number -> what it seems to stand for, in one line."""
    provenance: Provenance

    @model_validator(mode="after")
    def _readings_cover_the_rule(self) -> Self:
        if set(self.readings) != {str(feature) for feature in self.features}:
            raise ValueError("readings must have one line for each feature of the rule, no others")
        return self

    @property
    def parts(self) -> tuple[Term, ...] | tuple[Condition, ...]:
        """The terms or conditions of the rule."""
        return self.rule.terms if isinstance(self.rule, Weighted) else self.rule.conditions

    @property
    def features(self) -> frozenset[int]:
        """The features that the rule looks at."""
        return frozenset(part.feature for part in self.parts)

    @property
    def stamp(self) -> str:
        """`id@version`, as traces name it."""
        return f"{self.id}@{self.version}"

    @property
    def reads_out(self) -> bool:
        """Whether any part of the rule looks at the read-out."""
        return any(part.at == "readout" for part in self.parts)

    @property
    def by_word(self) -> bool:
        """Whether the rule is applied to each word rather than to the text as a whole."""
        return self.scope == "lexical" and not self.reads_out


class Case(Format):
    """A line of detectors/<misunderstanding>/cases.jsonl: a prompt, by hand."""

    id: Slug
    prompt: Line
    expect: Literal["fire", "quiet"]
    """Whether the misunderstanding may happen here, or cannot."""
    pair_of: Slug | None = None
    """The fire case that a quiet one differs from in a few words."""
    on: Line | None = None
    """The words that the misunderstanding is about."""

    @model_validator(mode="after")
    def _quiet_has_a_pair(self) -> Self:
        if (self.expect == "quiet") != (self.pair_of is not None):
            raise ValueError("exactly a quiet case has pair_of, the fire case that it is like")
        if self.on is not None and self.on not in self.prompt:
            raise ValueError(f"the prompt does not say {self.on!r}; copy `on` from it")
        return self


class SelfCheck(Format):
    """What the microscope must see on a few prompts before it may be used."""

    prompts: tuple[Line, ...] = Field(min_length=1, strict=False)
    l0_at_least: float = Field(ge=0)
    l0_at_most: float = Field(gt=0)
    """Mean active features per token."""
    unexplained_at_most: float = Field(gt=0)
    """Share of the variance that the SAE leaves unexplained."""


class Lens(Format):
    """A model, a layer, an SAE, a tokenizer and a template, pinned by their hashes."""

    model: Line
    """A name for people; the hashes decide."""
    sae: Line
    model_sha256: Digest
    sae_sha256: Digest
    tokenizer_sha256: Digest
    template_sha256: Digest
    layer: int = Field(ge=0)
    hook: Line
    d_in: int = Field(ge=1)
    d_sae: int = Field(ge=1)
    self_check: SelfCheck | None = None


class Lenses(File):
    """detectors/lenses.json: lens id -> lens."""

    lenses: dict[Slug, Lens]


class Annotation(File):
    """annotations/<id>.json: the words that answer a misunderstanding, for any model."""

    id: Slug
    version: int = Field(ge=1)
    misunderstanding: Slug
    task: Literal["math", "metaphor"]
    placement: Literal["end"]
    """`end`: after the last character of the user's text."""
    template: str = Field(min_length=1, max_length=300, pattern=r"^[^\[\]\r\n]+$")
    """Fixed words and {slots}."""
    again: str | None = Field(default=None, min_length=1, max_length=300, pattern=r"^[^\[\]\r\n]+$")
    """Other words from the same slots: the note for a second try, where an answer does something
    else than the first one says."""
    filler: Slug
    """Name of the parser in promptfix/slots/ that fills the slots."""
    provenance: Provenance

    @field_validator("template", "again")
    @classmethod
    def _plain_slots(cls, template: str | None) -> str | None:
        for _, name, spec, conversion in Formatter().parse(template or ""):
            if name is not None and (not name.isidentifier() or spec or conversion):
                raise ValueError(f"{{{name}}} is no plain slot; write a name in braces")
        return template

    @property
    def slots(self) -> frozenset[str]:
        """The names of the slots in its words."""
        words = f"{self.template} {self.again or ''}"
        return frozenset(name for _, name, _, _ in Formatter().parse(words) if name)

    @property
    def stamp(self) -> str:
        """`id@version`, as traces name it."""
        return f"{self.id}@{self.version}"


class Unit(Format):
    """A word that stands for a number: of smaller things, parts, times, or equal shares."""

    value: int | float = Field(gt=0)
    text: Line
    """What the word says, as a statement: "a gross is 144"; of parts, these are the last word."""
    forms: tuple[Line, ...] = Field(default=(), strict=False)
    """Spellings in texts beside the entry itself: "grosses", "half dozen"."""
    only_pointed_at: bool = False
    """Whether the word is too common, or means too much else, to be noted unless a finding is
    about this very word."""


class Sense(Format):
    """The basic sense of a word: its most bodily, concrete one."""

    pos: Literal["verb", "noun", "adjective"]
    sense: Line
    """It completes "<word> first means: "."""


class Change(Format):
    """What a verb does to the number of things its subject has."""

    effect: Literal["larger", "smaller"]


class Tables(Format):
    """The library's own words, by table; each is annotations/tables/<name>.json."""

    units: dict[str, Unit] = {}
    parts: dict[str, Unit] = {}
    multiples: dict[str, Unit] = {}
    fractions: dict[str, Unit] = {}
    senses: dict[str, Sense] = {}
    rare: dict[str, Sense] = {}
    """Words that few texts have; none stands in `senses` as well."""
    changes: dict[str, Change] = {}


TABLES: dict[str, type[Format]] = {
    "units": Unit,
    "parts": Unit,
    "multiples": Unit,
    "fractions": Unit,
    "senses": Sense,
    "rare": Sense,
    "changes": Change,
}
"""Name of a table -> format of its entries."""
