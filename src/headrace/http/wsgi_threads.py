"""The threads that run a WSGI application, and the way their answers take back to the loop.

A thread each for as many requests at once as the settings allow; they wait at one queue. What they
have to tell goes into one outbox, and the loop is woken once for all that is in it. They are no
daemons: what an application starts in a view would inherit that, and not be waited for at a stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from headrace.http.wsgi_call import Call

log = logging.getLogger("headrace.http")
JOIN_S = 1.0
LOOK_EVERY_S = 1.0
Work = Callable[[Call], None]


class Threads:
    """A fixed number of threads, of one event loop."""

    def __init__(self, number: int, work: Work, look: Work, hang_after_s: float) -> None:
        """`work` is done in a thread, `look` in the loop; a call that hangs is told in the log."""
        self._loop = asyncio.get_running_loop()
        self._work, self._look, self._hang_after_s = work, look, hang_after_s
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._outbox: deque[Call] = deque()
        self._is_woken = False
        self._waiting: set[Call] = set()  # those without an answer
        self._running: list[Call | None] = [None] * number
        self._watch = self._loop.call_later(LOOK_EVERY_S, self._look_for_hangs)
        self._threads = [
            threading.Thread(target=self._run, args=(at,), name=f"headrace-wsgi-{at}", daemon=False)
            for at in range(number)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether a call has no answer yet, or still runs behind its answer."""
        return bool(self._waiting) or any(self._running)

    def put(self, call: Call) -> None:
        """Let the next free thread take this call."""
        self._waiting.add(call)
        self._calls.put(call)

    def post(self, call: Call) -> None:
        """Have the loop look at this call soon; from any thread."""
        self._outbox.append(call)
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._empty_outbox)

    def close(self) -> None:
        """End the threads that have nothing to do; a thread that hangs is left behind, and told."""
        self._watch.cancel()
        for call in self._waiting:
            call.leave()
        for _ in self._threads:
            self._calls.put(None)
        until = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for hung in self._running:
            if hung is not None:
                log.warning("%s was cut off by the stop; it was at\n%s", _name(hung), _stack(hung))

    def _run(self, at: int) -> None:
        running = self._running
        while (call := self._calls.get()) is not None:
            running[at] = call
            self._work(call)
            running[at] = None
            del call  # else the last request of a quiet server would be kept

    def _empty_outbox(self) -> None:
        self._is_woken = False  # before the looking: what is posted from here on wakes us again
        outbox = self._outbox
        while outbox:
            call = outbox.popleft()
            if call.ended:
                self._waiting.discard(call)
            self._look(call)

    def _look_for_hangs(self) -> None:
        self._watch = self._loop.call_later(LOOK_EVERY_S, self._look_for_hangs)
        now = time.monotonic()
        for call in self._running:
            if call is not None and now > call.began + self._hang_after_s and not call.was_told:
                call.was_told = True
                seconds = now - call.began
                words = "%s has run for %.0f s; it is at\n%s"
                log.warning(words, _name(call), seconds, _stack(call))


def _name(call: Call) -> str:
    return f"request {call.label.decode()} ({call.scope['method']} {call.scope['path']})"


def _stack(call: Call) -> str:
    frame = sys._current_frames().get(call.thread)  # noqa: SLF001 - the documented way, for debuggers
    return "".join(traceback.format_stack(frame)).rstrip() if frame else "over by now"
