"""The models under check that answer in parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from headrace.errors import Cancelled
from headrace.model.api import DONE, Model
from headrace.testing.conformance.subjects import LONG_S, leave_mark

TICK_S = 0.00005


class Counter(Model):
    """Counts up to what is asked for; a negative number fails where its count would end."""

    def predict(self, n: int, mark: str = "") -> Iterator[int]:
        """Give each number, and show when that is over."""
        try:
            yield from range(abs(n))
            if n < 0:
                raise ValueError("negative")
        finally:
            if mark:
                leave_mark(mark)


class CounterAsync(Model):
    """The same on an event loop."""

    async def predict(self, n: int, mark: str = "") -> AsyncIterator[int]:
        """Give each number, and show when that is over."""
        try:
            for number in range(abs(n)):
                await asyncio.sleep(0)
                yield number
            if n < 0:
                raise ValueError("negative")
        finally:
            if mark:
                leave_mark(mark)


class CountersTogether(Model):
    """Counts each request of a call down, in step; those that reach zero take part no more."""

    def predict_batch(self, numbers: list[int]) -> Iterator[list[Any]]:
        """Give each its next number."""
        left = list(numbers)
        while left:
            yield [ValueError("negative") if n < 0 else n or DONE for n in left]
            left = [n - 1 for n in left if n > 0]


class CountersTogetherAsync(CountersTogether):
    """The same on an event loop."""

    async def predict_batch(self, numbers: list[int]) -> AsyncIterator[list[Any]]:  # type: ignore[override]
        """Give each its next number."""
        for items in super().predict_batch(numbers):
            await asyncio.sleep(0)
            yield items


class Crowd(Model):
    """Tells every request how many are there, as often as it asked; they come and go."""

    def admit(self, times: int) -> list[int]:
        """Remember how often."""
        if times < 0:
            raise ValueError("negative")
        return [times]

    def step(self, states: list[list[int]]) -> list[Any]:
        """Tell each, or let it go."""
        for state in states:
            state[0] -= 1
        return [DONE if state[0] < 0 else len(states) for state in states]


class CrowdAsync(Crowd):
    """The same on an event loop."""

    async def step(self, states: list[list[int]]) -> list[Any]:  # type: ignore[override]
        """Tell each, or let it go."""
        await asyncio.sleep(0)
        return super().step(states)


class Dawdler(Model):
    """Gives an item, then waits or computes as it is asked; tells of its end by a mark."""

    def predict(self, wish: str, mark: str) -> Iterator[str]:
        """Give an item before and one after."""
        try:
            yield "before"
            leave_mark(f"{mark}.begun")
            getattr(self, wish)()
            yield "after"
        finally:
            leave_mark(f"{mark}.over")

    def sleep(self) -> None:
        """Wait in C code that hears signals."""
        time.sleep(LONG_S)

    def spin(self) -> None:
        """Compute in Python."""
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            pass

    def swallow(self) -> None:
        """Wait, and swallow what would end it."""
        with suppress(Cancelled):
            time.sleep(LONG_S)


class DawdlersTogether(Model):
    """The same for a batch: it waits behind the first step."""

    def predict_batch(self, marks: list[str]) -> Iterator[list[str]]:
        """Give an item for each before and after."""
        yield ["before"] * len(marks)
        leave_mark(f"{marks[0]}.begun")
        time.sleep(LONG_S)
        yield ["after"] * len(marks)


class DawdlingCrowd(Model):
    """The same where requests join; one without a mark ends at once."""

    def admit(self, mark: str) -> str:
        """Remember whom to tell."""
        return mark

    def step(self, states: list[str]) -> list[Any]:
        """Wait for as long as anybody with a mark is there."""
        for mark in filter(None, states):
            leave_mark(f"{mark}.begun")
            time.sleep(LONG_S)
        return [DONE] * len(states)

    def leave(self, state: str) -> None:
        """Tell that it has left."""
        if state:
            leave_mark(f"{state}.over")


class Ticker(Model):
    """Computes a moment for each of its items."""

    def predict(self, n: int) -> Iterator[int]:
        """Count."""
        for number in range(n):
            end = time.perf_counter() + TICK_S
            while time.perf_counter() < end:
                pass
            yield number
