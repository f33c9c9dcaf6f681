"""Models that fail in every odd way: `wish` is the name of a row of WISHES."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from starlette.responses import Response

import headrace as hr

GIGABYTE = 10**9


class Mute(Exception):
    """Neither its text nor its picture can be had."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Picky(Exception):
    """Cannot be made again from its own arguments, as copying and pickling do."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("only text")
        self.lock = lambda: one + two


class Noted(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override] # odd on purpose
        raise RuntimeError("no notes")


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override] # odd on purpose
        raise RuntimeError("no name")


class Unnamed(Exception, metaclass=Nameless):
    pass


class Explosive:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Kept(msgspec.Struct):
    """Says of itself what it does not hold."""

    value: Any

    def __repr__(self) -> str:
        raise RuntimeError("no picture")


def raised(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def group() -> Any:
    raise ExceptionGroup(
        "several", [ValueError("a"), ExceptionGroup("more", [Mute(), KeyError("b")])]
    )


def groups_in_groups() -> Any:
    error: Exception = ValueError("innermost")
    for _ in range(5000):
        error = ExceptionGroup("around", [error])
    raise error


def long_chain() -> Any:
    error: Exception = ValueError("first")
    for _ in range(3000):
        later = ValueError("later")
        later.__cause__, error = error, later
    raise error


def own_cause() -> Any:
    error = ValueError("its own cause")
    error.__cause__ = error
    raise error


def recursion() -> Any:
    return recursion()


def cycle() -> Any:
    ring: list[Any] = []
    ring.append({"again": ring})
    return ring


def deep() -> Any:
    nest: list[Any] = []
    for _ in range(100_000):
        nest = [nest]
    return nest


def generator() -> Iterator[int]:
    yield 1


async def coroutine() -> int:
    return 1


def changed_status() -> Any:
    error = hr.HTTPError(400, "changed")
    error.status = 10**30
    raise error


WISHES: dict[str, Callable[[], Any]] = {
    "mute": raised(Mute()),
    "picky": raised(Picky(1, 2)),
    "noted": raised(Noted()),
    "unnamed": raised(Unnamed()),
    "mute-detail": raised(hr.HTTPError(400, Mute())),  # type: ignore[arg-type]
    "changed-status": changed_status,
    "huge-header": raised(hr.HTTPError(400, "headers", {"X-A": "a" * 1_000_000})),
    "huge-text": raised(ValueError("x" * 50_000_000)),
    "surrogates": raised(ValueError("\ud800\udfff")),
    "nul": raised(ValueError("\0\r\n\x1b[31m")),
    "group": group,
    "groups-in-groups": groups_in_groups,
    "long-chain": long_chain,
    "own-cause": own_cause,
    "recursion": recursion,
    "memory": raised(MemoryError()),
    "too-much-memory": lambda: bytes(1 << 62),
    "stop-iteration": raised(StopIteration()),
    "one-gigabyte": lambda: bytes(GIGABYTE),
    "more-than-a-frame": lambda: bytes((1 << 32) + 1),
    "just-too-large": lambda: bytes((1 << 29) + 1),
    "large-in-a-response": lambda: Response(bytes(GIGABYTE)),
    "cycle": cycle,
    "deep": deep,
    "generator": generator,
    "coroutine": coroutine,
    "explosive": Explosive,
    "explosive-inside": lambda: [1, Explosive()],
    "mute-inside": lambda: Kept(Mute()),
    "lone-surrogate": lambda: "\ud800",
    "bad-key": lambda: {(1, 2): Explosive()},
    "huge-number": lambda: {"n": 1 << 70_000},
    "no-status": lambda: Response(b"", status_code=1000),
    "half-a-status": lambda: Response(b"", status_code=103),
}


@hr.deployment(name="one")
class One(hr.Model):
    def predict(self, wish: str) -> Any:
        return WISHES[wish]() if wish in WISHES else [wish, os.getpid()]


@hr.deployment(name="batch", max_batch_size=8, batch_wait_s=0.05)
class Batch(hr.Model):
    def predict_batch(self, wishes: list[str]) -> list[Any]:
        one = One()
        return [one.predict(wish) for wish in wishes]


@hr.deployment(name="async", max_ongoing_requests=16)
class Async(hr.Model):
    async def predict(self, wish: str) -> Any:
        return One().predict(wish)


@hr.deployment(name="limit")
class Limit(hr.Model):
    def predict(self, size: int) -> bytes:
        return bytes(size)
