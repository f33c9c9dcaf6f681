"""Models whose streams are made together: a generator for a batch, a step for all who are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import headrace as hr

HANGS_S = 30.0


@dataclass
class Wish:
    """What one client wants; `trace` is a folder in which the model tells what it does."""

    name: str
    count: int
    every_s: float = 0.0
    fails_at: int = -1
    hangs_at: int = -1
    size: int = 0
    trace: str = ""


@dataclass
class Telling:
    """One client's answer as it grows."""

    wish: Wish
    told: int = 0
    over: bool = False
    mates: set[str] = field(default_factory=set)

    def next(self, mates: list[str]) -> Any:
        """Give the next item, which names who was there."""
        if self.told == self.wish.fails_at:
            self.over = True
            return ValueError("a secret of the model")
        if self.told >= self.wish.count:
            self.over = True
            return hr.DONE
        self.told += 1
        item = {"name": self.wish.name, "n": self.told - 1, "mates": sorted(mates)}
        return {**item, "more": "x" * self.wish.size} if self.wish.size else item


def trace(wish: Wish, word: str) -> None:
    """Leave a file behind."""
    if wish.trace:
        (Path(wish.trace) / f"{wish.name}.{word}").touch()


def rows(tellings: list[Telling]) -> list[Any]:
    """Take one step."""
    names = [telling.wish.name for telling in tellings]
    return [telling.next(names) for telling in tellings]


def pause_s(tellings: list[Telling]) -> float:
    """Say how long the step after this one takes; note it where it hangs."""
    for telling in tellings:
        if telling.told == telling.wish.hangs_at:
            trace(telling.wish, "hangs")
            return HANGS_S
    return max((telling.wish.every_s for telling in tellings), default=0.0)


@hr.deployment(route="/batch", max_batch_size=3, batch_wait_s=2.0)
class Batch(hr.Model):
    """One generator for a batch."""

    def predict_batch(self, wishes: list[Wish], contexts: list[hr.Context]) -> Iterator[Any]:
        """Tell each of them its items, until the last has all."""
        if any(wish.name == "poison" for wish in wishes):
            raise ValueError("a secret of the model")
        tellings = [Telling(wish) for wish in wishes]
        try:
            while tellings:
                yield rows(tellings)
                tellings = [each for each in tellings if not each.over]
                time.sleep(pause_s(tellings))
                for wish, context in zip(wishes, contexts, strict=True):
                    if context.cancelled:
                        trace(wish, "cancelled")
        finally:
            trace(wishes[0], "closed")


@hr.deployment(route="/batch-async", max_batch_size=3, batch_wait_s=2.0)
class BatchAsync(hr.Model):
    """The same, on an event loop."""

    async def predict_batch(
        self, wishes: list[Wish], contexts: list[hr.Context]
    ) -> AsyncIterator[Any]:
        """Tell each of them its items, until the last has all."""
        if any(wish.name == "poison" for wish in wishes):
            raise ValueError("a secret of the model")
        tellings = [Telling(wish) for wish in wishes]
        try:
            while tellings:
                yield rows(tellings)
                tellings = [each for each in tellings if not each.over]
                await asyncio.sleep(pause_s(tellings))
                for wish, context in zip(wishes, contexts, strict=True):
                    if context.cancelled:
                        trace(wish, "cancelled")
        finally:
            trace(wishes[0], "closed")


@hr.deployment(route="/crowd")
class Crowd(hr.Model):
    """All who are there, in step."""

    def admit(self, wish: Wish) -> Telling:
        """Begin an answer."""
        if wish.name == "poison":
            raise ValueError("a secret of the model")
        return Telling(wish)

    def step(self, tellings: list[Telling]) -> list[Any]:
        """Tell each its next item."""
        time.sleep(pause_s(tellings))
        return rows(tellings)

    def leave(self, telling: Telling) -> None:
        """Note that somebody has left."""
        trace(telling.wish, "left")


@hr.deployment(route="/crowd-async")
class CrowdAsync(Crowd):
    """The same, on an event loop."""

    async def step(self, tellings: list[Telling]) -> list[Any]:  # type: ignore[override]
        """Tell each its next item."""
        await asyncio.sleep(pause_s(tellings))
        return rows(tellings)
