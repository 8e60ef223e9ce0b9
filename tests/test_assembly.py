"""Only assembly chooses implementations, and importing promptfix loads nothing heavy."""

import subprocess
import sys

import pytest

import promptfix
from promptfix.assembly import build, check_library, load_library
from promptfix.errors import SettingsError
from promptfix.settings import Settings


def test_public_names_are_there() -> None:
    """Every public name can be imported, and no other."""
    assert all(getattr(promptfix, name).__name__ == name for name in promptfix.__all__)
    assert dir(promptfix) == sorted(promptfix.__all__)
    with pytest.raises(AttributeError, match="Nonsense"):
        promptfix.Nonsense  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue, reportUnusedExpression]


def test_importing_promptfix_loads_nothing_heavy() -> None:
    """Neither the package nor its pure core imports torch, transformers or litestar."""
    heavy = {"torch", "transformers", "sae_lens", "litestar", "jsonschema"}
    code = (
        "import sys, promptfix, promptfix.assembly, promptfix.testing; promptfix.Pipeline; "
        f"print({heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    assert done.stdout.strip() == "set()"


def test_the_librarys_own_data_is_loaded() -> None:
    """Without settings the shipped detectors and annotations are taken."""
    settings = Settings()
    assert load_library(settings).digest == check_library(settings).digest


def test_a_misspelt_detector_is_not_switched_off_in_silence() -> None:
    """It is an error that names the detectors that there are."""
    with pytest.raises(SettingsError, match=r"called b; there are .*unknown-unit-word-mini"):
        build(Settings(disabled=frozenset({"b", "unknown-unit-word-mini-l2-9216"})))
