"""What programs measure of detectors and annotations: counts, never ratios; unmeasured is absent.

Written by `promptfix mine` beside what it is about. What the numbers are worth, the status of a
detector among it, is recomputed from them in evidence.py.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from promptfix.formats import Digest, File, Finite, Format, Line, Slug, Stamp


class Outcomes(Format):
    """What annotating did, in counts of prompts. Ratios are for the reader to compute."""

    prompts: int = Field(ge=1)
    """All prompts looked at."""
    annotated: int = Field(ge=0)
    """Those that the detector fired on, or that the annotation could be made for."""
    repaired: int = Field(ge=0)
    """Of those: answered wrong as they came and right with the note."""
    harmed: int = Field(ge=0)
    """Of those: answered right as they came and wrong with the note."""

    @model_validator(mode="after")
    def _counts_nest(self) -> Self:
        if self.repaired + self.harmed > self.annotated or self.annotated > self.prompts:
            raise ValueError("repaired + harmed <= annotated <= prompts does not hold")
        return self

    @property
    def uplift(self) -> float | None:
        """Net share of annotated prompts turned right; None if none was annotated."""
        return (self.repaired - self.harmed) / self.annotated if self.annotated else None


class Bound(Format):
    """An upper bound on the share of all prompts that the detector harms."""

    at_most: float = Field(ge=0, le=1)
    confidence: float = Field(gt=0, lt=1)


class Source(Format):
    """What a measurement was made with. Dates and machines belong in a sidecar."""

    command: Line
    data: dict[str, Digest]
    """Name of a data set -> sha256 of what was used of it."""
    seeds: tuple[int, ...] = Field(strict=False)


class Selection(Format):
    """How a rule was found, on prompts that calibration did not see."""

    prompts: int = Field(ge=1)
    """Those that the annotation could be made for, variants among them, and that do not stay
    wrong with it."""
    repaired: int = Field(ge=0)
    harmed: int = Field(ge=0)
    gain: Finite
    """What the rule tells of repairs: cross-validated log-likelihood over the base rate, in
    nats."""
    screened: int = Field(ge=1)
    """How many features, or pairs of them, passed the screen."""


class Null(Format):
    """The same search on shuffled outcomes."""

    runs: int = Field(ge=1)
    found: int = Field(ge=0)
    """Runs that came up with a rule."""
    matched: int = Field(ge=0)
    """Runs whose rule tells at least as much of the half that it did not see."""


class Injection(Format):
    """What its own top tokens do to a detector, put into neutral prompts."""

    grams: Literal[1, 2, 3]
    """Tokens, bigrams or trigrams."""
    strategy: Literal["prepend", "append", "intersperse", "replace"]
    prompts: int = Field(ge=2)
    fired: int = Field(ge=0)
    effect: Finite
    """Cohen's d of the score, with the grams against without."""
    p_value: float = Field(ge=0, le=1)
    """Welch's t test of the same, one-sided."""


class Paraphrase(Format):
    """What rewording does to the prompts that a detector fires on."""

    prompts: int = Field(ge=0)
    kept: int = Field(ge=0)
    """Rewordings that it still fires on, of one each."""


class Falsification(Format):
    """Attempts to show that a detector sees words only, or only one wording."""

    injections: tuple[Injection, ...] = Field(default=(), strict=False)
    paraphrase: Paraphrase | None = None
    lookup: Outcomes
    """On the calibration half: the annotation wherever it can be made, without any detector."""


class Cause(Format):
    """Do the features bring the error about, or only go with it? Counts of prompts."""

    fired: int = Field(ge=0)
    """Calibration prompts that the detector fires on, asked without a note."""
    ablated_repaired: int = Field(ge=0)
    ablated_harmed: int = Field(ge=0)
    """Of those: turned right or wrong by taking the features out of the residual stream."""
    quiet: int = Field(ge=0)
    """Calibration prompts that it is quiet on, steered towards firing."""
    steered_repaired: int = Field(ge=0)
    steered_harmed: int = Field(ge=0)
    compared: int = Field(ge=0)
    """Of those that it fires on: prompts whose score can be compared once the note is there."""
    fell: int = Field(ge=0)
    """Of those: the note lowers the score."""
    fall_predicts_repair: float | None = Field(default=None, ge=0, le=1)
    """Area under the ROC curve of the fall, for repaired against not repaired."""


class Measurement(File):
    """detectors/<misunderstanding>/<id>.measured.json: what a program measured."""

    detector: Stamp
    lens: Slug
    annotation: Stamp
    """The annotation that the prompts were given."""
    answers: Line | None = None
    """The model whose answers were scored, where it is not the lens's own."""
    calibration: Outcomes
    """On prompts that selection did not see."""
    harm: Bound
    uncleared: Outcomes | None = None
    """Of the annotated: those whose finding did not clear when the noted prompt was read."""
    library: Outcomes | None = None
    """All detectors of the lens and the task together, on the same prompts."""
    selection: Selection | None = None
    null: Null | None = None
    falsification: Falsification | None = None
    cause: Cause | None = None
    source: Source


class Count(Format):
    """How many cases there are of a kind, and on how many of them a detector fired."""

    n: int = Field(ge=0)
    fired: int = Field(ge=0)

    @model_validator(mode="after")
    def _counts_nest(self) -> Self:
        if self.fired > self.n:
            raise ValueError("fired <= n does not hold")
        return self


class Tally(Format):
    """What a detector did on the cases of its misunderstanding."""

    fire: Count
    quiet: Count
    fired: dict[Slug, bool]
    """Case id -> whether it fired."""


class Recording(File):
    """detectors/<misunderstanding>/<lens>.recorded.json: what a program saw on the cases."""

    lens: Slug
    cases: Digest
    """sha256 of the cases that were read."""
    detectors: dict[Stamp, Tally]


class Uplift(File):
    """annotations/measured/<id>.<lens>.json: what an annotation did, on prompts of its kind."""

    annotation: Stamp
    lens: Slug
    answers: Line | None = None
    """The model whose answers were scored, where it is not the lens's own."""
    calibration: Outcomes
    source: Source
