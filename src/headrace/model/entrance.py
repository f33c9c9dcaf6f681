"""Where a call through a handle enters a model: at `predict`, or at another public method.

`decode_request` and `encode_response` are for bodies, and are not run. Where one hook serves
several requests, each brings its one input.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterator
from functools import lru_cache
from typing import Any

from headrace.model.called import arguments
from headrace.model.checks import Streams
from headrace.model.context import Context
from headrace.model.envelope import Call, Envelope
from headrace.model.handle import WrongUse

OURS = frozenset(
    {
        "setup",
        "teardown",
        "health",
        "reconfigure",
        "loading",
        "decode_request",
        "encode_response",
        "predict_batch",
        "admit",
        "step",
        "leave",
    }
)
"""Who calls these is the server: at its own time, and with what it keeps."""
PREDICT = ("", "predict")


class Entrance:
    """The way into one model class."""

    def __init__(self, hook: str, context: str | None, streams: Streams) -> None:
        """`hook` does the work; its parameter `context` gets the request's own."""
        self._hook, self._context = hook, context
        self._takes_one = hook != "predict"
        self.streams = streams

    def runs_alone(self, call: Call) -> bool:
        """Tell whether a call runs a method by itself, in no batch."""
        return call.method not in PREDICT

    def hook_of(self, call: Call) -> str:
        """Return what the log calls it."""
        return call.method if self.runs_alone(call) else self._hook

    def one(self, envelope: Envelope) -> Any:
        """Return the one input of a call that shares a hook with others. Raises TypeError."""
        args, kwargs = arguments(envelope)
        if len(args) + len(kwargs) != 1:
            raise TypeError(
                f"{self._hook} takes one input for each request: call the handle with one "
                f"argument, not {len(args) + len(kwargs)}"
            )
        return args[0] if args else next(iter(kwargs.values()))

    def enter(self, model: Any, envelope: Envelope, context: Context) -> Any:
        """Run what is asked for, and return what it returns. Raises what it raises."""
        call = envelope.call or Call()
        args, kwargs = arguments(envelope)
        if not self.runs_alone(call):
            if self._context is not None:
                kwargs[self._context] = context
            return getattr(model, self._hook)(*args, **kwargs)
        method = self._method(model, call.method)
        word = _context_of(getattr(type(model), call.method, None))
        if word is not None:
            kwargs.setdefault(word, context)
        return method(*args, **kwargs)

    def _method(self, model: Any, name: str) -> Any:
        kind = type(model).__name__
        if name.startswith("_"):
            raise AttributeError(f"{kind}.{name} is private, and handles call public methods")
        if name in OURS:
            raise AttributeError(f"{kind}.{name} is a hook, which only the server calls")
        return getattr(model, name)


def finished(result: Any, method: str) -> Any:
    """Return a result that is one value. Raises WrongUse for others."""
    if inspect.iscoroutine(result):
        result.close()
        raise WrongUse(
            f"{method} is `async def`, in a model whose hooks are not: make it `def`, or `predict` "
            "`async def`"
        )
    if isinstance(result, Iterator) or hasattr(result, "__anext__"):
        _close(result)
        raise WrongUse(
            f"{method} gives its items one by one, in a model that does not stream: return a list, "
            "or let `predict` be a generator too"
        )
    return result


async def finished_async(result: Any, method: str) -> Any:
    """Return a result that is one value, awaited. Raises WrongUse for others."""
    return finished(await result if isinstance(result, Awaitable) else result, method)


def gives_items(result: Any) -> bool:
    """Tell whether a result is to be streamed."""
    return isinstance(result, Iterator) or hasattr(result, "__anext__")


def _close(items: Any) -> None:
    if hasattr(items, "close"):
        items.close()


@lru_cache(maxsize=256)
def _context_of(method: Any) -> str | None:
    """Find the parameter that wants the Context, by name or annotation."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (NameError, TypeError, ValueError):
        return None
    for parameter in parameters:
        if parameter.name == "context" or parameter.annotation in (Context, "hr.Context"):
            return parameter.name
    return None
