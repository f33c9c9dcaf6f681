"""What is wrong with a model class as a whole, told before anything runs."""

from __future__ import annotations

import inspect
from typing import Literal

from headrace.errors import ConfigError
from headrace.model.api import Model
from headrace.model.batch_shape import NOTE
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
STEPPING = ("admit", "step", "leave")
"""Hooks where the first two are there together; else a class may use these names as it likes."""
GENERATORS = ("predict", "predict_batch")
_MIXED_UP = {"encode_request": "decode_request", "decode_response": "encode_response"}
_BATCH_OPTIONS = ("max_batch_size", "batch_wait_s", "batch_latency_target_s")


Streams = Literal["", "each", "batch", "steps"]
"""How a model's answers come in parts: not at all, each from a generator of its own, those of a
call from one, or those of all requests from the steps of the model."""


def has(cls: type, hook: str) -> bool:
    """Tell whether a class has a hook; one set to None is none: so an inherited one is dropped."""
    return getattr(cls, hook, None) is not None


def streams_of(cls: type) -> Streams:
    """Tell how a class streams: `admit` with `step`, or a generator that serves."""
    if has(cls, "admit") and has(cls, "step"):
        return "steps"
    if has(cls, "predict_batch"):
        return "batch" if yields(cls, "predict_batch") else ""
    return "each" if has(cls, "predict") and yields(cls, "predict") else ""


def work_of(cls: type) -> str:
    """Name the hook that gets what was decoded."""
    if streams_of(cls) == "steps":
        return "admit"
    return "predict_batch" if has(cls, "predict_batch") else "predict"


def yields(cls: type, hook: str) -> bool:
    """Tell whether a hook is a generator, an asynchronous one perhaps."""
    found = getattr(cls, hook)
    return inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found)


def check_class(cls: type, options: Options) -> None:
    """Raise ConfigError for the first mistake in a class."""
    _check_kind(cls)
    for hook in (*HOOKS, *(STEPPING if streams_of(cls) == "steps" else ())):
        if has(cls, hook):
            _check_hook(cls, hook)
    _check_names(cls)
    _check_work(cls)
    _check_stepping(cls)
    _check_options(cls, options)


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
    if hasattr(found, NOTE):
        raise mistake(
            cls, hook, "has @hr.batch", "write `predict_batch`, which gets whole requests as lists"
        )
    if isinstance(inspect.getattr_static(cls, hook), property):
        raise mistake(cls, hook, "is a property", "make it a method")
    if not callable(found):
        raise mistake(cls, hook, f"is a {type(found).__name__}", "hooks are methods: `def` it")
    if yields(cls, hook) and hook not in GENERATORS:
        raise mistake(
            cls,
            hook,
            "is a generator, which only `predict` and `predict_batch` may be",
            "return the whole result",
        )


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


def _check_work(cls: type) -> None:
    """Look at what `predict` and `predict_batch` are to one another."""
    if streams_of(cls) == "steps":
        return
    if not has(cls, "predict_batch"):
        if not has(cls, "predict"):
            raise ConfigError(f"class {cls.__qualname__} has no `predict`: {_what_to_define(cls)}")
    elif has(cls, "predict") and _nearer(cls, "predict", "predict_batch"):
        raise mistake(
            cls,
            "predict",
            "would never be called, for an inherited `predict_batch` serves the requests",
            "override `predict_batch`, or set `predict_batch = None` to turn batching off",
        )


def _what_to_define(cls: type) -> str:
    for one, other in (("admit", "step"), ("step", "admit")):
        if has(cls, one):
            return f"`{one}` alone serves nothing, it needs `{other}` beside it"
    return (
        "define `def predict(self, ...)`, or "
        "`def predict_batch(self, inputs)` for many requests at once"
    )


def _check_stepping(cls: type) -> None:
    """Look at what else a class has beside `admit` and `step`, which serve alone."""
    if streams_of(cls) != "steps":
        return
    if has(cls, "predict_batch") or (has(cls, "predict") and _nearer(cls, "predict", "step")):
        hook = "predict_batch" if has(cls, "predict_batch") else "predict"
        raise mistake(
            cls,
            hook,
            "would never be called, for `admit` and `step` serve the requests",
            f"drop it, or set `admit = None` to let `{hook}` serve",
        )


def _check_options(cls: type, options: Options) -> None:
    """Look for options that would do nothing."""
    streams = streams_of(cls)
    stepped = {"max_batch_size"} if streams == "steps" else set()
    for option in () if has(cls, "predict_batch") else _BATCH_OPTIONS:
        if option in options.given and option not in stepped:
            raise ConfigError(
                f"class {cls.__qualname__} sets `{option}` and has no `predict_batch`: "
                "defining `def predict_batch(self, inputs)` is what turns batching on"
            )
    if "stream_timeout_s" in options.given and not streams:
        raise ConfigError(
            f"class {cls.__qualname__} sets `stream_timeout_s` and does not stream: "
            "a `predict` with `yield` does; for whole answers there is `timeout_s`"
        )


def _nearer(cls: type, one: str, other: str) -> bool:
    """Tell whether `one` is defined by a nearer base than `other`."""
    for base in cls.__mro__:
        if other in vars(base):
            return False
        if one in vars(base):
            return True
    return False
