"""When to send a busy replica its next call, and when to take it back.

A replica that is sent its next call only after it answered the last one idles for a round trip each
time. So the next call leaves `WINDOW_S` before the predicted end of everything sent before it, and
not earlier: a batch frozen too soon stays small, and a request bound to a busy replica too soon
cannot go to one that falls idle. If a running call outlasts its prediction by `OVERRUN_S`, nothing
more is sent, and what waits behind it is taken back and offered to others.

Rejected: sending a full batch early, whenever there is one. It gains nothing (a long call hides the
round trip anyway) and binds requests to a replica that may not be the next one free.
"""

from __future__ import annotations

from math import inf

from headrace.core import poison
from headrace.core.messages import Recall
from headrace.core.phases import LEAVING
from headrace.core.records import Call, Copy

WINDOW_S = 0.002
OVERRUN_S = 0.010
MOST_CALLS = 256


def room(copy: Copy, now: float) -> int:
    """Return how many requests the next call to a ready replica may hold now; 0 is not now."""
    policy, calls = copy.pool.policy, copy.calls
    size = copy.pool.size
    if policy.slots:
        return min(size, policy.slots - copy.held)
    if not calls or not policy.send_ahead:
        return 0 if calls else size
    first_s = next(iter(calls.values())).predicted_s
    behind_s = copy.ahead_s - first_s
    if first_s < 0 or behind_s > WINDOW_S or len(calls) >= MOST_CALLS:
        return 0
    if not copy.since + copy.ahead_s - WINDOW_S <= now < copy.since + first_s + OVERRUN_S:
        return 0
    if size > 1 and len(calls) > 1:  # one partial batch ahead is enough to hide the round trip
        return size if len(copy.pool.waiting) + len(copy.pool.behind) >= size else 0
    return size


def head(copy: Copy) -> Call:
    """The call a leaf replica is in, or will claim next."""
    return next(iter(copy.calls.values()))


def load(copy: Copy) -> float:
    """How much a replica with room has to do: requests that it holds, or seconds of a leaf."""
    if copy.pool.policy.slots:
        return copy.held
    return copy.ahead_s if copy.calls else -1.0


def opens_at(copy: Copy) -> float:
    """When time alone lets the next call leave for a busy leaf replica; infinite if it does not."""
    policy = copy.pool.policy
    if policy.slots or not policy.send_ahead or not copy.calls or head(copy).predicted_s < 0:
        return inf
    return copy.since + copy.ahead_s - WINDOW_S


def overrun_at(copy: Copy) -> float:
    """When the calls behind the running one are to be taken back; infinite if there are none."""
    if copy.pool.policy.slots or copy.recalled_from or len(copy.calls) < 2:  # noqa: PLR2004 - one runs
        return inf
    return copy.since + max(head(copy).predicted_s, 0.0) + OVERRUN_S


def worth_recalling(call: Call) -> bool:
    """Tell if nobody waits for a call any more, and it is dearer to run than to take back."""
    cheap = 0 <= call.predicted_s <= WINDOW_S
    return not cheap and all(ticket.phase is LEAVING for ticket in call.tickets)


def has_suspect(copy: Copy) -> bool:
    """Tell if the replica has a request that is under suspicion; it gets no second one."""
    return any(
        poison.is_suspect(call.tickets[0].deaths)
        for call in copy.calls.values()
        if not call.recalled
    )


def recall(first: Call) -> Recall:
    """Take back this call and all that were sent after it; nothing is sent before they are back."""
    first.copy.recalled_from = first.serial
    return Recall(first.copy.id, first.serial)
