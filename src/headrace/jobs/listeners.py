"""Who is told of what changed: each on the event loop it listens on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from headrace.interfaces import Change

Heard = Callable[[Sequence[Change]], None]


class Listeners:
    """Told in the thread that writes, after what changed is written down."""

    def __init__(self) -> None:
        """Begin with none."""
        self._all: dict[object, tuple[asyncio.AbstractEventLoop | None, Heard]] = {}

    def add(self, heard: Heard) -> Callable[[], None]:
        """Tell `heard` on this thread's event loop, or in the writer's thread; return its end."""
        mark = object()
        self._all[mark] = (asyncio._get_running_loop(), heard)  # noqa: SLF001 - as in answers.py
        return lambda: self._end(mark)

    def _end(self, mark: object) -> None:
        self._all.pop(mark, None)

    def tell(self, changes: Sequence[Change]) -> None:
        """Pass this on."""
        for loop, heard in list(self._all.values()):
            if loop is None:
                heard(changes)
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(heard, changes)
