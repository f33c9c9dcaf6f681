"""Threads that an application started, has not made daemons, and that have work to do.

A pool keeps its threads while they idle, and Python ends those by itself. Such a thread stands in
the library's own code alone; one that works has a frame of somebody else's.
"""

from __future__ import annotations

import concurrent.futures.thread
import queue
import sys
import threading
from collections.abc import Collection, Mapping
from types import FrameType

POOLS = (threading.__file__, queue.__file__, concurrent.futures.thread.__file__)
ANYIO = "/anyio/_backends/_asyncio.py"


def at_work(before: Collection[threading.Thread]) -> list[threading.Thread]:
    """Return those that were not there before and that a stop is to wait for."""
    frames = sys._current_frames()  # noqa: SLF001 - the documented way, for debuggers
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread not in before and not _idles(thread, frames)
    ]


def _idles(thread: threading.Thread, frames: Mapping[int, FrameType]) -> bool:
    frame: FrameType | None = frames.get(thread.ident or 0)
    if frame is None or isinstance(thread, threading.Timer):  # a timer's work is still to come
        return False
    while frame is not None:
        name = frame.f_code.co_filename
        if name not in POOLS and not name.endswith(ANYIO):
            return False
        frame = frame.f_back
    return True
