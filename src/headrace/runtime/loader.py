"""Tells the engine what time of day it is and what models take; tells people what it decided."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf

from headrace.core import cron, loading, waking
from headrace.core.engine import Engine
from headrace.core.loading import Load, LoadPolicy, Presence, Times, Turn
from headrace.core.messages import Action, DeploymentId, News, ReplicaId, Why
from headrace.core.records import Pool
from headrace.core.replicas import State
from headrace.core.scaling import in_words
from headrace.errors import ConfigError, StillLoading
from headrace.model.deployment import Options
from headrace.model.replicas import least_of
from headrace.runtime.driver import Driver
from headrace.runtime.resources import peak_bytes
from headrace.runtime.watcher import Watcher

log = logging.getLogger("headrace.runtime")
LONGEST_NAP_S = 30.0
"""A clock may be set, a laptop may sleep: so often the time of day is looked at again."""
SOONEST_S, LATEST_S = 1.0, 60.0
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?=: )")

WORDS: dict[News, str] = {
    News.LOADING: "is being loaded",
    News.SHORT: "waits for memory to be loaded",
    News.TOO_LARGE: "cannot be loaded",
    News.FAILED: "could not be loaded",
    News.IDLE: "is unloaded: nobody used it",
    News.EVICTED: "is unloaded: others need its memory, and nobody has used it for longest",
    News.CLOSED: "is unloaded, as its timetable says",
    News.GREW: "has more replicas",
    News.SHRANK: "has fewer replicas",
    News.CROWDED: "cannot have as many replicas as its load asks for",
}
BAD = (News.TOO_LARGE, News.FAILED, News.CROWDED)
OF_REPLICAS: dict[News, str] = {
    News.UNWELL: "is not well, and another one takes its place",
    News.SILENT: "has not answered how it is, and is ended; another one takes its place",
}


def load_policy(options: Options, *, waits: bool) -> LoadPolicy:
    """Return what a deployment's options ask for."""
    idle_s = options.idle_unload_s
    if idle_s is None and not least_of(options.replicas):
        idle_s = options.downscale_delay_s
    return LoadPolicy(
        Load[when_loaded(options).upper()],
        waits,
        idle_s,
        options.memory_needed_bytes,
        options.load_at,
        options.unload_at,
    )


def when_loaded(options: Options) -> str:
    """Return when a deployment is loaded: one that may have no replica waits for a request."""
    from_zero = options.load == "eager" and not least_of(options.replicas)
    return "lazy" if from_zero else options.load


def check_budget(options: Iterable[Options], budget_bytes: int | None) -> None:
    """Raise ConfigError if what is told of the models cannot fit."""
    if budget_bytes is None:
        return
    eager = 0
    for each in options:
        replicas = least_of(each.replicas)
        needed = (each.memory_needed_bytes or 0) * max(replicas, 1)
        eager += needed if each.load == "eager" and replicas else 0
        if needed > budget_bytes:
            raise ConfigError(
                f"{each.name} needs {needed} bytes for its {max(replicas, 1)} replicas, and "
                f"`memory_budget_bytes` is {budget_bytes}: lower the one or raise the other"
            )
    if eager > budget_bytes:
        raise ConfigError(
            f"the models that are loaded at the start need {eager} bytes together, and "
            f'`memory_budget_bytes` is {budget_bytes}: give some of them `load="lazy"`'
        )


class Loader(Watcher):
    """The engine's calendar, scales and voice; the server's own watcher stands behind it."""

    def __init__(
        self, driver: Driver, then: Watcher, wall: Callable[[], float] = time.time
    ) -> None:
        """Whatever is heard is told to `then` too; `wall` tells Unix time."""
        self._driver, self._then, self._wall = driver, then, wall
        self._plans: dict[DeploymentId, Times] = {}
        self._nap: asyncio.TimerHandle | None = None

    # --- timetables --------------------------------------------------------------------------

    def follow(self, deployments: Iterable[DeploymentId]) -> None:
        """Follow the timetables of deployments that were just brought in."""
        for deployment in deployments:
            pool = self._driver.engine.pools[deployment]
            policy = pool.policy.load
            if policy.load_at is None and policy.unload_at is None:
                continue
            self._look_up(deployment, self._wall())
            if self._plans[deployment].is_open and pool.rest.presence is Presence.SHUT:
                self._turn(deployment, Turn.WANTED)
        self.look()

    def look(self) -> None:
        """See what time it is, and do what is due."""
        now, soonest = self._wall(), inf
        for deployment in list(self._plans):
            due = loading.missed(self._plans[deployment], now)
            if due is not None:
                self._look_up(deployment, now)
                self._turn(deployment, due)
            times = self._plans[deployment]
            soonest = min(soonest, times.loads_at, times.unloads_at)
        self._wake_in(soonest - now)

    def _wake_in(self, seconds: float) -> None:
        if self._nap is not None:
            self._nap.cancel()
            self._nap = None
        if seconds < inf:
            loop = asyncio.get_running_loop()
            self._nap = loop.call_later(min(max(seconds, 0.0), LONGEST_NAP_S), self.look)

    def _look_up(self, deployment: DeploymentId, now: float) -> None:
        pool = self._driver.engine.pools[deployment]
        rest, policy = pool.rest, pool.policy.load
        times = Times(_next(policy.load_at, now), _next(policy.unload_at, now))
        self._plans[deployment] = times
        rest.opens_at = self._driver.clock() + times.loads_at - now
        rest.opens, rest.closes = local(times.loads_at), local(times.unloads_at)

    def _turn(self, deployment: DeploymentId, turn: Turn) -> None:
        event = waking.wanted if turn is Turn.WANTED else waking.unwanted

        def tell(engine: Engine, now: float) -> list[Action]:
            return event(engine, deployment, now)

        self._driver.carry(tell)

    # --- what the engine says ----------------------------------------------------------------

    def said(self, deployment: DeploymentId, news: News) -> None:
        """See `Watcher`. Put it into the log; weigh what is about to go."""
        pool = self._driver.engine.pools[deployment]
        why = _why(pool, news)
        level = logging.WARNING if news in BAD else logging.INFO
        log.log(level, "%s %s%s", self._driver.roster.name_of(deployment), WORDS[news], why)
        for replica in pool.copies:
            self._weigh(replica)

    def said_of(self, replica: ReplicaId, news: News) -> None:
        """See `Watcher`. Put it into the log, with what the replica said itself."""
        checkup = self._driver.engine.fleet.copies[replica].checkup
        why = f": {checkup.words}" if checkup is not None and checkup.words else ""
        log.warning("replica %s %s%s", replica, OF_REPLICAS[news], why)

    def replica_ready(self, replica: ReplicaId) -> None:
        """See `Watcher`. Weigh a model that is loaded."""
        self._weigh(replica)
        self._then.replica_ready(replica)

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """See `Watcher`. What it raised is for the log; anybody may hear that it did."""
        copy = self._driver.engine.fleet.copies.get(replica)
        if copy is not None and copy.state is State.LOADING and why is not Why.ASKED:
            told = words.strip().partition("\n")[0]
            raised = _RAISED.match(told)
            fault = f"its setup raised {raised[0]}; the server's log says more" if raised else told
            copy.pool.rest.fault = fault
        self._then.replica_gone(replica, why, words)

    def replica_said(self, replica: ReplicaId, line: str) -> None:
        """See `Watcher`."""
        self._then.replica_said(replica, line)

    def given_up(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        self._then.given_up(deployment)

    def retired(self, deployment: DeploymentId) -> None:
        """See `Watcher`."""
        self._plans.pop(deployment, None)
        self._then.retired(deployment)

    def drained(self) -> None:
        """See `Watcher`."""
        self._plans.clear()
        self._wake_in(inf)
        self._then.drained()

    def _weigh(self, replica: ReplicaId) -> None:
        there = self._driver.replicas.get(replica)
        if there is not None:
            pool = self._driver.engine.fleet.copies[replica].pool
            size_bytes = peak_bytes(there.pid)
            waking.measured(self._driver.engine, pool.id, size_bytes)

    # --- what clients are told ---------------------------------------------------------------

    def not_loaded(self, deployment: DeploymentId, refused: StillLoading) -> StillLoading:
        """See `Watcher`. Add the progress of the load, if there is one."""
        pool = self._driver.engine.pools[deployment]
        told = self._progress(pool)
        if told is None:
            return refused
        started_at, done, total, what = told
        doing = f"{what}, " if what else ""
        better = StillLoading(
            f"{refused}: {doing}{done:g} of {total:g}",
            retry_after_s=self._left_s(started_at, done, total) or refused.retry_after_s,
        )
        better.members = {"loading": {"done": done, "total": total, "what": what}}
        return better

    def _progress(self, pool: Pool) -> tuple[float, float, float, str] | None:
        """Return when the load began that has come least far, and how far that is."""
        found = [
            (copy.started_at, *self._driver.loading[copy.id])
            for copy in pool.copies.values()
            if copy.state is State.LOADING and copy.id in self._driver.loading
        ]
        return min(found, key=lambda each: each[1], default=None)

    def _left_s(self, started_at: float, done: float, total: float) -> float | None:
        """Return how long it takes from here on, if it goes on as it did."""
        if not 0 < done <= total:
            return None
        left = (self._driver.clock() - started_at) * (total - done) / done
        return min(max(left, SOONEST_S), LATEST_S)


def _why(pool: Pool, news: News) -> str:
    match news:
        case News.SHORT:
            return f": {pool.rest.missing_bytes} bytes more must be free"
        case News.CROWDED:
            return f": there is no memory for {pool.gauge.lacking} more"
        case News.GREW | News.SHRANK if pool.gauge.last is not None:
            change = pool.gauge.last
            return f": {change.after} in place of {change.before}, {in_words(change)}"
        case _:
            return f": {pool.rest.fault}" if news in BAD and pool.rest.fault else ""


def local(unix_s: float) -> str:
    """Return a moment as the clock on the wall shows it; nothing for never."""
    if unix_s == inf:
        return ""
    return datetime.fromtimestamp(unix_s).astimezone().isoformat(timespec="minutes")


def _next(timetable: str | None, now: float) -> float:
    return inf if timetable is None else cron.next_after(timetable, now, _offset_s)


def _offset_s(unix_s: float) -> float:
    return float(time.localtime(unix_s).tm_gmtoff)
