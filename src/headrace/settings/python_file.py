"""Run a Python configuration file, and tell what it says of settings. Only a child does this."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec

from headrace.errors import ConfigError
from headrace.settings.gunicorn import concerns


class Named(msgspec.Struct, frozen=True):
    """A name that the file gives a value, which is one of data, or a function, or neither."""

    name: str
    line: int
    value: Any = None
    is_function: bool = False
    shown: str = ""
    """How the value looks, if it is neither."""


def run_file(path: str) -> list[Named]:
    """Run the file; return its names that are settings, or may be meant for one.

    Raises ConfigError for a file that is not there, is no Python, or raises.
    """
    code, lines = _compiled(path)
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    namespace: dict[str, Any] = {"__name__": "__config__", "__file__": os.path.abspath(path)}  # noqa: PTH100 - text
    try:
        exec(code, namespace)  # noqa: S102 - the file is code, and its owner's
    except (Exception, SystemExit) as error:
        words = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{_place(path, error)}: {words}") from error
    return [
        _named(name, lines[name], value)
        for name, value in namespace.items()
        if name in lines and concerns(name)
    ]


def _compiled(path: str) -> tuple[CodeType, dict[str, int]]:
    try:
        tree = ast.parse(Path(path).read_bytes(), path)
        return compile(tree, path, "exec"), dict(_assigned(tree.body))
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Find what the file gives a name on purpose: no import, no variable of a loop."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                yield name, statement.lineno
            case ast.Assign(targets):
                yield from ((name, statement.lineno) for each in targets for name in _names(each))
            case ast.AnnAssign(target) | ast.AugAssign(target):
                yield from ((name, statement.lineno) for name in _names(target))
            case _:
                for part in ("body", "orelse", "finalbody", "handlers"):
                    inner = getattr(statement, part, None)
                    if isinstance(inner, list) and not isinstance(statement, ast.ClassDef):
                        yield from _assigned(inner)


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


def _named(name: str, line: int, value: Any) -> Named:
    if callable(value):
        return Named(name, line, is_function=True, shown=repr(value))
    try:
        return Named(name, line, msgspec.msgpack.decode(msgspec.msgpack.encode(value)))
    except (TypeError, ValueError, OverflowError):
        return Named(name, line, shown=repr(value))


def _place(path: str, error: BaseException) -> str:
    """Return the last line of the file itself that the error came through."""
    place, trace = path, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            place = f"{path}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
