"""A plain function as a durable job: what is noted on it, what it goes by, which there are."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from types import FunctionType
from typing import Any, Final, NamedTuple, TypedDict, TypeVar, Unpack, overload

from msgspec import Struct

from headrace.core.cron import parse
from headrace.core.jobs import Terms, check_terms
from headrace.errors import ConfigError, Unprocessable
from headrace.model.names import did_you_mean
from headrace.model.source import MAIN, Source, source_of

F = TypeVar("F", bound=Callable[..., Any])
Changes = Mapping[str, float]
"""Of `core.jobs.Terms`, those that somebody set, by name."""
PREFIX: Final = "job:"
"""Begins the name of an endpoint that is a function."""
NOTE: Final = "__headrace_job__"
_ENDLESS = ("timeout_s", "deadline_s")
TERMS: Final = tuple(term.name for term in fields(Terms))


class JobWords(TypedDict, total=False):
    """What may be said of a job, as keywords, for type checkers; `core.jobs.Terms` has it all."""

    priority: int
    delay_s: float
    deadline_s: float | None
    max_attempts: int
    retry_safe: bool
    first_delay_s: float
    longest_delay_s: float
    timeout_s: float | None
    retention_s: float


class Note(NamedTuple):
    """What `@job` notes on a function."""

    changes: Changes
    cron: str | None = None
    overlaps: bool = False


class JobFunction(Struct, frozen=True):
    """One function that runs as a job, as the server knows it without importing it."""

    name: str
    """`module.qualname`; a script's module goes by the name of its file."""
    source: Source
    changes: dict[str, float] = {}
    """Which of its terms are not the usual ones."""
    cron: str | None = None
    overlaps: bool = False

    @property
    def endpoint(self) -> str:
        """What its jobs are submitted to."""
        return PREFIX + self.name


_known: dict[str, Callable[..., Any]] = {}
"""Every function of this process that is a job, by its name."""


@overload
def job(function: F, /) -> F: ...
@overload
def job(
    *, cron: str | None = None, overlaps: bool = False, **terms: Unpack[JobWords]
) -> Callable[[F], F]: ...
def job(
    function: F | None = None,
    /,
    *,
    cron: str | None = None,
    overlaps: bool = False,
    **terms: Unpack[JobWords],
) -> F | Callable[[F], F]:
    """Let a function of a module run as a durable job: `@job` or `@job(max_attempts=5)`.

    It comes back as it is: call it, and it runs here and now; `hr.submit(function, ...)` has it run
    later, in a process of its own. With `cron`, it also comes back by itself, with no arguments;
    unless it `overlaps`, not before the one before has ended. Raises ConfigError.
    """
    note = Note(changes_of(dict(terms)), _checked_cron(cron), overlaps)

    def noted(function: F) -> F:
        _check_function(function, note)
        setattr(function, NOTE, note)
        _known[name_of(function)] = function
        return function

    return noted if function is None else noted(function)


def changes_of(words: Mapping[str, object]) -> Changes:
    """Return what was said of a job, in numbers. Raises ConfigError."""
    for name in words:
        if name not in TERMS:
            hint = did_you_mean(name, TERMS) or f"; there are: {', '.join(TERMS)}"
            raise ConfigError(f"there is no option `{name}` of a job{hint}")
    said = {
        name: inf if value is None and name in _ENDLESS else value for name, value in words.items()
    }
    changes: dict[str, float] = {}
    for name, value in said.items():
        if not isinstance(value, int | float):
            raise ConfigError(f"option `{name}` of a job is a number, not {value!r}")
        changes[name] = value
    try:
        check_terms(with_changes(Terms(), changes))
    except Unprocessable as error:
        raise ConfigError(f"a job's {error}") from error
    return changes


def with_changes(terms: Terms, changes: Changes) -> Terms:
    """Return terms of which some are as somebody set them. Raises Unprocessable for no term."""
    if unknown := changes.keys() - set(TERMS):
        raise Unprocessable(f"there is no option `{min(unknown)}` of a job")
    return replace(terms, **changes) if changes else terms  # type: ignore[arg-type] # each its own


def note_of(function: object) -> Note | None:
    """Return what was noted on a function; None where it is no job."""
    # Asked of its type: a proxy that stands in a module, such as Flask's `request`, may raise.
    found = vars(function).get(NOTE) if issubclass(type(function), FunctionType) else None
    return found if isinstance(found, Note) else None


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function goes by, in every process and after every restart."""
    module, qualname = function.__module__, function.__qualname__
    if module in ("__main__", MAIN):
        file = getattr(sys.modules.get(module), "__file__", None)
        module = Path(file).stem if file else "__main__"
    return f"{module}.{qualname}"


def functions_here() -> Sequence[JobFunction]:
    """Describe every function of this process that is a job, by name: those that were imported."""
    return [_described(name, _known[name]) for name in sorted(_known)]


def function_of(name: str) -> Callable[..., Any] | None:
    """Return the function of this process that goes by a name."""
    return _known.get(name)


def _described(name: str, function: Callable[..., Any]) -> JobFunction:
    there = getattr(sys.modules.get(function.__module__), function.__qualname__, function)
    found = function if note_of(there) is None else there  # another decorator may stand around it
    note = note_of(found) or Note({})
    return JobFunction(name, source_of(found), dict(note.changes), note.cron, note.overlaps)


def _check_function(function: object, note: Note) -> None:
    if not inspect.isfunction(function):
        raise ConfigError(f"@hr.job goes onto a function, not onto {function!r}")
    name = function.__qualname__
    if "." in name or name == "<lambda>":
        raise ConfigError(
            f"@hr.job: {name} is not a function of a module, which another process could find by "
            "its name: define it at the top level of a module"
        )
    taken = inspect.signature(function).parameters.values()
    if wrong := next((each for each in taken if each.kind is each.VAR_POSITIONAL), None):
        raise ConfigError(f"@hr.job: {name} takes `*{wrong.name}`: name its parameters")
    needed = [each.name for each in taken if _is_needed(each)]
    if note.cron is not None and needed:
        raise ConfigError(
            f"@hr.job(cron=...): {name} needs `{needed[0]}`, and a timetable has nothing to give: "
            "give it a default"
        )


def _is_needed(parameter: inspect.Parameter) -> bool:
    is_free = parameter.kind is parameter.VAR_KEYWORD or parameter.name == "context"
    return parameter.default is parameter.empty and not is_free


def _checked_cron(cron: str | None) -> str | None:
    if cron is not None:
        try:
            parse(cron)
        except ValueError as error:
            wish = 'cron text (minute hour day month weekday) such as "0 6 * * *"'
            raise ConfigError(f"option `cron` of a job must be {wish} ({error})") from error
    return cron
