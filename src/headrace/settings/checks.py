"""What single settings may be beyond their kind and bounds, as far as no file is read for it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from headrace.core.cron import parse
from headrace.errors import ConfigError
from headrace.model.deployment import several
from headrace.model.ranges import keys

Middleware = Sequence[tuple[Callable[..., Any], Mapping[str, Any]]]
Check = Callable[[Any], str | None]
"""Says what is wanted if the value is not it."""

PATHS = (
    *("tls_certfile", "tls_keyfile", "tls_ca_certs"),
    *("pidfile", "chdir", "access_log", "error_log", "audit_log", "jobs_file"),
)
_origin = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#,*A-Z]+").fullmatch
_address = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/\[\]]*):(\d{1,5})").fullmatch
_PORTS = range(65536)


def address_parts(text: str) -> tuple[str, int] | None:
    """Return host and port of `host:port`, or None if it is none; no host means every address."""
    match = _address(text)
    if match is None or int(match[2]) not in _PORTS:
        return None
    return match[1].strip("[]") or "0.0.0.0", int(match[2])  # noqa: S104 - what `:8000` asks for


def bind_wish(text: str) -> str | None:
    """Say what a bind must be, and the mend where it can be guessed; None if it is one."""
    scheme, _, rest = text.partition(":")
    if (scheme == "unix" and rest.removeprefix("//")) or re.fullmatch(r"fd://\d+", text):
        return None
    if address_parts(text) is not None:
        return None
    wish = "host:port, unix:/path or fd://N"
    glued = re.fullmatch(r"(127\.0\.0\.1|\d+\.\d+\.\d+\.0)(\d{2,5})|(localhost)(\d{2,5})", text)
    if glued:
        host, port = glued[1] or glued[3], glued[2] or glued[4]
        return f"{wish} (is the colon before the port missing? {host}:{port})"
    try:
        bracketed = f"[{text}]" if ip_address(text).version == 6 else text  # noqa: PLR2004 - IPv6
    except ValueError:
        return wish
    return f"{wish} (the port is missing: {bracketed}:8000)"


def _binds(value: Iterable[str]) -> str | None:
    wishes = [wish for one in value if (wish := bind_wish(one))]
    return wishes[0] if wishes else None


def _networks(value: Iterable[str], *, any_one: bool) -> str | None:
    for one in value:
        if one == "unix" or (any_one and one == "*"):
            continue
        try:
            ip_network(one)
        except ValueError:
            whole = ", or *" if any_one else ""
            return f"a list of addresses and networks such as 10.0.0.0/8{whole}"
    return None


def _cron(value: str) -> str | None:
    try:
        parse(value)
    except ValueError as error:
        return f'cron text (minute hour day month weekday) such as "0 4 * * *" ({error})'
    return None


def _root_path(value: str) -> str | None:
    fits = not value or (value.startswith("/") and not value.endswith("/"))
    return None if fits else "a path that begins with `/` and does not end with one"


def _path_of_ours(value: str) -> str | None:
    fits = re.fullmatch(r"/[^\s?#]+", value)
    return None if fits else "a path that begins with `/`, without spaces, `?` and `#`"


def _page_of_ours(value: str) -> str | None:
    fits = re.fullmatch(r"(/[^\s?#/]+)+", value)
    return None if fits else "a path such as /jobs, without a `/` at its end, spaces, `?` and `#`"


def _origins(origins: Iterable[str]) -> str | None:
    if all(map(_origin, origins)):
        return None
    return (
        "a list of origins such as https://shop.example "
        '(scheme and host, no path, in small letters) or "*"'
    )


def _middleware(middleware: Any) -> str | None:
    wish = "a list of pairs, a class with its keywords: [(Middleware, {})]"
    if isinstance(middleware, str) or not isinstance(middleware, Iterable):
        return wish
    for one in middleware:
        match one:
            case (make, Mapping()) if callable(make):
                continue
            case _:
                return wish
    return None


def _api_keys(value: Any) -> str | None:
    return keys(value)


def _callable(value: Any) -> str | None:
    return None if callable(value) else "a function that takes the report of a stop"


CHECKS: Mapping[str, Check] = {
    "bind": _binds,
    "trusted_proxies": lambda value: _networks(value, any_one=True),
    "shutdown_allow": lambda value: _networks(value, any_one=False),
    "shutdown_path": _path_of_ours,
    "jobs_path": _page_of_ours,
    "root_path": _root_path,
    "reload_at": _cron,
    "cors_origins": _origins,
    "middleware": _middleware,
    "api_keys": _api_keys,
    "on_shutdown": _callable,
}
"""What None is not asked of: a setting that may be None passes with it."""


def normal(name: str, value: Any) -> Any:
    """Return a value in the one form that the server knows. Raises ConfigError."""
    if name in PATHS:
        return path_of(name, value)
    if name == "bind" and isinstance(value, str):
        return (value,)
    if name == "api_keys" and value is not None and keys(value) is None:
        return several(value)
    if name in {"user", "group"} and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return tuple(value) if isinstance(value, list) and name != "middleware" else value


def path_of(name: str, value: object) -> str | None:
    """Return the path of a file as text. Raises ConfigError."""
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"setting `{name}` must be the path of a file, not {value!r}")
    return os.fspath(value)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_open(bind: str) -> bool:
    """Tell whether others than this machine reach this bind; a descriptor may be anything."""
    parts = address_parts(bind)
    return bind.startswith("fd:") if parts is None else not is_loopback(parts[0])
