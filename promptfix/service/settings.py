"""What can be chosen about the service: arguments, PROMPTFIX_SERVICE_ variables, the defaults."""

import ipaddress
import os
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from promptfix.errors import SettingsError
from promptfix.records import Mode

PREFIX = "PROMPTFIX_SERVICE_"

KeyDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""The sha256 of an API key, in hex. Keys themselves are never stored."""


class ServiceSettings(BaseSettings):
    """Where the service listens, whom it answers and how much it takes on."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    """An address that is not this machine's own needs `keys`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free one."""
    keys: frozenset[KeyDigest] = frozenset()
    """Who may ask; none: anybody who reaches the loopback address."""
    mode: Mode = "repair"
    """What is done where a request does not say."""
    max_tokens: int = Field(default=512, ge=1)
    """The longest answer, in tokens; also that of requests that do not say."""
    max_body: int = Field(default=1_000_000, ge=1)
    """The largest request, in bytes."""
    waiting: int = Field(default=32, ge=0)
    """How many requests may wait while one is being answered."""

    @classmethod
    def read(cls, **chosen: Any) -> Self:
        """Gather the settings. Raises SettingsError with one line for all faults."""
        known = {PREFIX + name.upper() for name in cls.model_fields}
        own = {name for name in os.environ if name.startswith(PREFIX)}
        if unknown := sorted(own - known):
            listed = ", ".join(sorted(known))
            raise SettingsError(f"no setting is called {', '.join(unknown)}; there are {listed}")
        try:
            return cls(**chosen)
        except ValidationError as error:
            raise SettingsError("; ".join(map(_fault, error.errors()))) from None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not self.keys and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} can be reached from other machines; "
                f"name the sha256 of at least one API key in {PREFIX}KEYS, as "
                '["hex"], or listen on 127.0.0.1'
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. Names but `localhost` are not trusted."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fault(fault: ErrorDetails) -> str:
    where = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
