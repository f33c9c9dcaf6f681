"""ASGI applications that stand by themselves: what is one, and where another process finds it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

ASGI_ARGUMENTS, WSGI_ARGUMENTS = 3, 2


def is_app(found: Any) -> TypeGuard[Callable[..., Any]]:
    """Tell whether it is called with scope, receive and send: an object, or a function."""
    if isinstance(found, type) or not callable(found) or not _takes(found, ASGI_ARGUMENTS):
        return False
    return _is_async(found) or not _takes(found, WSGI_ARGUMENTS)


def place_of(app: Any) -> tuple[ModuleType, str] | None:
    """Return the module that has an application, and its name there; None if none has it."""
    return next(_places(app), None)


def _places(app: Any) -> Iterator[tuple[ModuleType, str]]:
    if isinstance(app, FunctionType):
        return
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is app and not name.startswith("_"):
                yield module, name


def _is_async(found: Any) -> bool:
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(
        getattr(found, "__call__", None)  # noqa: B004 - the method itself is looked at
    )


def _takes(found: Any, number: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * number)
    except (TypeError, ValueError):  # another number; or C code, which does not tell
        return False
    return True
