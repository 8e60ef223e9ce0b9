"""Settings come from arguments, variables and a file, and misspelt ones are errors."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from promptfix.errors import SettingsError
from promptfix.formats import Status
from promptfix.settings import Settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("PROMPTFIX_")]:
        monkeypatch.delenv(name)


def test_defaults_edit_from_measured_on() -> None:
    """Without anything set, measured detectors edit and failures pass through."""
    policy = Settings.read().policy
    assert policy.edit_from is Status.measured
    assert (policy.on_failure, policy.max_annotations) == ("pass-through", 1)


def test_arguments_go_before_variables_and_these_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each source overrides the one behind it."""
    file = tmp_path / "promptfix.toml"
    file.write_text('max_annotations = 5\nuncleared = "drop"\ndisabled = ["a"]\ndevice = "cpu"\n')
    monkeypatch.setenv("PROMPTFIX_CONFIG", str(file))
    monkeypatch.setenv("PROMPTFIX_MAX_ANNOTATIONS", "4")
    monkeypatch.setenv("PROMPTFIX_UNCLEARED", "report")
    settings = Settings.read(max_annotations=3)
    assert (settings.max_annotations, settings.uncleared, settings.device) == (3, "report", "cpu")
    assert settings.disabled == {"a"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PROMPTFIX_MAX_ANOTATIONS", "3", "no setting is called"),
        ("PROMPTFIX_MAX_ANNOTATIONS", "-1", "max_annotations"),
        ("PROMPTFIX_EDIT_FROM", "proven", "edit_from"),
        ("PROMPTFIX_DISABLED", "unknown-unit-word", r'PROMPTFIX_DISABLED is .* \["..."\]'),
        ("PROMPTFIX_CONFIG", "/nowhere/promptfix.toml", "cannot be read"),
    ],
)
def test_a_wrong_variable_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """An unknown variable or an impossible value is a SettingsError that names it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        Settings.read()


def test_a_wrong_key_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key of the file, or an argument, that is no setting is a SettingsError."""
    file = tmp_path / "promptfix.toml"
    file.write_text("max_anotations = 5\n")
    with pytest.raises(SettingsError, match="colour"):
        Settings.read(colour="red")
    monkeypatch.setenv("PROMPTFIX_CONFIG", str(file))
    with pytest.raises(SettingsError, match="max_anotations"):
        Settings.read()


def test_settings_do_not_change() -> None:
    """Settings are frozen."""
    with pytest.raises(ValidationError):
        Settings.read().device = "cpu"  # pyright: ignore[reportAttributeAccessIssue]
