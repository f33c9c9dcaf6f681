"""The models under check that answer in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from headrace.model.api import DONE, Model
from headrace.testing.conformance.subjects import leave_mark


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
