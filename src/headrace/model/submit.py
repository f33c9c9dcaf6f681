"""Submit a job from code: it is written down before `hr.submit` is done with it.

In code that cannot await, `hr.submit` returns when the job is on the disk. On an event loop it must
not block: there it is awaited, and what it gives knows nothing before that.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, ParamSpec, Self, Unpack, overload

from msgspec import Struct

from headrace.errors import ConfigError
from headrace.model.context import Context, current
from headrace.model.handle import Line, NoLine, Response, WrongUse, line
from headrace.model.job import PREFIX, Changes, JobWords, changes_of, name_of, note_of
from headrace.model.job_body import NotData, Written, written
from headrace.model.media import BYTES, JSON
from headrace.model.plain import CannotAnswer, as_json

P = ParamSpec("P")


class Wanted(Struct, array_like=True, frozen=True):
    """A job as code wants it, on its way to who writes it down."""

    endpoint: str
    content_type: str | None
    body: bytes
    changes: dict[str, float] = {}
    """The terms that were said for this one."""
    key: str | None = None
    id: str | None = None
    label: str = ""
    """The request that its code serves, if it serves one."""


class Accepted(NamedTuple):
    """What is told of a job that was written down."""

    id: str
    url: str
    is_new: bool


class Job:
    """A job that was submitted, by whatever its `id`. On an event loop, await it first."""

    __slots__ = ("_accepted", "_endpoint", "_response")

    def __init__(self, endpoint: str, response: Response) -> None:
        self._endpoint, self._response = endpoint, response
        self._accepted: Accepted | None = None

    @property
    def id(self) -> str:
        """What it is called."""
        return self._known.id

    @property
    def url(self) -> str:
        """Where its state, its result and its events are, below the server's address."""
        return self._known.url

    @property
    def is_new(self) -> bool:
        """False where a job of the same key or id came before: this is that one."""
        return self._known.is_new

    def __await__(self) -> Generator[Any, None, Self]:
        if self._accepted is None:
            try:
                found = yield from self._response.__await__()
            except BaseException:
                self._accepted = _REFUSED
                raise
            self._accepted = Accepted(*found)
        return self

    def __repr__(self) -> str:
        told = "not awaited" if self._accepted is None else self._accepted.id
        return f"<Job {told} of {self._endpoint}>"

    def __del__(self) -> None:
        if getattr(self, "_accepted", self) is None:
            words = f"{self!r}: nobody knows whether it was accepted; write `await hr.submit(...)`"
            warnings.warn(words, RuntimeWarning, stacklevel=2, source=self)

    def wait(self) -> Self:
        """Wait in code that cannot await. Raises what refuses it."""
        try:
            self._accepted = Accepted(*self._response.result())
        except BaseException:
            self._accepted = _REFUSED
            raise
        return self

    @property
    def _known(self) -> Accepted:
        if self._accepted is None or self._accepted is _REFUSED:
            raise WrongUse(
                "this code runs on an event loop, so a job is to be awaited: "
                "`job = await hr.submit(...)`"
            )
        return self._accepted


_REFUSED = Accepted("", "", is_new=False)


class Submit:
    """`hr.submit(function, *args, **kwargs)`: have it run later, and survive until then.

    `function` is one with `@hr.job`, called with these arguments; they are data, read by its
    annotations. Or it is a route of this server, such as "/predict", and the one argument after it,
    or the keywords, are the body. Raises TypeError, NotData, Refused (there is no room, or nobody
    to write it down), NoLine outside of a server.
    """

    __slots__ = ("_changes", "_id", "_key", "_line")

    def __init__(
        self,
        changes: Changes | None = None,
        key: str | None = None,
        id: str | None = None,  # noqa: A002 - what a job's is called
        line: Line | None = None,
    ) -> None:
        """Without a line, use that of the caller."""
        self._changes, self._key, self._id = dict(changes or {}), key, id
        self._line = line

    @overload
    def __call__(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Job: ...
    @overload
    def __call__(self, route: str, /, *body: Any, **fields: Any) -> Job: ...
    def __call__(self, function: Callable[..., Any] | str, /, *args: Any, **kwargs: Any) -> Job:
        """See the class. On an event loop, await what it returns."""
        if isinstance(function, str):
            endpoint, order = function, _body(function, args, kwargs)
        else:
            endpoint, order = _endpoint(function), written(function, args, kwargs)
        wanted = Wanted(
            endpoint, *order, changes=self._changes, key=self._key, id=self._id, label=_label()
        )
        job = Job(endpoint, _way(self._line).submit(wanted))
        return job if _is_on_loop() else job.wait()

    def options(
        self,
        *,
        key: str | None = None,
        id: str | None = None,  # noqa: A002 - as above
        **terms: Unpack[JobWords],
    ) -> Submit:
        """Return one whose jobs have these terms; those that are left out stay.

        `key` is an idempotency key: the same again is the same job; `id` is what it is to be
        called. Raises ConfigError.
        """
        changes = {**self._changes, **changes_of(dict(terms))}
        return Submit(changes, key or self._key, id or self._id, self._line)

    def __repr__(self) -> str:
        said: Mapping[str, Any] = {**self._changes, "key": self._key, "id": self._id}
        told = ", ".join(f"{name}={value!r}" for name, value in said.items() if value is not None)
        return f"<hr.submit{f' with {told}' if told else ''}>"


submit = Submit()


def _endpoint(function: Callable[..., Any]) -> str:
    if note_of(function) is None:
        raise ConfigError(
            f"{getattr(function, '__qualname__', function)!s} is no job: write `@hr.job` above a "
            'function of a module, or name a route: hr.submit("/predict", ...)'
        )
    return PREFIX + name_of(function)


def _body(route: str, args: tuple[Any, ...], fields: Mapping[str, Any]) -> Written:
    if len(args) + bool(fields) > 1:
        raise TypeError(f"hr.submit({route!r}, ...) takes one body, or the fields of one")
    if not args and not fields:
        return Written(None, b"")
    body = args[0] if args else fields
    if isinstance(body, bytes | bytearray | memoryview):
        return Written(BYTES, bytes(body))
    try:
        return Written(JSON, as_json(body))
    except CannotAnswer as error:
        raise NotData(f"the body for {route} is no data: {error}") from error


def _way(own: Line | None) -> Line:
    try:
        return own or line()
    except NoLine:
        raise NoLine(
            "hr.submit works within a server that knows of jobs: in a hook or a view of what it "
            "serves, where its target has a function with @hr.job, or a model. From outside use "
            "hr.JobsClient(url)"
        ) from None


def _label() -> str:
    context = current.get(None)
    return context.request_id if isinstance(context, Context) else ""


def _is_on_loop() -> bool:
    asyncio = sys.modules.get("asyncio")  # who has not imported it is on no loop
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - raises not
