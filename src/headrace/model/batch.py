"""`@hr.batch`: callers call with one item and await one result; the function gets them as lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Protocol, TypeVar, overload

from headrace.errors import ConfigError
from headrace.model import batch_run
from headrace.model.batch_places import Caller, Reader
from headrace.model.batch_queue import Queues
from headrace.model.batch_shape import NOTE, Limits, Shape, shape_of
from headrace.model.context import Context, served_here

S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Rows(Protocol[R_co]):
    """A list, a tuple, an array, a tensor: whatever has a length, and a row for each caller."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def __iter__(self) -> Iterator[R_co]:
        """Give the rows."""


Answers = Coroutine[Any, Any, Rows[R]]
Answer = Coroutine[Any, Any, R]
Steps = AsyncIterator[Rows[R]]
AsyncGen = AsyncGenerator[R, None]
Many = list[Context]


class Batch(Protocol):
    """What `@hr.batch(...)` is with its numbers; a type checker sees one item go in, one come out.

    By position: lists of a function, or of a method after `self`, with or without `contexts`.
    """

    # Functions, then methods, that give a list.
    @overload
    def __call__(self, f: Callable[[list[A]], Answers[R]], /) -> Callable[[A], Answer[R]]: ...
    @overload
    def __call__(self, f: Callable[[list[A], Many], Answers[R]], /) -> Callable[[A], Answer[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B]], Answers[R]], /
    ) -> Callable[[A, B], Answer[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap] # if `self` were a list
        self, f: Callable[[list[A], list[B], list[C]], Answers[R]], /
    ) -> Callable[[A, B, C], Answer[R]]: ...
    @overload
    def __call__(self, f: Callable[[S, list[A]], Answers[R]], /) -> Callable[[S, A], Answer[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], Many], Answers[R]], /
    ) -> Callable[[S, A], Answer[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B]], Answers[R]], /
    ) -> Callable[[S, A, B], Answer[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B], Many], Answers[R]], /
    ) -> Callable[[S, A, B], Answer[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B], list[C]], Answers[R]], /
    ) -> Callable[[S, A, B, C], Answer[R]]: ...

    # The same as async generators: streams.
    @overload
    def __call__(self, f: Callable[[list[A]], Steps[R]], /) -> Callable[[A], AsyncGen[R]]: ...
    @overload
    def __call__(self, f: Callable[[list[A], Many], Steps[R]], /) -> Callable[[A], AsyncGen[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[list[A], list[B]], Steps[R]], /
    ) -> Callable[[A, B], AsyncGen[R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap] # if `self` were a list
        self, f: Callable[[list[A], list[B], list[C]], Steps[R]], /
    ) -> Callable[[A, B, C], AsyncGen[R]]: ...
    @overload
    def __call__(self, f: Callable[[S, list[A]], Steps[R]], /) -> Callable[[S, A], AsyncGen[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], Many], Steps[R]], /
    ) -> Callable[[S, A], AsyncGen[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B]], Steps[R]], /
    ) -> Callable[[S, A, B], AsyncGen[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B], Many], Steps[R]], /
    ) -> Callable[[S, A, B], AsyncGen[R]]: ...
    @overload
    def __call__(
        self, f: Callable[[S, list[A], list[B], list[C]], Steps[R]], /
    ) -> Callable[[S, A, B, C], AsyncGen[R]]: ...


def batch(
    *, max_size: int = 16, wait_s: float = 0.0, max_ongoing: int = 1, isolate: bool = True
) -> Batch:
    """Let an `async def` that takes lists and returns one be called with one item at a time.

    `max_size` items at most, `wait_s` after the first at the latest; the default waits for nobody,
    and gathers while a batch is at work, of which `max_ongoing` run at once. There is a queue for
    each object. An Exception in the list fails that item alone; a batch that raises runs again in
    halves unless `isolate` is off. Raises ConfigError.
    """
    limits = Limits(max_size, wait_s, max_ongoing, isolate)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(function, staticmethod):
            raise ConfigError(
                f"@hr.batch on {function.__wrapped__.__qualname__}: a static method has no object "
                "of its own; write it as a function outside of its class"
            )
        shape = shape_of(function, limits)
        return _streaming(shape) if shape.streams else _answering(shape)

    return decorate


def _answering(shape: Shape) -> Callable[..., Answer[Any]]:
    queues = Queues(shape, batch_run.answer)

    @wraps(shape.function)
    async def call_with_one(*args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        owner, rest = (args[0], args[1:]) if shape.is_method else (None, args)
        place = Caller(owner, shape.values(rest, kwargs), _context(), loop)
        queues.of(owner, loop).join(place)
        return await place.wait()

    setattr(call_with_one, NOTE, queues)
    return call_with_one


def _streaming(shape: Shape) -> Callable[..., AsyncGenerator[Any, None]]:
    queues = Queues(shape, batch_run.stream)

    @wraps(shape.function)
    async def stream_of_one(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        loop = asyncio.get_running_loop()
        owner, rest = (args[0], args[1:]) if shape.is_method else (None, args)
        place = Reader(owner, shape.values(rest, kwargs), _context(), loop)
        queues.of(owner, loop).join(place)
        try:
            async for item in place:
                yield item
        finally:
            place.leave()

    setattr(stream_of_one, NOTE, queues)
    return stream_of_one


def _context() -> Context:
    """Return the Context of the request that calls; in a unit test, or a batch, a new one."""
    serving = served_here()
    return serving[0] if len(serving) == 1 else Context()
