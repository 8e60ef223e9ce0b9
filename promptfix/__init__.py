"""promptfix finds out how a language model misreads a prompt, and repairs the prompt.

    from promptfix import Pipeline

    trace = Pipeline.load().answer("A shop sold two gross of pencils. How many is that?")

Importing this package loads nothing heavy: the names below are looked up when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptfix.client import trace_of, wrap
    from promptfix.errors import PromptfixError
    from promptfix.library import Library
    from promptfix.pipeline import Pipeline, Policy
    from promptfix.records import (
        Answer,
        Edit,
        Finding,
        NearMiss,
        Prompt,
        Reading,
        Repair,
        Sampling,
        Span,
        Trace,
    )

__all__ = [
    "Answer",
    "Edit",
    "Finding",
    "Library",
    "NearMiss",
    "Pipeline",
    "Policy",
    "Prompt",
    "PromptfixError",
    "Reading",
    "Repair",
    "Sampling",
    "Span",
    "Trace",
    "trace_of",
    "wrap",
]

_HOMES = {
    "Library": "library",
    "Pipeline": "pipeline",
    "Policy": "pipeline",
    "PromptfixError": "errors",
    "trace_of": "client",
    "wrap": "client",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'records')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
