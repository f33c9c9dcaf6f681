"""How many calls of a sync model run at once in a copy: one, unless its options ask for more."""

from __future__ import annotations

from headrace.model.deployment import Options


def threads_for(options: Options, layout: str, streams: str) -> int:
    """Return how many threads run calls side by side; 1 is the main thread alone."""
    if layout != "sync" or streams:
        return 1
    return options.max_ongoing_requests or 1
