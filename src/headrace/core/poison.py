"""What to do with the requests that a dead replica had begun: try again alone, or end them.

A crash (a fatal signal of its own making, an exit) is blamed on the call that ran: one more try,
each request alone, one suspect in a replica at a time, so that the one that kills is found and only
it fails. SIGKILL comes from outside and proves nothing: three attempts. No deadline is stretched
for it.
"""

from __future__ import annotations

from headrace.core.messages import Why
from headrace.core.records import Call

CRASHES = 2
KILLS = 3


def is_suspect(deaths: tuple[Why, ...]) -> bool:
    """Tell if a request is to run alone: a replica that ran it with others has crashed."""
    return Why.CRASHED in deaths


def try_again(deaths: tuple[Why, ...], *, allowed: bool) -> bool:
    """Tell if a request is to run once more, whose replicas ended like that while they ran it.

    Crashes and kills are counted apart: a request that was killed and then shared a batch with one
    that crashes has yet to be tried alone.
    """
    crashes = deaths.count(Why.CRASHED)
    return allowed and crashes < CRASHES and len(deaths) - crashes < KILLS


def is_proven(call: Call, why: Why) -> bool:
    """Tell if a call alone can have crashed its replica: it is one request, and no other ran."""
    begun = [each for each in call.copy.calls.values() if not each.recalled]
    return why is Why.CRASHED and len(begun) == 1 and len(call.tickets) == 1
