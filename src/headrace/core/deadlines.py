"""Which requests are late: a heap of deadlines that does not grow with those that ended in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from headrace.core.messages import RequestId
from headrace.core.records import Ticket

COMPACT_ABOVE = 64  # ended requests that may stay in the heap beyond as many as are live


@dataclass(slots=True)
class Deadlines:
    """Every live request's deadline; an ended one's stays until it is in the way."""

    heap: list[tuple[float, RequestId]] = field(default_factory=list)
    most: int = COMPACT_ABOVE
    """It was no longer than this when the last one was added."""

    def add(self, deadline: float, request: RequestId, live: Collection[RequestId]) -> None:
        """Remember when a request is late; forget those that ended once they are the most."""
        heappush(self.heap, (deadline, request))
        self.most = 2 * len(live) + COMPACT_ABOVE
        if len(self.heap) > self.most:
            self.heap = [entry for entry in self.heap if entry[1] in live]
            heapify(self.heap)

    def late(self, now: float, live: Mapping[RequestId, Ticket]) -> list[RequestId]:
        """Take out the requests whose deadline has passed; a stream's may have moved meanwhile."""
        found: list[RequestId] = []
        while self.heap and self.heap[0][0] <= now:
            ticket = live.get(heappop(self.heap)[1])
            if ticket is None:
                continue
            if ticket.deadline <= now:
                found.append(ticket.id)
            else:
                heappush(self.heap, (ticket.deadline, ticket.id))
        return found

    def next_at(self) -> float:
        """The next deadline, maybe an ended request's: a needless alarm costs less than order."""
        return self.heap[0][0] if self.heap else float("inf")
