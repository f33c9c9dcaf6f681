"""How the server is, for people and probes: deployments, replicas, states, and why."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from headrace.core.admission import not_loaded
from headrace.core.draining import Stage
from headrace.core.loading import Presence
from headrace.core.records import Copy, Pool
from headrace.core.replicas import State
from headrace.core.scaling import in_words
from headrace.core.waking import needed_bytes
from headrace.runtime.driver import Driver


@dataclass(frozen=True, slots=True)
class Status:
    """One word and what stands behind it."""

    state: str
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether any deployment has a replica, none loads, and new requests are let in."""
        return self.state in ("ok", "degraded")


def status_of(driver: Driver) -> Status:
    """Return the server's status: loading, ok, degraded, down, or draining."""
    pools = driver.roster.serving(driver.engine.pools)
    shutdown = driver.engine.shutdown
    draining = shutdown.notice.given or shutdown.stage is not Stage.OPEN
    state = "draining" if draining else in_all(set(map(_counts_as, pools.values())))
    told = {name: _describe(pool, driver) for name, pool in pools.items()}
    for name, said in told.items():
        if others := driver.roster.beside(driver.engine.pools, name):
            said["beside"] = [_describe_other(pool, driver) for pool in others]
    return Status(state, told)


def in_all(states: AbstractSet[str]) -> str:
    """Return the state of a server whose deployments have these states.

    One that is down takes no other out of service: those answer as before.
    """
    if "loading" in states:
        return "loading"
    if states == {"down"}:
        return "down"
    return "degraded" if states & {"degraded", "down"} else "ok"


def pool_state(pool: Pool) -> str:
    """Return a deployment's state: asleep, loading, ok, degraded (some are missing), down (all)."""
    if pool.rest.presence in (Presence.ASLEEP, Presence.SHUT):
        return "asleep"
    ready = sum(copy.state is State.READY for copy in pool.copies.values())
    if not pool.ever_ready:
        return "loading"
    if not ready:
        return "down"
    return "ok" if ready >= _needed(pool) else "degraded"


def _needed(pool: Pool) -> int:
    """Return how many replicas must be ready; those that a load brings may take their time."""
    scale = pool.policy.scale
    return pool.wanted if scale is None or pool.restarts else scale.floor


def _counts_as(pool: Pool) -> str:
    """Return its state as a server's readiness sees it: what nobody waits for may as well sleep."""
    state = pool_state(pool)
    return "asleep" if state == "loading" and not pool.rest.gates else state


def _coming(pool: Pool, driver: Driver) -> dict[str, Any]:
    """Say why it is not loaded, since when, and what its timetable says."""
    rest, now = pool.rest, driver.clock()
    taken = pool.ever_ready and not pool.is_closing
    return {
        "since_s": round(now - rest.since, 3),
        "why": None if taken else str(not_loaded(pool, now)),
        "next_load_at": rest.opens or None,
        "next_unload_at": rest.closes or None,
        "memory_needed_bytes": needed_bytes(pool) or None,
    }


def _describe(pool: Pool, driver: Driver) -> dict[str, Any]:
    pace = pool.pace
    return {
        "state": pool_state(pool),
        **_coming(pool, driver),
        "queued": pool.queued,
        "replicas_wanted": pool.wanted,
        "replicas": [_describe_copy(copy, driver) for copy in pool.copies.values()],
        "scaling": _describe_scaling(pool),
        "health": _describe_health(pool),
        "restarts_planned": len(pool.restarts),
        "calls": pace.calls,
        "requests": pace.requests,
        "mean_batch": round(pace.requests / pace.calls, 2) if pace.calls else None,
        "mean_call_s": round(pace.busy_s / pace.calls, 6) if pace.calls else None,
        "batching": _describe_batching(pool),
    }


def _describe_scaling(pool: Pool) -> dict[str, Any] | None:
    """Say how many replicas there may be, and why there are as many as there are."""
    scale, gauge = pool.policy.scale, pool.gauge
    if scale is None:
        return None
    said: dict[str, Any] = {
        "least": scale.least,
        "most": scale.most,
        "target_ongoing_requests": scale.target,
        "load": pool.live,
        "capacity": pool.wanted * scale.target,
        "why": None if gauge.last is None else in_words(gauge.last),
    }
    if gauge.lacking:
        said["lacking"] = gauge.lacking
    return said


def _describe_health(pool: Pool) -> dict[str, Any] | None:
    """Say what came of asking replicas how they are."""
    if pool.policy.health is None:
        return None
    tally = pool.tally
    return {"answers": tally.answers, "unwell": tally.unwell, "silent": tally.silent}


def _describe_other(pool: Pool, driver: Driver) -> dict[str, Any]:
    """Say of one that a reload brings, or takes away, how far that is."""
    return {
        "deployment": pool.id,
        "state": "loading" if pool.exit.stage is Stage.OPEN else "leaving",
        "requests": pool.live,
        "replicas": [_describe_copy(copy, driver) for copy in pool.copies.values()],
    }


def _describe_batching(pool: Pool) -> dict[str, Any] | None:
    """Say what calls cost, as far as that was learned, and how large they may be for it."""
    if pool.policy.batch.max_size == 1 or pool.policy.slots:
        return None
    per_item_s, fixed_s = pool.curve.line()
    return {
        "size": pool.size,
        "fixed_s": round(fixed_s, 6),
        "per_item_s": round(per_item_s, 6),
        "seen": [{"size": round(n, 1), "call_s": round(t, 6)} for n, t in pool.curve.known()],
    }


def _describe_copy(copy: Copy, driver: Driver) -> dict[str, Any]:
    replica = driver.replicas.get(copy.id)
    said: dict[str, Any] = {
        "name": copy.id,
        "pid": replica.pid if replica is not None else None,
        "state": copy.state.name.lower(),
        "running": copy.held,
    }
    if copy.pool.policy.multiplexed:
        said["models"] = sorted(copy.models)
    if copy.checkup is not None and copy.checkup.words:
        said["health"] = copy.checkup.words
    if copy.id in driver.loading:
        done, total, what = driver.loading[copy.id]
        said["loading"] = {"done": done, "total": total, "what": what}
    return said
