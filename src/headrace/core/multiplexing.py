"""Which request goes to which replica where each holds models of its own, the few last used.

A call holds requests for one model only. It goes where its model is, if there is room; a model that
is nowhere goes to the replica that holds the fewest. What to do where every holder is full is the
question of whether to rent or to buy: to wait costs time, to load it elsewhere as well costs a load
(and another model its place), and nobody knows how long the holder will be busy. So a request waits
as long as a load takes, and then goes wherever there is room: at most twice what the better choice
would have cost. A model that stays hot gets a second home that way.

The eldest go first, with one exception: a request that has no home lets those pass whose model is
there, `PASSES` times in a row at most. Without it a queue that is never empty makes each replica
take whatever comes next, and load for nearly every request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

from headrace.core import batching, routing, sending
from headrace.core.messages import ReplicaId, RequestId
from headrace.core.records import Copy, Pool, Ticket
from headrace.core.register import Register

PASSES = 16
LOOK = 256
"""So many of the eldest are looked at: a queue of any length costs the same."""
UNKNOWN_LOAD_S = 1.0
"""What a load is taken to cost before the first one was measured."""
WEIGHT = 0.25
"""Of the newest load."""


class Next(NamedTuple):
    """The call to send now; without a replica there is none, and it is to be asked `again_at`."""

    copy: Copy | None
    tickets: Sequence[Ticket] = ()
    passes: bool = False
    """Whether somebody elder has no home, and is let wait."""
    again_at: float = inf


# --- events ------------------------------------------------------------------------------


def holds(register: Register, replica: ReplicaId, models: Collection[str], load_s: float) -> None:
    """A replica tells which models it has now; the newest took `load_s` to load, if it is above 0.

    Nothing is to be done about it: who waits for a home waits for room in it.
    """
    copy = register.fleet.copies.get(replica)
    if copy is None:
        return
    pool, copy.models = copy.pool, frozenset(models)
    if load_s > 0:
        pool.model_loads += 1
        known_s = pool.model_load_s
        pool.model_load_s = load_s if known_s < 0 else known_s + WEIGHT * (load_s - known_s)


# --- judgements --------------------------------------------------------------------------


def patience_s(pool: Pool) -> float:
    """How long a request waits for room where its model is."""
    return pool.model_load_s if pool.model_load_s >= 0 else UNKNOWN_LOAD_S


def has(copy: Copy, model: str) -> bool:
    """Tell whether a replica has a model, or will have: it was sent requests for it."""
    return model in copy.models or model in copy.asked


def next_call(
    pool: Pool, line: OrderedDict[RequestId, Ticket], copies: Sequence[Copy], now: float
) -> Next:
    """Return the next call of a line for one of these replicas."""
    rooms = [(copy, places) for copy in copies if (places := sending.room(copy, now)) > 0]
    again_at = routing.opens_at(copies, now)
    homeless: Next | None = None
    for model, tickets in _lanes(line).items() if rooms else ():
        eldest, home = tickets[0].arrived, _home(rooms, model)
        copy, places = home or min(rooms, key=_least)
        count = batching.due(len(tickets), eldest, places, pool.policy.batch.max_wait_s, now)
        gives_up_at = eldest + patience_s(pool) if home is None and _is_held(pool, model) else now
        if not count:
            again_at = min(again_at, eldest + pool.policy.batch.max_wait_s)
        elif now < gives_up_at:
            again_at = min(again_at, gives_up_at)
        elif home is not None:
            return Next(copy, tickets[:count], passes=homeless is not None)
        elif homeless is None:
            homeless = Next(copy, tickets[:count])
            if pool.passed >= PASSES:
                break
    return homeless or Next(None, again_at=again_at)


def _lanes(line: OrderedDict[RequestId, Ticket]) -> dict[str, list[Ticket]]:
    """Return those who wait by the models they want, each lane and all of them by age."""
    lanes: dict[str, list[Ticket]] = {}
    for ticket in islice(line.values(), LOOK):
        lanes.setdefault(ticket.model_id, []).append(ticket)
    return lanes


def _home(rooms: Sequence[tuple[Copy, int]], model: str) -> tuple[Copy, int] | None:
    """Return the replica with room that has a model, and least to do; any will do for no model."""
    there = [room for room in rooms if not model or has(room[0], model)]
    return min(there, key=lambda room: sending.load(room[0]), default=None)


def _is_held(pool: Pool, model: str) -> bool:
    """Tell whether it is worth waiting: a replica has the model that goes on taking calls."""
    return any(has(copy, model) for copy in pool.copies.values() if copy.state is routing.READY)


def _least(room: tuple[Copy, int]) -> tuple[int, float]:
    copy = room[0]
    return len(copy.models | copy.asked.keys()), sending.load(copy)
