"""Wait for what ends by itself, and no longer than needed."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], within_s: float = 5.0, every_s: float = 0.005) -> bool:
    """Return whether the condition became true in time; assert on it, or name what is missing."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(every_s)
    return True
