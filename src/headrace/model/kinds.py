"""What a deployment is made of: a model's hooks, any class or function, or an application."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from headrace.model.api import Model
from headrace.model.apps import is_app

Kind = Literal["model", "plain", "ingress", "job"]
"""A `Model`; a class or function that takes a request or is called through handles; a class with
an ASGI application in front, or such an application alone; functions that run as jobs."""
INGRESS = "__headrace_ingress__"
"""Where `hr.ingress` notes the application on a class."""


def kind_of(target: Callable[..., Any]) -> Kind:
    """Tell what a class or function is."""
    if isinstance(target, type) and issubclass(target, Model):
        return "model"
    return "ingress" if hasattr(target, INGRESS) or is_app(target) else "plain"


def waits(target: Callable[..., Any]) -> bool:
    """Tell whether a function, or any public method of a class, is `async def`."""
    if not isinstance(target, type):
        return _is_async(target)
    names = [name for name in dir(target) if not name.startswith("_") or name == "__call__"]
    return any(_is_async(inspect.getattr_static(target, name)) for name in names)


def _is_async(found: object) -> bool:
    function = getattr(found, "__func__", found)  # of a static or class method
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def usual_slots(kind: Kind, layout: str) -> int:
    """Return how many requests a replica of a plain class or an application takes at once."""
    return _USUAL_SLOTS[kind, layout]


_USUAL_SLOTS = {
    ("plain", "sync"): 1,
    ("plain", "async"): 16,
    ("ingress", "sync"): 100,
    ("ingress", "async"): 100,
    ("job", "sync"): 1,
    ("job", "async"): 16,
}
