"""One thread that serves together all that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from headrace.errors import Draining
from headrace.jobs.answers import Later, settled

T = TypeVar("T")
MOST_TOGETHER = 128
"""A turn takes no more: while half of a crowd is written down, the other half can ask."""


class Errand(NamedTuple):
    """Something to be done, and who waits for it."""

    deed: Callable[[], Any]
    answer: Later[Any]
    durable: bool = False
    """Its answer is not to be lost with the machine's power."""
    finally_: Callable[[], None] | None = None
    """What is to be done after it, in the same thread, however it ended."""


class Desk:
    """A thread and its queue; `serve` gets one to `MOST_TOGETHER` errands, and answers each."""

    def __init__(self, name: str, serve: Callable[[Sequence[Errand]], None]) -> None:
        """Open at once."""
        self._serve = serve
        self._waiting: SimpleQueue[Errand | None] = SimpleQueue()
        self._door = threading.Lock()
        self._is_open = True
        # A daemon, so that a program that forgets to close its store can end; SQLite can bear that.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, deed: Callable[[], T], *, durable: bool = False) -> Later[T]:
        """Have something done."""
        answer: Later[T] = Later()
        self.put(Errand(deed, answer, durable))
        return answer

    def put(self, errand: Errand) -> None:
        """Have something done for somebody who has the answer already."""
        with self._door:
            if self._is_open:
                self._waiting.put(errand)
                return
        if errand.finally_ is not None:
            errand.finally_()
        settled([(errand.answer, None, Draining("the job store is closed"))])

    def close(self) -> None:
        """Do what was asked for until now, then end; returns when that is done."""
        with self._door:
            if self._is_open:
                self._waiting.put(None)
            self._is_open = False
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, ends = [first], False
            for _ in range(min(self._waiting.qsize(), MOST_TOGETHER - 1)):
                errand = self._waiting.get()
                if errand is None:
                    ends = True
                else:
                    group.append(errand)
            self._serve(group)
            if ends:
                return
