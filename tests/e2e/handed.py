"""Models that are called through handles, and one that stands between."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import headrace as hr

LONG_S = 30.0


class Odd(Exception):
    """An exception that pickles and unpickles."""

    def __init__(self, words: str, number: int = 0) -> None:
        super().__init__(words, number)
        self.number = number


class Sealed(Exception):
    """An exception that cannot be made again from its arguments."""

    def __init__(self, words: str, lock: Any) -> None:
        super().__init__(words)
        self.lock = lock


def leave_mark(path: str) -> None:
    """Show that this ran."""
    with Path(path).open("a") as marks:
        marks.write("x")


class Sums(hr.Model):
    """A leaf: one call at a time."""

    def predict(self, x: int, y: int = 1) -> int:
        return x + y

    def twice(self, x: int, context: hr.Context) -> dict[str, Any]:
        """Tell its request's id too."""
        return {"twice": 2 * x, "id": context.request_id, "attempt": context.attempt}

    def trace(self, context: hr.Context) -> str:
        """Tell the trace that it belongs to."""
        return context.headers.get("traceparent", "none")

    def left_s(self, context: hr.Context) -> float:
        """Tell how much time it has."""
        return context.remaining()

    def _secret(self) -> str:
        return "secret"

    def fail(self, how: str) -> None:
        """Raise what is wished for."""
        if how == "odd":
            raise Odd("of its own type", 7)
        if how == "sealed":
            raise Sealed("kept", threading.Lock())
        if how == "http":
            raise hr.HTTPError(418, "a teapot", {"X-Tea": "green"})
        raise KeyError(how)

    def size(self, array: np.ndarray) -> int:
        """Look at all of it."""
        return int(array.sum())

    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    def pid(self) -> int:
        """Name the process that it runs in."""
        return os.getpid()


class Tens(hr.Model):
    """Answers a whole batch at once; HTTP bodies are decoded first, what handles bring is not."""

    def decode_request(self, body: dict[str, int]) -> int:
        return body["n"]

    def predict_batch(self, xs: list[int]) -> list[Any]:
        return [ValueError(f"{x} is below 0") if x < 0 else 10 * x for x in xs]

    def encode_response(self, output: int) -> dict[str, int]:
        return {"tens": output}


class Numbers(hr.Model):
    """Counts, in a leaf."""

    def predict(self, n: int, fail_at: int = -1, mark: str = "") -> Iterator[int]:
        try:
            for each in range(n):
                if each == fail_at:
                    raise Odd("in the middle", each)
                yield each
        finally:
            if mark:
                leave_mark(mark)


class NumbersAsync(hr.Model):
    """Counts, on an event loop."""

    async def predict(self, n: int, fail_at: int = -1, mark: str = "") -> AsyncIterator[int]:
        try:
            for each in range(n):
                if each == fail_at:
                    raise Odd("in the middle", each)
                yield each
        finally:
            if mark:
                leave_mark(mark)

    async def plain(self, x: int) -> int:
        """Answer with one value, in a model that streams."""
        return -x


class Waits(hr.Model):
    """Waits on an event loop, and shows when that is no longer wanted."""

    async def predict(self, mark: str, seconds: float = LONG_S) -> str:
        leave_mark(f"{mark}.begun")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            leave_mark(f"{mark}.cancelled")
            raise
        return "waited"


class Between(hr.Model):
    """Asks for something, and waits for it in a leaf."""

    def __init__(self, waits: hr.Handle) -> None:
        self.waits = waits

    def predict(self, mark: str) -> Any:
        try:
            return self.waits(mark).result()
        except hr.Cancelled:
            leave_mark(f"{mark}.between")
            raise
