"""A request of the lower class comes: it may wait however many others do, behind all of them.

How many there are is bounded by whoever brings them, see jobs/runner.py; the queue's own bounds are
for clients that wait.
"""

from __future__ import annotations

from math import inf

from headrace.core import admission
from headrace.core.draining import Stage
from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId, RequestId, Why
from headrace.core.records import Lower, Pool, Ticket
from headrace.errors import Draining, ImpossibleStep

_SUSPECT = (Why.CRASHED,)


def arrived(
    engine: Engine,
    request: RequestId,
    deployment: DeploymentId,
    lower: Lower,
    now: float,
    model_id: str = "",
) -> None:
    """Let it wait for its turn. Raises Draining and StillLoading."""
    if request <= engine.last:
        raise ImpossibleStep(f"request {request} is not above {engine.last}")
    pool = engine.pools[deployment]
    if ends(engine, pool):
        raise Draining("the server is shutting down")
    if not pool.ever_ready or pool.is_closing:
        admission.knock(pool, now)
    engine.last = request
    ticket = Ticket(request, pool, now, inf, model_id=model_id)
    ticket.lower, ticket.repeatable = lower, False
    if lower.is_suspect:
        ticket.deaths = _SUSPECT
    engine.tickets[request] = ticket
    pool.join_behind(ticket, now)


def ends(engine: Engine, pool: Pool) -> bool:
    """Tell if a deployment takes nothing new any more."""
    return engine.shutdown.stage is not Stage.OPEN or pool.exit.stage is not Stage.OPEN


def has_begun(engine: Engine, request: RequestId) -> bool:
    """Tell if a request was sent to a replica, or is no more."""
    ticket = engine.tickets.get(request)
    return ticket is None or ticket.call is not None
