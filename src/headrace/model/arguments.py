"""What a hook takes: which parameter gets its context, which ones get the request's content."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.errors import ConfigError
from headrace.model.context import Context
from headrace.model.mistakes import mistake

CONTEXT_NAMES = ("context", "contexts")
_NEVER_A_CONTEXT = (str, int, float, bool, bytes)
Kind = inspect._ParameterKind  # noqa: SLF001 - the type of Parameter.kind has no public name


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that could not be evaluated, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One data parameter; `default` is `inspect.Parameter.empty` where there is none."""

    name: str
    annotation: Any
    default: Any
    by_position: bool

    @property
    def required(self) -> bool:
        """Whether a call without it is an error."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one hook takes: its data parameters in order, the name of the one for its context."""

    hook: str
    data: tuple[Parameter, ...]
    context: str | None


def read_arguments(cls: type, hook: str, *, many: bool) -> Arguments:
    """Read a hook's signature; `many` where its context is a list of them."""
    data: list[Parameter] = []
    context: str | None = None
    by_position = True
    for parameter in _signature(cls, hook):
        if parameter.kind is parameter.VAR_KEYWORD:
            continue  # `**_` is welcome and gets nothing
        annotation = _evaluated(cls, hook, parameter.annotation)
        _refuse_kind(cls, hook, parameter)
        if _is_context(parameter.name, annotation, many=many):
            _refuse_context(cls, hook, parameter, annotation, context)
            context, by_position = parameter.name, False
            continue
        if annotation in _misplaced(many=many):
            wanted = "list[Context], it serves many requests" if many else "Context, one request's"
            raise mistake(cls, hook, f"has `{parameter.name}` of a wrong kind", f"use {wanted}")
        by_position = by_position and parameter.kind is not parameter.KEYWORD_ONLY
        data.append(Parameter(parameter.name, annotation, parameter.default, by_position))
    return Arguments(hook, tuple(data), context)


def _signature(cls: type, hook: str) -> list[inspect.Parameter]:
    """List the parameters a caller fills: without `self`."""
    static = inspect.getattr_static(cls, hook)
    try:
        found = list(inspect.signature(getattr(cls, hook)).parameters.values())
    except (NameError, TypeError, ValueError) as error:
        raise mistake(cls, hook, "has no signature to read", str(error)) from error
    if isinstance(static, staticmethod | classmethod) or not hasattr(type(static), "__get__"):
        return found  # it has no `self`, or has it already, or is an object that is called
    if not found or found[0].kind in (Kind.KEYWORD_ONLY, Kind.VAR_KEYWORD):
        raise mistake(cls, hook, "has no `self`", "write it as a method, `self` first")
    if found[0].kind is Kind.VAR_POSITIONAL:
        _refuse_kind(cls, hook, found[0])
    return found[1:]


def read_result(cls: type, hook: str) -> Any:
    """Read what a hook says it returns; Any where it says nothing."""
    try:
        told = inspect.signature(getattr(cls, hook)).return_annotation
    except (NameError, TypeError, ValueError):
        return Any
    return _evaluated(cls, hook, told)


def _evaluated(cls: type, hook: str, annotation: Any) -> Any:
    """Evaluate one annotation by itself, so that one that is never needed may stay unknown."""
    if annotation is inspect.Parameter.empty:
        return Any
    function = inspect.unwrap(_function(cls, hook))
    holder = _holder()
    holder.__annotations__ = {"it": annotation}
    try:
        hints = typing.get_type_hints(
            holder, getattr(function, "__globals__", {}), dict(vars(cls)), include_extras=True
        )
    except Exception as error:  # noqa: BLE001 - evaluating runs any expression; told when needed
        return Unresolved(str(annotation), str(error))
    return hints["it"]


def _holder() -> Callable[[], None]:
    def holder() -> None:
        """Hold one annotation."""

    return holder


def _function(cls: type, hook: str) -> Callable[..., Any]:
    static = inspect.getattr_static(cls, hook)
    function: Callable[..., Any] = getattr(static, "__func__", static)
    return function


def _refuse_kind(cls: type, hook: str, parameter: inspect.Parameter) -> None:
    if parameter.kind is parameter.VAR_POSITIONAL:
        raise mistake(
            cls,
            hook,
            f"takes `*{parameter.name}`, which no part of a request can fill",
            "name its parameters",
        )


def _is_context(name: str, annotation: Any, *, many: bool) -> bool:
    if name in CONTEXT_NAMES:
        return True
    if many:
        return annotation in _LISTS
    return isinstance(annotation, type) and issubclass(annotation, Context)


_LISTS: tuple[Any, ...] = (
    list[Context],
    typing.List[Context],  # noqa: UP006 - users may still write it
    typing.Sequence[Context],
    Sequence[Context],
)


def _misplaced(*, many: bool) -> tuple[Any, ...]:
    return (Context,) if many else _LISTS


def _refuse_context(
    cls: type, hook: str, parameter: inspect.Parameter, annotation: Any, already: str | None
) -> None:
    name = parameter.name
    if already is not None:
        raise mistake(cls, hook, f"has two contexts, `{already}` and `{name}`", "keep one")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise mistake(cls, hook, f"takes `{name}` by position only", "move the `/` before it")
    if annotation in _NEVER_A_CONTEXT:
        raise mistake(
            cls,
            hook,
            f"has `{name}: {annotation.__name__}`, but a parameter of that name gets the "
            "request's hr.Context",
            "give the field another name",
        )


def resolved(cls: type, hook: str, parameter: Parameter) -> Any:
    """Give the annotation of a parameter that describes a body.

    Raises ConfigError if it could not be evaluated.
    """
    if isinstance(parameter.annotation, Unresolved):
        raise mistake(
            cls,
            hook,
            f"has `{parameter.name}: {parameter.annotation.text}`, which cannot be resolved "
            f"({parameter.annotation.why})",
            "define or import it at module level, not under TYPE_CHECKING",
        )
    return parameter.annotation


def refuse_constructor(cls: type) -> None:
    """Raise ConfigError if the class cannot be made without arguments."""
    found: Mapping[str, inspect.Parameter]
    try:
        found = inspect.signature(cls).parameters
    except (NameError, TypeError, ValueError):
        return  # nothing to read: making it will tell
    needed = [
        p.name
        for p in found.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed:
        raise ConfigError(
            f"{cls.__qualname__}.__init__ needs {', '.join(f'`{name}`' for name in needed)}, and "
            "the server has nothing to give: give defaults, or load in `setup`"
        )
