"""How many requests end per second, as measured."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 5.0


@dataclass(slots=True)
class Flow:
    """Counts endings over the last one to two windows, from `mark` on."""

    mark: float = 0.0
    before: float = 0.0
    ended: int = 0
    ended_at_mark: int = 0
    ended_before: int = 0
    window_s: float = WINDOW_S

    def roll(self, now: float) -> None:
        """Begin a new window if this one is over; call it often, it is one comparison."""
        if now >= self.mark + self.window_s:
            idle = (
                now >= self.mark + 2 * self.window_s
            )  # nobody called: what was before says nothing now
            self.before, self.ended_before = self.mark, self.ended_at_mark
            self.mark, self.ended_at_mark = now, self.ended
            if idle:
                self.before, self.ended_before = now, self.ended

    def rate(self, now: float) -> float:
        """Requests per second; 0 where nothing was measured."""
        seconds = now - self.before
        return (self.ended - self.ended_before) / seconds if seconds > 0 else 0.0
