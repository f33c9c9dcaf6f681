"""Express lanes with something around them, made as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from headrace.host.connection import Lane


class Around(Mapping[str, Lane]):
    """The lanes of `inner`, each within what `wrap` makes of it."""

    def __init__(self, inner: Mapping[str, Lane], wrap: Callable[[Lane], Lane]) -> None:
        self._inner, self._wrap = inner, wrap
        self._made: dict[Lane, Lane] = {}

    def __getitem__(self, path: str) -> Lane:
        lane = self._inner[path]
        if lane not in self._made:
            self._made[lane] = self._wrap(lane)
        return self._made[lane]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)
