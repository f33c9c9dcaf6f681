"""Hooks that serve no request: `health`, asked from time to time, and `reconfigure`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from headrace.errors import ConfigError
from headrace.model.deployment import Options

HEALTH, RECONFIGURE = "health", "reconfigure"
_FREE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def tells_health(target: Callable[..., Any]) -> bool:
    """Tell whether a class has a `health` that can be asked: one that needs nothing to answer."""
    return _needs(target, HEALTH) == 0


def takes_config(target: Callable[..., Any], options: Options) -> bool:
    """Tell whether a class can be told a new `user_config`.

    Raises ConfigError where there is one and nobody to hear it.
    """
    needs = _needs(target, RECONFIGURE)
    if options.user_config is not None and needs != 1:
        raise ConfigError(_mend(target, needs))
    return needs == 1


def configure(thing: Any, config: Any) -> Awaitable[None] | None:
    """Give a `user_config` to what is served, if there is one; what it raises passes."""
    result = None if config is None else thing.reconfigure(config)
    return result if isinstance(result, Awaitable) else None


def _mend(target: Callable[..., Any], needs: int | None) -> str:
    name = getattr(target, "__qualname__", repr(target))
    if not isinstance(target, type):
        return f"{name} has a `user_config` and is a function: a class has `reconfigure` to take it"
    if needs is None:
        why = f"class {name} has a `user_config` and no `reconfigure` to take it"
    else:
        why = f"{name}.reconfigure takes {needs or 'no'} values, and gets one: the `user_config`"
    return f"{why}: write `def reconfigure(self, config)`"


def _needs(target: Callable[..., Any], hook: str) -> int | None:
    """Return how many values a method must be given; None if there is no such method."""
    found = inspect.getattr_static(target, hook, None) if isinstance(target, type) else None
    if found is None or not callable(getattr(target, hook)):
        return None
    taken = list(inspect.signature(getattr(target, hook)).parameters.values())
    if not isinstance(found, staticmethod | classmethod):
        taken = taken[1:]  # self
    needed = [each for each in taken if each.default is each.empty and each.kind not in _FREE]
    if hook == RECONFIGURE and not needed and taken:
        return 1  # it has a default, and takes what it gets
    return len(needed)
