"""The way from code to the engine where there is no event loop: whoever waits reads by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from headrace.model.handle import NoLine
from headrace.model.progress import use_progress
from headrace.replica.end import End
from headrace.replica.frames import Answered, AnswerParts, News, pack
from headrace.replica.lines import Line
from headrace.replica.pending import Pending
from headrace.replica.progressing import Progressing, by_timer
from headrace.replica.reading import Reading


class LeafLine(Line):
    """From hooks on the main thread, and from threads that they started.

    A stop is let through while a call waits, never while it writes or files what it has read.
    """

    def __init__(self, end: End, *, batched: bool) -> None:
        """Hear of answers from now on."""
        super().__init__(end.bodies.lend, batched=batched)
        self._end = end
        self.reading = Reading(end)
        end.words.give(Answered, self.hear)
        end.words.give(AnswerParts, self.hear)
        self._progressing = Progressing(self.tell, by_timer)
        use_progress(self._progressed)

    def _progressed(self, serial: int, place: int, done: float, total: float, note: str) -> None:
        self._end.bodies.ahead = self._progressing.frames
        with self._as_a_whole():
            self._progressing.told(serial, place, done, total, note)

    def wait(self, pending: Pending, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """See `pending.Way`."""
        try:
            return self.reading.wait(ready, timeout_s)
        except BaseException:
            pending.cancel()
            raise

    def help(self, ready: Callable[[], bool]) -> None:
        """See `pending.Way`. A loop that user code has started knows nothing of our socket."""
        asyncio.get_running_loop().run_in_executor(None, self._read_for, ready)

    def _read_for(self, ready: Callable[[], bool]) -> None:
        with contextlib.suppress(BaseException):  # the loop's own task hears of an end
            self.reading.wait(ready, None)

    def orphaned(self, pending: Pending) -> None:
        """See `pending.Way`."""
        if pending.is_sole:
            self._end.guard.forestall(pending.serial)

    def _say(self, news: News) -> None:
        try:
            self._end.send(pack(news))
        except ConnectionError:
            raise NoLine("the server is gone") from None

    def _as_a_whole(self) -> contextlib.AbstractContextManager[None]:
        return self._end.guard.shield()
