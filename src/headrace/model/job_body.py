"""The arguments of a job as data: written where it is submitted, read where it runs.

Both go by the function's annotations, as a model's body does: one parameter is the body itself,
several are the fields of a JSON object, `bytes` alone are the body as they are. What was written is
read back at once, so that whoever submits hears of what would not arrive as it was sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import inf
from typing import Any, NamedTuple

from headrace.errors import HeadraceError, RequestError
from headrace.model.api import Model
from headrace.model.arguments import Arguments, Parameter, read_arguments
from headrace.model.bodies import Body, body_of
from headrace.model.envelope import Envelope
from headrace.model.json_value import is_json
from headrace.model.media import BYTES, JSON
from headrace.model.plain import CannotAnswer, as_json

HOOK = "predict"
TOLD = "__headrace_told__"
"""Where such a class has what people know the function by."""


class NotData(HeadraceError, TypeError):
    """An argument of a job is not data that its function would get as it was given."""

    code = "not_data"


class Written(NamedTuple):
    """Arguments, as a body."""

    content_type: str | None
    body: bytes


def class_of(function: Callable[..., Any]) -> type[Model]:
    """Return a model whose `predict` is this function: our readers of annotations read classes."""
    name = function.__qualname__
    words = {HOOK: staticmethod(function), "__module__": function.__module__, TOLD: name}
    return type(name, (Model,), words)


def written(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Written:
    """Write a call's arguments. Raises TypeError where the function takes others, and NotData."""
    form = _form_of(function)
    name = function.__qualname__
    try:
        given = form.signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"hr.submit({name}, ...): {error}") from None
    for parameter in form.arguments.data:
        if parameter.name in given and parameter.annotation is Any:
            _check_plain(name, parameter, given[parameter.name])
    try:
        found = _written(form.arguments, given)
        form.body.read(Envelope("", inf, 1, found.content_type, found.body))
    except CannotAnswer as error:
        raise NotData(f"an argument of {name} is no data: {error}; {_MEND}") from error
    except RequestError as error:
        where = "" if error.path is None else f" at {error.path}"
        raise NotData(
            f"{name} would not get its arguments as they were given{where}: {error.detail}; {_MEND}"
        ) from error
    return found


_MEND = (
    "what a job is given is written down, and read by its annotations: give it what JSON can hold"
)


class _Form(NamedTuple):
    signature: inspect.Signature
    """Without its context."""
    arguments: Arguments
    body: Body


@lru_cache(maxsize=1024)
def _form_of(function: Callable[..., Any]) -> _Form:
    cls = class_of(function)
    arguments = read_arguments(cls, HOOK, many=False)
    signature = inspect.signature(function)
    names = {parameter.name for parameter in arguments.data}
    taken = [each for name, each in signature.parameters.items() if name in names]
    return _Form(signature.replace(parameters=taken), arguments, body_of(cls, arguments))


def _written(arguments: Arguments, given: Mapping[str, Any]) -> Written:
    data = arguments.data
    if not given:
        return Written(None, b"")
    if len(data) > 1:
        return Written(JSON, as_json(dict(given)))
    value = given[data[0].name]
    if data[0].annotation is bytes:
        return Written(BYTES, _raw(value))
    return Written(JSON, as_json(value))


def _raw(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise CannotAnswer(f"{type(value).__name__} is given where bytes are taken")
    return bytes(value)


def _check_plain(name: str, parameter: Parameter, value: Any) -> None:
    """Raise NotData unless a value without an annotation comes back as it went."""
    if not is_json(value):
        raise NotData(
            f"argument `{parameter.name}` of {name} has no annotation and is a "
            f"{type(value).__name__} that JSON has no word for, or holds one: annotate the "
            "parameter with its type, or give what JSON can hold"
        )
