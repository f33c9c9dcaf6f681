"""The settings of a server, each with its default."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypedDict

from headrace.errors import ConfigError
from headrace.model.names import did_you_mean

LEVELS = ("debug", "info", "warning", "error", "critical")
HIGHEST_PORT = 65535


class SettingWords(TypedDict, total=False):
    """The settings as keywords, for type checkers; Settings says what they mean."""

    host: str
    port: int
    log_level: str
    graceful_timeout_s: float
    keep_alive_timeout_s: float
    max_body_bytes: int
    debug: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the server is to run. Seconds end in `_s`, bytes in `_bytes`."""

    host: str = "127.0.0.1"
    """The address to listen on; `0.0.0.0` opens the server to the network."""
    port: int = 8000
    """The port to listen on; 0 takes a free one."""
    log_level: str = "info"
    """What is worth a line: debug, info, warning, error, critical."""
    graceful_timeout_s: float = 30.0
    """How long a stop waits for requests under way."""
    keep_alive_timeout_s: float = 75.0
    """How long a silent connection is kept."""
    max_body_bytes: int = 64 << 20
    """The longest request body, where a deployment sets no other."""
    debug: bool = False
    """One inline replica each, no deadlines, tracebacks in answers; for this machine only."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= HIGHEST_PORT:
            raise ConfigError(f"setting `port` must be 0 to {HIGHEST_PORT}, not {self.port}")
        if self.log_level not in LEVELS:
            raise ConfigError(
                f"setting `log_level` must be one of {', '.join(LEVELS)}, not {self.log_level!r}"
            )
        for name in ("graceful_timeout_s", "keep_alive_timeout_s", "max_body_bytes"):
            if getattr(self, name) < 0:
                raise ConfigError(f"setting `{name}` must not be negative")
        if self.debug and not _is_loopback(self.host):
            raise ConfigError(
                f"setting `debug` shows the program's inside, so it is for this machine only: "
                f"host must be 127.0.0.1, not {self.host}"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


NAMES = tuple(setting.name for setting in fields(Settings))


def settle(*layers: Mapping[str, object]) -> Settings:
    """Return the settings of these layers, the later ones winning. Raises ConfigError.

    `$PORT` set means that a platform runs us: 0.0.0.0 on that port, unless a layer says otherwise.
    """
    chosen: dict[str, object] = {}
    if port := os.environ.get("PORT"):
        if not port.isdigit():
            raise ConfigError(f"the environment's PORT must be a number, not {port!r}")
        chosen |= {"host": "0.0.0.0", "port": int(port)}  # noqa: S104 - what $PORT asks for
    for layer in layers:
        for name in layer:
            if name not in NAMES:
                hint = did_you_mean(name, NAMES) or f"; there are: {', '.join(NAMES)}"
                raise ConfigError(f"there is no setting `{name}`{hint}")
        chosen |= layer
    try:
        return replace(Settings(), **chosen)  # type: ignore[arg-type] # checked right here
    except TypeError as error:
        raise ConfigError(f"a setting has the wrong type: {error}") from error
