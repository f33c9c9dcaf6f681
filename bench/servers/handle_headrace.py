"""Ten megabytes through a handle: a model asks another, and looks at its clock.

`sync` waits for each answer, `awaits` awaits it; either tells what each call took, in seconds.
"""

from time import perf_counter
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

import headrace as hr

Array = NDArray[np.float32]
COUNT = 2_500_000  # of 4 bytes each


class Times(TypedDict):
    """Seconds: of a copy in memory, of a call with the array, of one that brings it back too."""

    copies: list[float]
    there: list[float]
    back: list[float]


class Callee(hr.Model):
    """Take an array."""

    def predict(self, array: Array) -> int:
        """Look at both its ends; answer how long it is."""
        assert array[0] == array[-1] == 1
        return array.nbytes

    def same(self, array: Array) -> Array:
        """Send it back."""
        return array


class Sync(hr.Model):
    """Ask from code that cannot await."""

    def __init__(self, callee: hr.Handle) -> None:
        self.callee = callee

    def predict(self, calls: int) -> Times:
        """Call so many times, each way in turn."""
        array, room = np.ones(COUNT, np.float32), np.zeros(COUNT, np.float32)
        told = Times(copies=[], there=[], back=[])
        for _ in range(calls):
            told["copies"].append(copied(array, room))
            began = perf_counter()
            length = self.callee(array).result()
            told["there"].append(perf_counter() - began)
            began = perf_counter()
            again = self.callee.same(array).result()
            told["back"].append(perf_counter() - began)
            assert length == again.nbytes == array.nbytes
        return told


class Awaits(hr.Model):
    """Ask from code that awaits."""

    def __init__(self, callee: hr.Handle) -> None:
        self.callee = callee

    async def predict(self, calls: int) -> Times:
        """Call so many times, each way in turn."""
        array, room = np.ones(COUNT, np.float32), np.zeros(COUNT, np.float32)
        told = Times(copies=[], there=[], back=[])
        for _ in range(calls):
            told["copies"].append(copied(array, room))
            began = perf_counter()
            length = await self.callee(array)
            told["there"].append(perf_counter() - began)
            began = perf_counter()
            again = await self.callee.same(array)
            told["back"].append(perf_counter() - began)
            assert length == again.nbytes == array.nbytes
        return told


def copied(array: Array, room: Array) -> float:
    """Copy it within memory; return the seconds."""
    began = perf_counter()
    np.copyto(room, array)
    return perf_counter() - began


sync = hr.bind(Sync, hr.bind(Callee))
awaits = hr.bind(Awaits, hr.bind(Callee))
