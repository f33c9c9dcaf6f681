"""Which bytes of a region are free. Pure arithmetic; the lowest place that fits is taken."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

PAGE_BYTES = 4096
STEPS_BITS = 4
"""Lengths have so many significant bits: few different ones, at most an eighth in vain."""


def rounded(size_bytes: int) -> int:
    """Return how much is set aside for so many bytes: whole pages, in one of few lengths."""
    unit = max(PAGE_BYTES, 1 << max(0, size_bytes.bit_length() - STEPS_BITS))
    return max(1, -(-size_bytes // unit)) * unit


class Spans:
    """The free spans of `[0, end)`, none touching another.

    Taking the lowest keeps the memory that is in use together, and what was used before warm: a
    page that was never touched costs several times its copying.
    """

    __slots__ = ("_starts", "_stops", "end", "touched")

    def __init__(self, end: int) -> None:
        self.end = end
        self.touched = 0
        """Nothing from here on was taken since the last trim."""
        self._starts, self._stops = [0], [end]

    def take(self, length: int) -> int | None:
        """Set `length` bytes aside, and return where; None where there is no such place."""
        for at, (start, stop) in enumerate(zip(self._starts, self._stops, strict=True)):
            if stop - start >= length:
                self._starts[at] = start + length
                if start + length == stop:
                    del self._starts[at], self._stops[at]
                self.touched = max(self.touched, start + length)
                return start
        return None

    def give_back(self, start: int, length: int) -> None:
        """Let a span that was taken be free again."""
        stop = start + length
        at = bisect_left(self._starts, start)
        if at < len(self._starts) and self._starts[at] == stop:  # the one behind it
            stop = self._stops[at]
            del self._starts[at], self._stops[at]
        if at and self._stops[at - 1] == start:  # the one before it
            self._stops[at - 1] = stop
        else:
            self._starts.insert(at, start)
            self._stops.insert(at, stop)

    def trim(self) -> Iterator[tuple[int, int]]:
        """Yield every free span that may hold memory, as start and length; then forget them."""
        touched, self.touched = self.touched, 0
        for start, stop in zip(self._starts, self._stops, strict=True):
            if start >= touched:
                break
            yield start, min(stop, touched) - start
        if self._starts and self._stops[-1] == self.end:
            self.touched = self._starts[-1]
        else:
            self.touched = self.end

    @property
    def free_bytes(self) -> int:
        """How much is not set aside."""
        return sum(self._stops) - sum(self._starts)
