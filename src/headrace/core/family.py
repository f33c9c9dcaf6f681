"""Parent and child requests: deadlines shrink downwards, endings cascade downwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace.core.messages import RequestId
from headrace.core.records import Ticket


@dataclass(slots=True)
class Families:
    """Who is whose child, among the requests that are not closed. Detached ones are nobody's."""

    children: dict[RequestId, set[RequestId]] = field(default_factory=dict)
    """Empty in most servers: asking that first spares every request two calls."""

    def born(self, child: RequestId, parent: RequestId) -> None:
        """Remember a child of `parent`."""
        self.children.setdefault(parent, set()).add(child)

    def closed(self, ticket: Ticket) -> None:
        """Forget a request, if it is one of somebody's children."""
        if ticket.parent is None or ticket.parent not in self.children:
            return
        siblings = self.children[ticket.parent]
        siblings.discard(ticket.id)
        if not siblings:
            del self.children[ticket.parent]

    def orphaned(self, parent: RequestId) -> list[RequestId]:
        """Take out the children that `parent`'s end ends too, in the order of their ids."""
        return sorted(self.children.pop(parent, ()))
