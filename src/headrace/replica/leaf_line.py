"""The way from code to the engine where there is no event loop: whoever waits reads by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from headrace.model.handle import NoLine
from headrace.replica.end import End
from headrace.replica.frames import Answered, AnswerParts, News, pack
from headrace.replica.lines import Line
from headrace.replica.pending import Pending
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
