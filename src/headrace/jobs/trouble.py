"""A store that cannot write: said in the log once, and left alone for a while that grows."""

from __future__ import annotations

import logging
import time

from headrace.core.claiming import next_pause_s
from headrace.errors import HeadraceError

log = logging.getLogger("headrace.jobs")


class Trouble:
    """What is known of it."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0
        self._words = ""

    @property
    def is_paused(self) -> bool:
        """Whether the store is to be left alone for now."""
        return time.monotonic() < self._until

    @property
    def words(self) -> str:
        """What the store said; empty where all is well."""
        return self._words

    def met(self, error: HeadraceError) -> float:
        """Note that something could not be written; return how long to wait before the next try."""
        now = time.monotonic()
        if not self._pause_s:
            log.error("jobs cannot be written down now, and are tried again: %s", error)
        self._words = str(error)
        if now >= self._until:
            self._pause_s = next_pause_s(self._pause_s)
            self._until = now + self._pause_s
        return max(self._until - now, 0.01)

    def over(self) -> None:
        """Note that something was written."""
        if self._pause_s:
            log.info("jobs can be written down again")
            self._pause_s, self._until, self._words = 0.0, 0.0, ""
