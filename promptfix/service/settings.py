"""What can be chosen about the service.

Arguments, then PROMPTFIX_SERVICE_ variables, then the table `service` of the TOML file, then the
defaults.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AnyHttpUrl,
    Field,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from promptfix.errors import SettingsError
from promptfix.records import Mode
from promptfix.settings import SERVICE, from_file, gathered

PREFIX = "PROMPTFIX_SERVICE_"
NONE = "none"
"""Says in the environment, a file or an argument that there is to be none."""

KeyDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""The sha256 of an API key, in hex. Keys themselves are never stored."""
Seconds = Annotated[float, Field(gt=0)]


def _state() -> Path:
    """Where programs of this user keep what they may lose."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "promptfix" / "traces.sqlite"


class ServiceSettings(BaseSettings):
    """Where the service listens, who answers, what it takes on and what it keeps."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_parse_none_str=NONE,
    )

    host: str = "127.0.0.1"
    """An address that is not this machine's own needs `keys`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free one."""
    keys: frozenset[KeyDigest] = frozenset()
    """Who may ask; none: anybody who reaches the loopback address."""
    operators: frozenset[KeyDigest] = frozenset()
    """Who may also see figures and traces and switch detectors; none: all who may ask."""

    mode: Mode | None = None
    """What is done where a request does not say; None is `repair`, or `detect` upstream."""
    canary: float | None = Field(default=None, ge=0, le=100)
    """Of how many percent of the requests that do not say the prompt is repaired; those of the
    others are read only. Decided by a hash of the prompt."""
    allow_override: bool = True
    """Whether a request may choose another mode."""
    reading_seconds: Seconds = 2.0
    """How long reading may take before the prompt goes on unread."""

    upstream: AnyHttpUrl | None = None
    """The OpenAI-compatible server that answers, up to its /v1; None: the loaded model does."""
    upstream_key: SecretStr | None = None
    """Sent upstream as `Authorization: Bearer`."""
    forward_authorization: bool = False
    """Send the client's own Authorization header upstream instead."""
    upstream_seconds: Seconds = 600.0
    """How long the upstream may be silent."""
    upstream_connect_seconds: Seconds = 5.0
    upstream_retries: int = Field(default=2, ge=0, le=10)
    """How often a connection is tried again; a request that was sent never is."""

    max_body: int = Field(default=20_000_000, ge=1)
    """The largest request, in bytes; images come within requests."""
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    """The longest prompt that is read; longer ones go on unread upstream, and are refused here."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest answer; None is 512 where the loaded model answers, and no limit upstream."""
    max_n: int = Field(default=16, ge=1)
    """How many answers a request may ask for: `n` to each of its prompts."""
    running: int = Field(default=256, ge=1)
    """How many requests may be upstream at once. The loaded model takes `at_once` of the pipeline's
    settings, 16 unless they say otherwise."""
    waiting: int = Field(default=256, ge=0)
    """How many requests may wait for their turn."""
    keep_alive_seconds: Seconds = 15.0
    """After how long a silent stream gets a comment, so that nobody hangs up."""

    traces: Path | None = Field(default_factory=_state)
    """The SQLite file that traces are kept in; None, in words `none`, keeps none."""
    traces_days: float = Field(default=30.0, gt=0)
    traces_bytes: int = Field(default=200_000_000, ge=100_000)
    """How old and how large the traces may become."""
    content: bool = False
    """Whether traces are kept with their texts."""
    log_content: bool = False
    """Whether the log says what was asked and answered."""

    @classmethod
    def read(cls, config: Path | None = None, **chosen: Any) -> Self:
        """Gather the settings. Raises SettingsError with one line for all faults."""
        known = {PREFIX + name.upper() for name in cls.model_fields}
        own = {name for name in os.environ if name.startswith(PREFIX)}
        if unknown := sorted(own - known):
            listed = ", ".join(sorted(known))
            raise SettingsError(f"no setting is called {', '.join(unknown)}; there are {listed}")
        found = from_file(config, SERVICE, set(cls.model_fields), PREFIX)
        return gathered(cls, found | chosen)

    @field_validator("*", mode="before")
    @classmethod
    def _none(cls, given: object) -> object:
        """TOML knows no null, and leaving it out is the default."""
        return None if given == NONE else given

    @field_validator("upstream")
    @classmethod
    def _plain(cls, upstream: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if upstream and (upstream.query is not None or upstream.fragment is not None):
            raise ValueError("paths are put behind it; give it up to its /v1, without ? or #")
        return upstream

    @field_serializer("upstream", when_used="json")
    def _masked(self, upstream: AnyHttpUrl | None) -> str | None:
        return re.sub("//[^/@]*@", "//**********@", str(upstream)) if upstream else None

    @field_serializer("traces", when_used="json")
    def _said(self, traces: Path | None) -> str:
        return str(traces or NONE)

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not self.keys and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached from other machines; "
                f"name the sha256 of at least one API key in {PREFIX}KEYS, as "
                '["hex"], or listen on 127.0.0.1'
            )
        if self.operators and not self.keys:
            raise ValueError("operators without keys guard nothing; set keys too")
        if self.canary is not None and self.mode is not None:
            raise ValueError("mode and canary both say what is done; set one of them")
        if self.upstream_key is not None and self.forward_authorization:
            raise ValueError("upstream_key and forward_authorization both name a key; set one")
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. Names but `localhost` are not trusted."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
