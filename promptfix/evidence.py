"""What the measurements of a detector are worth: its status, recomputed from the counts.

Pure. Mining writes the status that `earned` gives; `promptfix check` and a test hold it against
the numbers again.
"""

from __future__ import annotations

from functools import cache

from promptfix.cases import passes
from promptfix.formats import Status
from promptfix.measures import Falsification, Injection, Measurement, Null, Outcomes, Tally

CONFIDENCE = 0.95
HARM_BUDGET = 0.01
"""Upper bound on the share of all prompts of a task that the library may turn wrong."""
SIGNIFICANT = 0.05
"""The p value (sign test on the calibration half) from which on a detector counts as measured.

With 0.1, rules of four to ten repairs passed, and did as much harm as good on held-out problems.
"""
MATCHED = 0.05
"""The share of shuffled runs that may do as well as the real one."""
TOKEN_DRIVEN = 0.8
"""Effect size (Cohen's d) from which on injected tokens are what drives a detector, if it is
significant (2601.05679)."""
INJECTION_P = 0.01
LEAST_RATIO = 4
"""Repairs for each harm that a threshold has to bring."""
LEAST_KEPT = 0.5
"""Share of paraphrases that a detector still has to fire on."""


@cache
def harm_bound(harmed: int, prompts: int) -> float:
    """The upper end of the one-sided interval for a share (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    return 1.0 if harmed >= prompts else float(beta.ppf(CONFIDENCE, harmed + 1, prompts - harmed))


def sign_test(repaired: int, harmed: int) -> float:
    """The chance of so many repairs, or more, if harm were as likely as repair."""
    from scipy.stats import binomtest

    changed = repaired + harmed
    if not changed:
        return 1.0
    return float(binomtest(repaired, changed, alternative="greater").pvalue)


def earned(measurement: Measurement, cases: Tally | None, *, lexical: bool) -> Status:
    """The status that a detector's numbers give it. `cases`: what it did on the cases by hand."""
    if doubts(measurement, cases):
        return Status.experimental
    untrusted = reasons(measurement, cases, lexical=lexical)
    return Status.measured if untrusted else Status.trusted


def doubts(measurement: Measurement, cases: Tally | None) -> list[str]:
    """Why a detector does not count as measured; empty if it does."""
    seen, null = measurement.calibration, measurement.null
    found: list[str] = []
    if sign_test(seen.repaired, seen.harmed) > SIGNIFICANT:
        found.append("too few repairs to tell from chance")
    if harm_bound(seen.harmed, seen.prompts) > HARM_BUDGET:
        found.append("harm is not bounded")
    if null and matched(null):
        found.append("shuffled outcomes give as good a detector")
    if cases and not passes(cases):
        found.append("it fails its cases by hand")
    return found


def reasons(measurement: Measurement, cases: Tally | None, *, lexical: bool) -> list[str]:
    """Why a measured detector is not trusted; empty if it is."""
    seen = measurement.calibration
    found: list[str] = []
    if measurement.null is None:
        found.append("never held against shuffled outcomes")
    if cases is None:
        found.append("never read its cases by hand")
    if measurement.falsification is None:
        return [*found, "never tried to falsify"]
    tried = measurement.falsification
    return found + (_lexical(tried, seen, cases) if lexical else _contextual(tried, seen))


def matched(null: Null) -> bool:
    """Whether the same search does as well on shuffled outcomes."""
    return (1 + null.matched) / (1 + null.runs) > MATCHED


def token_driven(injection: Injection) -> bool:
    """Whether a detector's own top tokens make neutral prompts look like its prompts."""
    return injection.effect >= TOKEN_DRIVEN and injection.p_value < INJECTION_P


def beats_lookup(tried: Falsification, seen: Outcomes) -> bool:
    """Whether a detector does better than to annotate wherever the note can be made.

    It is worth more, or the rule without it would not be admitted. A harm weighs as many repairs
    as it has to be paid with: all detectors share one budget of harm, so that a detector that
    spends less of it than its look-up rule leaves it to others.
    """
    rule = tried.lookup
    admitted = rule.repaired >= LEAST_RATIO * rule.harmed
    bounded = harm_bound(rule.harmed, rule.prompts) <= HARM_BUDGET
    return _worth(seen) > _worth(rule) or not (admitted and bounded)


def _worth(seen: Outcomes) -> int:
    return seen.repaired - LEAST_RATIO * seen.harmed


def _contextual(tried: Falsification, seen: Outcomes) -> list[str]:
    found: list[str] = []
    if not tried.injections:
        found.append("no tokens were injected")
    if any(token_driven(injection) for injection in tried.injections):
        found.append("its top tokens alone drive it")
    paraphrase = tried.paraphrase
    if paraphrase is None or not paraphrase.prompts:
        found.append("no paraphrase was read")
    elif paraphrase.kept < LEAST_KEPT * paraphrase.prompts:
        found.append("it stops at other words for the same")
    if not beats_lookup(tried, seen):
        found.append("annotating wherever the note can be made does as well")
    return found


def _lexical(tried: Falsification, seen: Outcomes, cases: Tally | None) -> list[str]:
    found: list[str] = []
    if cases and cases.quiet.fired:
        found.append("it fires where the word is explained, or used in a sense the model knows")
    if not beats_lookup(tried, seen):
        found.append("its look-up rule does as well")
    return found
