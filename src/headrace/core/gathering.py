"""Whether a batch that could go waits a little for those who were just answered.

Clients that are answered together come back together. A replica that takes what is there at the end
of a call leaves them to the next one: the crowd splits in halves that take turns, and every call
pays its fixed cost b (of t = a*n + b) for half a batch. To wait for them costs each that is here
the time it takes; it saves each that comes most of a call. So wait while

    those still expected * b  >  MARGIN * those here * the time until they are here.

Requests that come steadily, in no rhythm, never make this true: while a call of t >= b seconds ran,
`rate * t` of them gathered, more than `rate * b`. Nor does a single client, nor the first request
after a pause. Rejected: a window of fixed length; it is too long alone and too short in a crowd.
"""

from __future__ import annotations

from math import inf

from headrace.core import batching
from headrace.core.batching import Returns
from headrace.core.records import Copy, Pool

MARGIN = 1.5
PATIENCE = 1.25
"""How much longer than usual to wait for them."""
FEWEST = 0.5
LEAST_S = 0.002
"""A fixed cost below this is not worth a timer."""


def weigh(pool: Pool, copy: Copy, room: int, now: float) -> tuple[int, float]:
    """Return how many of those who wait to send to this replica now, and else when to ask again."""
    waiting, max_wait_s = len(pool.waiting), pool.policy.batch.max_wait_s
    if waiting >= room:
        return room, now
    eldest = next(iter(pool.waiting.values())).arrived
    count = batching.due(waiting, eldest, room, max_wait_s, now)
    if not count:
        return 0, eldest + max_wait_s
    if pool.policy.slots or pool.returns.horizon_s < LEAST_S:
        return count, now
    answering = sum(len(call.tickets) for call in copy.calls.values())
    until = _worth_waiting_until(pool.returns, waiting, answering, now)
    return (0, until) if until > now else (count, now)


def _worth_waiting_until(returns: Returns, waiting: int, answering: int, now: float) -> float:
    if answering:  # it is busy: this would be its next call, sent ahead
        left_s, missing, until = returns.usual_s, returns.share * answering, inf
    else:
        left_s = returns.ended_at + returns.usual_s - now
        missing = returns.share * returns.answered - returns.came
        until = returns.ended_at + returns.usual_s * PATIENCE
    pays = missing * returns.horizon_s > MARGIN * waiting * left_s
    return until if missing >= FEWEST and pays else now
