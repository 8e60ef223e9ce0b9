"""Settings: arguments, then PROMPTFIX_ variables, then a TOML file, then the defaults.

Frozen. A key or variable that promptfix does not know is an error, so that a misspelt one is
never silently without effect.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from promptfix.errors import SettingsError
from promptfix.formats import Status
from promptfix.pipeline import Policy
from promptfix.rewriting import Uncleared

PREFIX = "PROMPTFIX_"
CONFIG = "PROMPTFIX_CONFIG"
"""Names the TOML file."""
ELSEWHERE = frozenset({CONFIG, "PROMPTFIX_DATA"})
"""Variables that are not settings of the pipeline; `PROMPTFIX_SERVICE_...` neither."""


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
    uncleared: Uncleared = "keep"
    """What becomes of an edit whose finding did not clear."""
    on_failure: Literal["pass-through", "error"] = "pass-through"
    """What to do when the microscope fails."""
    on_too_long: Literal["pass-through", "error"] = "error"
    """What to do with a prompt that does not fit the microscope."""

    @classmethod
    def read(cls, **chosen: Any) -> Self:
        """Gather the settings. Raises SettingsError with one line for each fault."""
        _refuse_unknown(os.environ, set(cls.model_fields))
        try:
            from_file = _from_file(os.environ.get(CONFIG), set(cls.model_fields))
            return cls(**(from_file | chosen))
        except ValidationError as error:
            faults = [f"{_name(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
            raise SettingsError("; ".join(faults)) from None

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


def _from_file(path: str | None, known: set[str]) -> dict[str, Any]:
    """What a TOML file says, without what the environment says otherwise."""
    if path is None:
        return {}
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{CONFIG} names {path}, which cannot be read: {error}") from error
    if unknown := sorted(set(content) - known):
        raise SettingsError(f"{path}: no setting is called {', '.join(unknown)}")
    return {name: v for name, v in content.items() if PREFIX + name.upper() not in os.environ}


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location) or "settings"
