"""What is counted of jobs since this server began, as plain integers."""

from __future__ import annotations

from collections import Counter

from headrace.core.attempts import Said
from headrace.core.jobs import ENDED, Status
from headrace.interfaces import Change


class Tallies:
    """Of one server."""

    def __init__(self) -> None:
        self.submitted: Counter[str] = Counter()
        """By endpoint; what came again with its key or id is not counted again."""
        self.ended: Counter[tuple[str, Status]] = Counter()
        """By endpoint and status."""
        self.said: Counter[Said] = Counter()
        """What was said at the ends of attempts."""
        self.stale = 0
        """Of these, how many counted no more."""

    def changed(self, change: Change) -> None:
        """Count the end of a job."""
        if change.status in ENDED:
            self.ended[change.endpoint, change.status] += 1
