"""How many replicas a deployment may have: a number, or a range to move in by the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Replicas = int | tuple[int, int] | Literal["auto"]
"""So many; from the least to the most; or from one to a machine's cores."""
AUTO = "auto"
WISH = 'a whole number of 1 or more, (least, most) such as (1, 4) or (0, 2), or "auto"'


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most` replicas, both of them allowed."""

    least: int
    most: int

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.least == self.most

    @property
    def at_first(self) -> int:
        """How many there are when it is loaded."""
        return max(self.least, 1)

    @property
    def words(self) -> str:
        """Say it to people."""
        return f"{self} replica{'s' if self.most != 1 else ''}"

    def __str__(self) -> str:
        return f"{self.most}" if self.is_fixed else f"{self.least} to {self.most}"


def range_of(replicas: Replicas, cores: int) -> Range:
    """Return what the option means on a machine with so many cores."""
    if isinstance(replicas, int):
        return Range(replicas, replicas)
    if isinstance(replicas, str):
        return Range(1, cores)
    least, most = replicas
    return Range(int(least), int(most))


def least_of(replicas: Replicas) -> int:
    """Return how many there are at the least, on any machine."""
    return range_of(replicas, 1).least


def read_replicas(text: str) -> Replicas:
    """Return what a text such as `4`, `1,4` or `auto` says. Raises ValueError."""
    if text.strip() == AUTO:
        return "auto"
    numbers = tuple(int(part) for part in text.strip("[]() ").split(","))
    match numbers:
        case (number,):
            return number
        case (least, most):
            return (least, most)
        case _:
            raise ValueError(text)


def check_replicas(value: object) -> str | None:
    """Say what is wanted if the value is no such number."""
    return None if _fits(value) else WISH


def _fits(value: object) -> bool:
    if isinstance(value, str):
        return value == AUTO
    if _is_whole(value):
        return value >= 1  # type: ignore[operator] # a whole number it is
    if not isinstance(value, Sequence) or not all(map(_is_whole, value)):
        return False
    return len(value) == 2 and 0 <= value[0] <= value[1] >= 1  # noqa: PLR2004 - a pair


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
