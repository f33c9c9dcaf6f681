"""What the settings of keys, TLS and middleware may be, as far as no file is read for it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headrace.errors import ConfigError
from headrace.model.deployment import several
from headrace.model.ranges import keys

Middleware = Sequence[tuple[Callable[..., Any], Mapping[str, Any]]]
_origin = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#,*A-Z]+").fullmatch


def named_keys(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return `api_keys` as a tuple. Raises ConfigError, which shows none of them."""
    if value is None:
        return None
    if wish := keys(value):
        raise ConfigError(f"setting `api_keys` must be {wish}, or None")
    return several(value)


def path_of(name: str, value: object) -> str | None:
    """Return the path of a file as text. Raises ConfigError."""
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"setting `{name}` must be the path of a file, not {value!r}")
    return os.fspath(value)


def check_secret(name: str, value: object) -> None:
    """Raise ConfigError if it is no text; show nothing of it."""
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"setting `{name}` must be text, or `env:NAME`")


def check_origins(origins: Iterable[object]) -> None:
    """Raise ConfigError if these are no origins as browsers send them."""
    if isinstance(origins, str) or not all(
        isinstance(origin, str) and _origin(origin) for origin in origins
    ):
        raise ConfigError(
            "setting `cors_origins` must be a list of origins such as https://shop.example "
            f'(scheme and host, no path, in small letters) or "*", not {origins!r}'
        )


def check_middleware(middleware: Iterable[object]) -> None:
    """Raise ConfigError if these are no pairs of a class and its keywords."""
    for one in middleware:
        match one:
            case (make, Mapping()) if callable(make):
                continue
            case _:
                raise ConfigError(
                    "setting `middleware` must be a list of pairs, a class with its keywords: "
                    "[(Middleware, {})]"
                )
