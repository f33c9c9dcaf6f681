"""The settings of a server, each with its default."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypedDict

from headrace.errors import ConfigError
from headrace.host.checks import (
    Middleware,
    check_middleware,
    check_origins,
    check_secret,
    named_keys,
    path_of,
)
from headrace.host.limits import DEFAULTS, Limits
from headrace.model.names import did_you_mean

LEVELS = ("debug", "info", "warning", "error", "critical")
HIGHEST_PORT = 65535
PATHS = ("tls_certfile", "tls_keyfile", "tls_ca_certs")
LEAST: Mapping[str, float] = {
    "graceful_timeout_s": 0,
    "keep_alive_timeout_s": 0,
    "max_body_bytes": 0,
    "max_connections": 1,
    "header_timeout_s": 0.1,
    "body_idle_timeout_s": 0.1,
    "min_body_bytes_per_s": 0,
    "write_timeout_s": 0.1,
    "max_header_bytes": 256,
    "max_headers": 8,
    "max_url_bytes": 64,
}
"""Below these no client could be served."""


class SettingWords(TypedDict, total=False):
    """The settings as keywords, for type checkers; Settings says what they mean."""

    host: str
    port: int
    log_level: str
    graceful_timeout_s: float
    keep_alive_timeout_s: float
    max_body_bytes: int
    max_connections: int
    header_timeout_s: float
    body_idle_timeout_s: float
    min_body_bytes_per_s: int
    write_timeout_s: float
    max_header_bytes: int
    max_headers: int
    max_url_bytes: int
    debug: bool
    api_keys: str | Sequence[str] | None
    cors_origins: Sequence[str]
    gzip: bool
    middleware: Middleware
    tls_certfile: str | os.PathLike[str] | None
    tls_keyfile: str | os.PathLike[str] | None
    tls_keyfile_password: str | None
    tls_ca_certs: str | os.PathLike[str] | None


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
    max_connections: int = DEFAULTS.max_connections
    """How many clients at once; less, if the process may not open as many files."""
    header_timeout_s: float = DEFAULTS.header_timeout_s
    """How long a request's headers may take, from their first byte."""
    body_idle_timeout_s: float = DEFAULTS.body_idle_timeout_s
    """How long a client may pause in the middle of a body; a small body's whole time."""
    min_body_bytes_per_s: int = DEFAULTS.min_body_bytes_per_s
    """The slowest that a body may come, on average after its first 10 s; 0 for any."""
    write_timeout_s: float = DEFAULTS.write_timeout_s
    """How long a client may take nothing of its response."""
    max_header_bytes: int = DEFAULTS.max_header_bytes
    """The longest headers of a request, in all."""
    max_headers: int = DEFAULTS.max_headers
    """How many headers a request may have."""
    max_url_bytes: int = DEFAULTS.max_url_bytes
    """The longest URL."""
    debug: bool = False
    """One inline replica each, no deadlines, tracebacks in answers; for this machine only."""
    api_keys: str | Sequence[str] | None = field(default=None, repr=False)
    """Who may ask, where a deployment does not say: keys, `env:NAME` or `file:/path`."""
    cors_origins: Sequence[str] = ()
    """Whose pages may ask from a browser: `https://host[:port]`, or `*` for any."""
    gzip: bool = False
    """Whether answers of over 1 KB are compressed, where the client takes that."""
    middleware: Middleware = field(default=(), repr=False)
    """ASGI middleware around every endpoint: a class with its keywords each, outermost first."""
    tls_certfile: str | None = None
    """The certificate with its chain, in a PEM file; the server then speaks https."""
    tls_keyfile: str | None = None
    """The certificate's key in a PEM file, where it is not in `tls_certfile`."""
    tls_keyfile_password: str | None = field(default=None, repr=False)
    """What opens an encrypted key, as `env:NAME`."""
    tls_ca_certs: str | None = None
    """Who vouches for clients, in a PEM file; each must then show a certificate."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= HIGHEST_PORT:
            raise ConfigError(f"setting `port` must be 0 to {HIGHEST_PORT}, not {self.port}")
        if self.log_level not in LEVELS:
            raise ConfigError(
                f"setting `log_level` must be one of {', '.join(LEVELS)}, not {self.log_level!r}"
            )
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                wish = "must not be negative" if least == 0 else f"must be {least:g} or more"
                raise ConfigError(f"setting `{name}` {wish}")
        if self.debug and not _is_loopback(self.host):
            raise ConfigError(
                f"setting `debug` shows the program's inside, so it is for this machine only: "
                f"host must be 127.0.0.1, not {self.host}"
            )
        if not isinstance(self.gzip, bool):
            raise ConfigError(f"setting `gzip` must be True or False, not {self.gzip!r}")
        check_origins(self.cors_origins)
        check_middleware(self.middleware)
        check_secret("tls_keyfile_password", self.tls_keyfile_password)
        object.__setattr__(self, "api_keys", named_keys(self.api_keys))
        for name in PATHS:
            object.__setattr__(self, name, path_of(name, getattr(self, name)))

    @property
    def scheme(self) -> str:
        """How its URLs begin."""
        return "http" if self.tls_certfile is None else "https"

    def limits(self) -> Limits:
        """Return what concerns the front."""
        return Limits(**{limit.name: getattr(self, limit.name) for limit in fields(Limits)})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


NAMES = tuple(setting.name for setting in fields(Settings))


def _keys_of_the_environment() -> list[str]:
    """Return where the environment says that keys are; a variable that is empty says so too."""
    found = ["env:HEADRACE_API_KEYS"] if "HEADRACE_API_KEYS" in os.environ else []
    if (path := os.environ.get("HEADRACE_API_KEYS_FILE")) is not None:
        found.append(f"file:{path}")
    return found


def settle(*layers: Mapping[str, object]) -> Settings:
    """Return the settings of these layers, the later ones winning. Raises ConfigError.

    `$PORT` set means that a platform runs us: 0.0.0.0 on that port, unless a layer says otherwise.
    `$HEADRACE_API_KEYS` holds keys, `$HEADRACE_API_KEYS_FILE` names a file of them, likewise.
    """
    chosen: dict[str, object] = {}
    if port := os.environ.get("PORT"):
        if not port.isdigit():
            raise ConfigError(f"the environment's PORT must be a number, not {port!r}")
        chosen |= {"host": "0.0.0.0", "port": int(port)}  # noqa: S104 - what $PORT asks for
    if named := _keys_of_the_environment():
        chosen["api_keys"] = named
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
