"""What is wrong with a model class as a whole, told before anything runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.arguments import refuse_constructor
from headrace.model.deployment import Options
from headrace.model.mistakes import mistake
from headrace.model.names import is_slip

HOOKS = (
    "setup",
    "decode_request",
    "predict",
    "predict_batch",
    "encode_response",
    "health",
    "teardown",
)
_MIXED_UP = {"encode_request": "decode_request", "decode_response": "encode_response"}
_BATCH_OPTIONS = ("max_batch_size", "batch_wait_s")


def has(cls: type, hook: str) -> bool:
    """Tell whether a class has a hook; one set to None is none: so an inherited one is dropped."""
    return getattr(cls, hook, None) is not None


def check_class(cls: type, options: Options) -> None:
    """Raise ConfigError for the first mistake in a class."""
    _check_kind(cls)
    for hook in HOOKS:
        if has(cls, hook):
            _check_hook(cls, hook)
    _check_names(cls)
    _check_work(cls, options)
    refuse_constructor(cls)


def _check_kind(cls: type) -> None:
    if not isinstance(cls, type):
        raise ConfigError(f"{cls!r} is not a class: give the model class itself, not an object")
    if not issubclass(cls, Model):
        raise ConfigError(
            f"class {cls.__qualname__} is no model: write `class {cls.__name__}(hr.Model)`"
        )
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise ConfigError(f"class {cls.__qualname__} is abstract: it leaves open {missing}")


def _check_hook(cls: type, hook: str) -> None:
    found = getattr(cls, hook)
    if isinstance(inspect.getattr_static(cls, hook), property):
        raise mistake(cls, hook, "is a property", "make it a method")
    if not callable(found):
        raise mistake(cls, hook, f"is a {type(found).__name__}", "hooks are methods: `def` it")
    if _streams(found):
        raise mistake(
            cls,
            hook,
            "is a generator, and streams are not in this version yet",
            "return the whole result",
        )


def _streams(function: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _check_names(cls: type) -> None:
    """Look for a hook one letter off, which would never be called."""
    ours = {name for base in cls.__mro__ if issubclass(base, Model) for name in vars(base)}
    for name in sorted(ours):
        helper = name.startswith("_") or not inspect.isroutine(inspect.getattr_static(cls, name))
        if name in HOOKS or helper:
            continue
        for hook in HOOKS:
            if not has(cls, hook) and (is_slip(name.lower(), hook) or _MIXED_UP.get(name) == hook):
                raise mistake(
                    cls,
                    name,
                    f"is no hook; did you mean `{hook}`?",
                    "rename it (if it is a helper, an underscore before its name says so)",
                )


def _check_work(cls: type, options: Options) -> None:
    """Look at what `predict` and `predict_batch` are to one another."""
    if not has(cls, "predict_batch"):
        if not has(cls, "predict"):
            raise ConfigError(
                f"class {cls.__qualname__} has no `predict`: define `def predict(self, ...)`, or "
                "`def predict_batch(self, inputs)` for many requests at once"
            )
        for option in _BATCH_OPTIONS:
            if option in options.given:
                raise ConfigError(
                    f"class {cls.__qualname__} sets `{option}` and has no `predict_batch`: "
                    "defining `def predict_batch(self, inputs)` is what turns batching on"
                )
    elif has(cls, "predict") and _nearer(cls, "predict", "predict_batch"):
        raise mistake(
            cls,
            "predict",
            "would never be called, for an inherited `predict_batch` serves the requests",
            "override `predict_batch`, or set `predict_batch = None` to turn batching off",
        )


def _nearer(cls: type, one: str, other: str) -> bool:
    """Tell whether `one` is defined by a nearer base than `other`."""
    for base in cls.__mro__:
        if other in vars(base):
            return False
        if one in vars(base):
            return True
    return False
