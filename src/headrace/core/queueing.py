"""Who stands where in the queue: the eldest first, whoever comes back at the place of its age.

Requests are numbered as they arrive, so their numbers are their ages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

from headrace.core import poison
from headrace.core.messages import RequestId
from headrace.core.records import Ticket


def line_of(ticket: Ticket) -> OrderedDict[RequestId, Ticket]:
    """Return the line that a request waits in."""
    pool = ticket.pool
    if poison.is_suspect(ticket.deaths):
        return pool.suspects
    return pool.waiting if ticket.lower is None else pool.behind


def take(line: OrderedDict[RequestId, Ticket], count: int) -> list[Ticket]:
    """Take the `count` eldest out of a line."""
    if count == 1:  # most calls are
        return [line.popitem(last=False)[1]]
    return [line.popitem(last=False)[1] for _ in range(count)]


def take_out(line: OrderedDict[RequestId, Ticket], tickets: Sequence[Ticket]) -> list[Ticket]:
    """Take these out of a line, wherever they stand."""
    return [line.pop(ticket.id) for ticket in tickets]


def leave(ticket: Ticket) -> None:
    """Take one request out of its line: nobody waits for it any more."""
    del line_of(ticket)[ticket.id]
    ticket.pool.queued_bytes -= ticket.size_bytes


def put_back(tickets: Sequence[Ticket]) -> None:
    """Let requests of one deployment wait again, as if they had never been sent."""
    for ticket in tickets:
        ticket.pool.queued_bytes += ticket.size_bytes
    for line in {id(line): line for line in map(line_of, tickets)}.values():
        back = {ticket.id: ticket for ticket in tickets if line_of(ticket) is line}
        elder = takewhile(max(back).__gt__, line)
        front = sorted([*elder, *back], reverse=True)
        line.update(back)
        for number in front:
            line.move_to_end(number, last=False)
