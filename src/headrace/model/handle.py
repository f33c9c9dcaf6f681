"""Call another deployment from code: a Handle stands for it, a Response for what it will answer.

How a request leaves, and how one waits for its answer, is the line's business: there is one kind
for each layout of a replica, see replica/lines.py, and one for the server's own process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from headrace.errors import HeadraceError
from headrace.model.deployment import options_of


class CallOptions(NamedTuple):
    """What `Handle.options` says of the calls that are made through it."""

    timeout_s: float | None = None
    """How long the caller waits at most; what is left of its own request's time is the limit."""
    detach: bool = False
    """Whether it goes on when the request ends that made it."""
    model_id: str = ""
    """Which of its models a deployment with many is asked for."""


USUAL = CallOptions()


class Line(Protocol):
    """The way from this code to the engine."""

    def ask(
        self,
        target: str,
        method: str,
        options: CallOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Response:
        """Make a request; it leaves at once, or as soon as its arguments are there."""

    def submit(self, wanted: Any) -> Response:
        """Submit a `model.submit.Wanted`; the answer is an `Accepted`, as a tuple."""


class Response(Protocol):
    """What a call through a handle will answer. Await it, iterate over it, or take its `result`.

    Given to another call as an argument it need not be awaited: its value arrives there.
    """

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the answer. Raises what the callee raised, as its own type."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Give the items of a streamed answer as they come."""

    def __iter__(self) -> Iterator[Any]:
        """Give the items of a streamed answer as they come, in code that cannot await."""

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait for the answer in code that cannot await. Raises TimeoutError."""

    def cancel(self) -> None:
        """Stop the work: nobody waits for it any more."""


class NoLine(HeadraceError, RuntimeError):
    """There is no server to ask from here."""


class NoSuchDeployment(HeadraceError, LookupError):
    """No deployment of this server has the name that a handle was made with."""

    code = "no_such_deployment"


class WrongUse(HeadraceError, TypeError):
    """A response was asked for in a way that its answer, or this place, does not have."""


_here: ContextVar[Line | None] = ContextVar("headrace_line", default=None)
_process: list[Line] = []


def line() -> Line:
    """Return the way to the engine from here. Raises NoLine outside of a server."""
    found = _here.get() or (_process[-1] if _process else None)
    if found is None:
        raise NoLine(
            "a handle works within a server: in a hook, a view, a job. From a program that has "
            "started one, use `Running.handle()`; in a unit test give the callee itself"
        )
    return found


def use_line(own: Line) -> None:
    """Let all code of this process ask by this line: a replica has one for good."""
    _process[:] = [own]


def use_line_here(own: Line) -> None:
    """Let the code of the running context ask by this line: one worker may hold many replicas."""
    _here.set(own)


def line_here() -> Line | None:
    """Return the line that `use_line_here` has set for the running context."""
    return _here.get()


class Handle:
    """Stands for a deployment of the same server; call it as one would call the thing itself.

    `await handle(x)`, `async for item in handle(x)`, `handle.method(x)`, `handle(x).result()`.
    """

    __slots__ = ("_line", "_method", "_options", "_target")
    _target: str
    _method: str
    _options: CallOptions
    _line: Line | None

    def __init__(
        self,
        target: str,
        method: str = "",
        options: CallOptions = USUAL,
        line: Line | None = None,
    ) -> None:
        """Stand for the deployment named `target`; without a line, use that of the caller."""
        self._target, self._method, self._options, self._line = target, method, options, line

    def __call__(self, *args: Any, **kwargs: Any) -> Response:
        """Make a request: `predict` of a model, or a call of a class's object or a function."""
        way = self._line or line()
        return way.ask(self._target, self._method, self._options, args, kwargs)

    def __getattr__(self, method: str) -> Handle:
        """Stand for a method of it."""
        if method.startswith("_") or self._method:
            raise AttributeError(f"{self!r} has no {method}: a handle stands for public methods")
        return Handle(self._target, method, self._options, self._line)

    def options(
        self,
        *,
        timeout_s: float | None = None,
        detach: bool | None = None,
        model_id: str | None = None,
    ) -> Handle:
        """Return one whose calls have these options; those that are left out stay."""
        present = self._options
        options = CallOptions(
            present.timeout_s if timeout_s is None else timeout_s,
            present.detach if detach is None else detach,
            present.model_id if model_id is None else model_id,
        )
        return Handle(self._target, self._method, options, self._line)

    def __reduce__(self) -> tuple[type[Handle], tuple[str, str, CallOptions]]:
        return Handle, (self._target, self._method, self._options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__()[1])

    def __repr__(self) -> str:
        method = f".{self._method}" if self._method else ""
        return f"<Handle of {self._target}{method}>"


def handle(target: str | Callable[..., Any]) -> Handle:
    """Find a deployment of the same server, by its name, its class, or its function.

    It is looked for when it is called: first among those of the caller's own application.
    """
    return Handle(target_name(target))


def target_name(target: str | Callable[..., Any]) -> str:
    """Return the name that a deployment goes by, unless it is bound under another one."""
    if isinstance(target, Handle):
        return target._target  # noqa: SLF001 - its own
    return target if isinstance(target, str) else options_of(target).name or ""
