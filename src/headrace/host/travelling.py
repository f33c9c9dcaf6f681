"""Settings on their way from the describing child: plain data, code by where it stands.

Middleware and `on_shutdown` run in the server by nature, so here alone the server imports what a
user wrote.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

import msgspec

from headrace.errors import ConfigError, TargetError
from headrace.model.recording import recording
from headrace.model.source import Source, fetch, import_file, source_of


def packed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as data. Raises ConfigError for what is none."""
    told = {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in settings.items()
    }
    if told.get("middleware"):
        told["middleware"] = [_packed_pair(one) for one in told["middleware"]]
    if callable(told.get("on_shutdown")):
        told["on_shutdown"] = _packed_function(told["on_shutdown"])
    for name, value in told.items():
        if not _is_data(value):
            raise ConfigError(f"setting `{name}` is no plain data, and cannot reach the server")
    return told


def _packed_pair(one: Any) -> Any:
    """Return a class with its keywords as data; what is no such pair goes as it is, to be told."""
    match one:
        case (type() as cls, Mapping() as words):
            if not _is_data(words):
                raise ConfigError(
                    f"middleware {cls.__name__}: under `headrace serve` its keywords must be plain "
                    "data (text, numbers, lists, mappings); let the class make the rest of them"
                )
            return [source_of(cls), words]
        case _:
            return None


def _packed_function(function: Any) -> Source:
    source = source_of(function) if hasattr(function, "__qualname__") else None
    if source is None or source.pickled:
        raise ConfigError(
            "setting `on_shutdown` must be a function of a module under `headrace serve`, no "
            "lambda, no method and no function within another: the server imports it by its name"
        )
    return source


def _is_data(value: Any) -> bool:
    try:
        msgspec.msgpack.encode(value)
    except TypeError:
        return False
    return True


def unpacked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as code would have given them. Raises TargetError."""
    told = dict(settings)
    if told.get("middleware"):
        told["middleware"] = [one and (_fetched(one[0]), one[1]) for one in told["middleware"]]
    if told.get("on_shutdown"):
        told["on_shutdown"] = _fetched_function(told["on_shutdown"])
    return told


def _fetched_function(packed_source: Any) -> Any:
    source = msgspec.convert(packed_source, Source)
    sys.path[:] = [*source.sys_path, *(path for path in sys.path if path not in source.sys_path)]
    try:
        with recording():  # a script may call run() at its end: here it is only imported
            found = import_file(source.path) if source.path else import_module(source.module)
        return attrgetter(source.qualname)(found)
    except Exception as error:
        raise TargetError(
            f"importing on_shutdown {source.qualname} failed: {type(error).__name__}: {error}"
        ) from error


def _fetched(packed_source: Any) -> type:
    source = msgspec.convert(packed_source, Source)
    try:
        found: type = fetch(source)
    except Exception as error:
        raise TargetError(
            f"importing middleware {source.qualname} failed: {type(error).__name__}: {error}"
        ) from error
    return found
