"""Settings: arguments, then PROMPTFIX_ variables, then a TOML file, then the defaults.

Frozen. A key or variable that promptfix does not know is an error, so that a misspelt one is
never silently without effect.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as NoJson

from promptfix.errors import SettingsError
from promptfix.formats import Status
from promptfix.pipeline import Policy
from promptfix.rewriting import Uncleared

SettingsT = TypeVar("SettingsT", bound=BaseSettings)
PREFIX = "PROMPTFIX_"
CONFIG = "PROMPTFIX_CONFIG"
"""Names the TOML file."""
ELSEWHERE = frozenset({CONFIG, "PROMPTFIX_DATA"})
"""Variables that are not settings of the pipeline; `PROMPTFIX_SERVICE_...` neither."""
SERVICE = "service"
"""The table of the file that is for the service."""


class Settings(BaseSettings):
    """Everything that can be chosen about a pipeline."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_parse_none_str="none"
    )

    model: Path | None = None
    """Folder of a Hugging Face model, or `org/name@revision` in the local Hugging Face cache; None
    is the embedded one."""
    sae: Path | None = None
    """Folder of its SAE in the sae-lens format, or `release/sae_id` once it has been imported; None
    is the embedded one."""
    lens: str | None = None
    """Id in detectors/lenses.json; None is the one whose hashes fit the model and the SAE."""
    device: str = "auto"
    """`cpu`, `cuda`, ...; `auto` takes a GPU if there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the model computes in; `auto` is float32 on a CPU, else what its weights are in."""
    at_once: int = Field(default=1, ge=1)
    """How many prompts are read and answered together; `promptfix serve` takes 16."""
    detectors: Path | None = None
    annotations: Path | None = None
    """Folders of data; None are the library's own."""
    tables: Path | None = None
    """Folder of own tables that add to the library's and go before them."""
    edit_from: Status = Status.measured
    """From which status on a detector may edit; all others only report."""
    disabled: frozenset[str] = frozenset()
    """Ids of detectors that are switched off."""
    max_annotations: int = Field(default=1, ge=0)
    """How many notes a prompt may get; mining measured one at a time."""
    uncleared: Uncleared = "calibrated"
    """What becomes of an edit whose finding did not clear."""
    on_failure: Literal["pass-through", "error"] = "pass-through"
    """What to do when the microscope fails."""
    on_too_long: Literal["pass-through", "error"] = "error"
    """What to do with a prompt that does not fit the microscope."""

    @classmethod
    def read(cls, config: Path | None = None, **chosen: Any) -> Self:
        """Gather the settings; `config` is the file, else the variable of that name is.

        Raises SettingsError with one line for each fault.
        """
        _refuse_unknown(os.environ, set(cls.model_fields))
        found = from_file(config, None, set(cls.model_fields), PREFIX)
        return gathered(cls, found | chosen)

    @property
    def policy(self) -> Policy:
        """The part that the pipeline needs."""
        return Policy(
            edit_from=self.edit_from,
            disabled=self.disabled,
            max_annotations=self.max_annotations,
            uncleared=self.uncleared,
            on_failure=self.on_failure,
            on_too_long=self.on_too_long,
        )


def _refuse_unknown(environment: Mapping[str, str], known: set[str]) -> None:
    own = {name for name in environment if name.startswith(PREFIX)} - ELSEWHERE
    service = f"{PREFIX}SERVICE_"
    allowed = {PREFIX + name.upper() for name in known}
    unknown = sorted(name for name in own - allowed if not name.startswith(service))
    if unknown:
        listed = ", ".join(sorted(allowed))
        raise SettingsError(f"no setting is called {', '.join(unknown)}; there are {listed}")


def from_file(path: Path | None, table: str | None, known: set[str], prefix: str) -> dict[str, Any]:
    """What a table of the TOML file says, without what the environment says otherwise.

    The file is `path`, or what PROMPTFIX_CONFIG names, or none. Raises SettingsError.
    """
    if not (path := path or Path(os.environ.get(CONFIG, ""))).name:
        return {}
    try:
        whole = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the settings in {path} cannot be read: {error}") from error
    service = whole.pop(SERVICE, {})
    if not isinstance(service, dict):
        raise SettingsError(f"{path}: {SERVICE} is a table; write [{SERVICE}]")
    content: dict[str, Any] = service if table == SERVICE else whole
    if unknown := sorted(set(content) - known):
        named = ", ".join(f"{table}.{name}" if table else name for name in unknown)
        raise SettingsError(f"{path}: no setting is called {named}")
    return {name: v for name, v in content.items() if prefix + name.upper() not in os.environ}


def gathered(kind: type[SettingsT], chosen: dict[str, Any]) -> SettingsT:
    """What was chosen, and the environment behind it. Raises SettingsError, a line for all."""
    try:
        return kind(**chosen)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_fault, error.errors()))) from None
    except NoJson as error:
        name = str(error).split('"')[1].upper()  # it tells the setting in its message only
        variable = kind.model_config.get("env_prefix", "") + name
        raise SettingsError(f'{variable} is a list; write it as JSON, as ["..."]') from None


def as_toml(settings: BaseSettings) -> str:
    """Write settings as TOML, one a line; what is unset is a comment, and secrets are masked."""
    values = settings.model_dump(mode="json")
    lines = [
        f"# {name} is not set" if value is None else f"{name} = {_toml(value)}"
        for name, value in values.items()
    ]
    return "\n".join(lines)


def _fault(fault: ErrorDetails) -> str:
    """Say what is wrong with a setting, in one line."""
    where = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _toml(value: object) -> str:
    # Strings, numbers, booleans and lists of strings are written alike in JSON and TOML.
    return json.dumps(sorted(value) if isinstance(value, list) else value, ensure_ascii=False)
