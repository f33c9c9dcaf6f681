"""Who is let in when the server is full, and who has to go for it.

A connection on which we owe nothing, idle or still at its headers, makes room: whoever has been so
the longest goes first, so clients that only hold connections keep nobody out. Where all of them
have requests under way, a newcomer is let in on probation: for a probe of `/-/health/`, which is
answered, or to be told 503.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import Enum, auto
from typing import Protocol

SPARE_CONNECTIONS = 64
SETTLED_AFTER_S = 1.0
LOOK_EVERY_S = 0.1
SHARE = 32


class Entry(Enum):
    """How a newcomer is received."""

    WELCOME = auto()
    PROBATION = auto()
    AWAY = auto()


class Guest(Protocol):
    """A connection, as the doorkeeper sees it."""

    @property
    def waiting_since(self) -> float:
        """Since when we owe it nothing and wait for a request; infinite if that is not so."""

    def leave(self) -> None:
        """Close it at once."""


class Doorkeeper:
    """Keeps one server's connections below `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._looked_at = -math.inf

    def receive(self, guests: Collection[Guest], now: float) -> Entry:
        """Decide about the newest guest, who is counted already; make room if there is none."""
        over = len(guests) - self.limit
        if over <= 0:
            return Entry.WELCOME
        if now > self._looked_at + LOOK_EVERY_S:  # it looks at everyone: not for every newcomer
            self._looked_at = now
            self._make_room(guests, now)
        return Entry.PROBATION if over <= SPARE_CONNECTIONS else Entry.AWAY

    def has_room(self, guests: Collection[Guest]) -> bool:
        """Tell whether a guest on probation is welcome by now."""
        return len(guests) <= self.limit

    def _make_room(self, guests: Collection[Guest], now: float) -> None:
        before = now - SETTLED_AFTER_S
        waiting = sorted([guest for guest in guests if guest.waiting_since < before], key=_since)
        for guest in waiting[: max(1, self.limit // SHARE)]:
            guest.leave()


def _since(guest: Guest) -> float:
    return guest.waiting_since
