"""Everything that promptfix raises on purpose.

    PromptfixError
      LibraryError        detectors/ or annotations/ are wrong: every problem at once
      LensError           the loaded model or SAE is not the one that the lens names
      SettingsError       a setting is unknown or has an impossible value
      PromptError         the prompt cannot be read: empty, or not valid Unicode
        PromptTooLong     the prompt does not fit the model's context
      MicroscopeError     the model or its SAE could not be loaded or run
      ModelError          the model could not answer
        ModelTimeout      ... in the time it was given

    PromptfixWarning      something goes on, though perhaps not as it should

A message is one sentence: what happened, to what, and what to do about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class PromptfixError(Exception):
    """The root of the tree: catch it to catch all that promptfix raises on purpose."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a data file."""

    file: str
    """The file, relative to the folder of the data where it lies inside it."""
    path: str
    """Where in the file, as a JSON path: `$` is the whole file, `$.rule.terms[0]` a part."""
    message: str
    """What is wrong, in one sentence."""
    remedy: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.message} ({self.remedy})"


class LibraryError(PromptfixError):
    """The data files cannot be used; `problems` holds all that is wrong with them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the library:{lines}")


class LensError(PromptfixError):
    """The loaded model, tokenizer or SAE is not the one that the lens names."""


class SettingsError(PromptfixError):
    """A setting is unknown or has an impossible value."""


class PromptError(PromptfixError):
    """The prompt cannot be read."""


class PromptTooLong(PromptError):  # noqa: N818 - it reads as what happened
    """The prompt does not fit the model's context."""


class MicroscopeError(PromptfixError):
    """The model or its SAE could not be loaded or run."""


class ModelError(PromptfixError):
    """The model could not answer."""


class ModelTimeout(ModelError):  # noqa: N818
    """The model did not answer in the time it was given."""


class PromptfixWarning(UserWarning):
    """Something goes on, though perhaps not as it should; issued with `warnings.warn`."""


def brief(text: str, most: int = 300) -> str:
    """What another program says of an error: on one line, cut."""
    return " ".join(text.split())[:most]
