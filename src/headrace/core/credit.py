"""How much of a streamed answer may be under way before its reader has taken some of it.

A replica may send `WINDOW` parts of an answer that nobody has acknowledged; a reader that takes
them gives it new credit in portions, so that not each part costs a message back.
"""

from __future__ import annotations

WINDOW = 32
PORTION = 8


def grant(taken: int) -> int:
    """Return how many more parts to allow, once so many were taken since the last grant."""
    return 0 if taken < PORTION else taken
