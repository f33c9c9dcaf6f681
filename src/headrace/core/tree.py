"""What an arbiter does about its workers: start, replace, wait after a fall, stop.

Who serves is never ended before the one that takes its place is ready. So a reload whose new
workers fail changes nothing, and a worker that is to be recycled goes on until another serves.
Each event is a method; it returns what is to be done. `next_at` says when time alone is an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from math import inf

from headrace.core.replicas import STEADY_AFTER_S, restart_delay_s
from headrace.core.workers import (
    DUMP_S,
    GOLDEN,
    KILL_AFTER_S,
    UNBORN_GRACE_S,
    Action,
    Announce,
    BeginReload,
    Dump,
    End,
    EndReload,
    Kill,
    Life,
    ReloadInside,
    Retire,
    Say,
    SetRoom,
    Start,
    TreePolicy,
    Turn,
    Worker,
    WorkerId,
    advance,
)


@dataclass(slots=True)
class Tree:
    """The workers, and what is meant for them."""

    policy: TreePolicy
    workers: dict[WorkerId, Worker] = field(default_factory=dict)
    wanted: int = 0
    generation: int = 1
    trial: int = 0
    """The generation that a reload tries; 0 is none."""
    reloading: bool = False
    inside: int = 0
    """Reloads that the engine worker still has to tell the end of."""
    stale: bool = False
    """The last reload failed: who starts now starts with the code that could not be served."""
    announced: bool = False
    stopping: bool = False
    ended: bool = False
    room: bool = False
    failed: WorkerId | None = None
    falls: int = 0
    start_at: float = -inf
    """Before this nobody is started: the last ones fell."""
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    """Numbers for its workers; trees that stand together draw from one."""
    _last: int = 0
    _newest: int = 1
    _out: list[Action] = field(default_factory=list)

    # --- events ------------------------------------------------------------------------------

    def begin(self, now: float, chance: float) -> list[Action]:
        """Start."""
        self.wanted = self.policy.workers
        return self.passed(now, chance)

    def answering(self, worker: WorkerId, now: float, chance: float) -> list[Action]:
        """A worker listens already, and tells its clients itself that it loads."""
        self.workers[worker].answers = True
        return self.passed(now, chance)

    def loaded(self, worker: WorkerId, now: float, chance: float) -> list[Action]:
        """A worker is ready."""
        here = self.workers[worker]
        here.life, here.since = advance(here.life, Turn.LOADED), now
        here.answers = here.answers or here.life is Life.READY
        return self.passed(now, chance)

    def failed_to_start(
        self, worker: WorkerId, words: str, now: float, chance: float
    ) -> list[Action]:
        """A worker says that it cannot start, and is about to end."""
        here = self.workers[worker]
        was = here.life
        here.life, here.kill_at = advance(was, Turn.CONDEMNED), now + UNBORN_GRACE_S
        if was is Life.STARTING:
            self._fall(here, was, f"could not start: {words}", now, chance)
        return self.passed(now, chance)

    def died(self, worker: WorkerId, words: str, now: float, chance: float) -> list[Action]:
        """A worker's process has ended."""
        gone = self.workers.pop(worker)
        if gone.life is Life.STARTING:
            self._fall(gone, gone.life, f"{words} while it started", now, chance)
        elif gone.life is Life.READY:
            self._fall(gone, gone.life, words, now, chance)
        return self.passed(now, chance)

    def beat(
        self, worker: WorkerId, requests: int, memory_bytes: int, now: float, chance: float
    ) -> list[Action]:
        """A worker's event loop is alive; so many requests has it had, so much memory it takes."""
        here = self.workers[worker]
        if here.life is Life.READY:
            here.since = now
            self._consider_recycling(here, requests, memory_bytes)
        return self.passed(now, chance)

    def stop_asked(self, grace_s: float, now: float, chance: float) -> list[Action]:
        """Somebody wants the server to end; again, and it hurries."""
        serves = any(worker.life is Life.READY for worker in self.workers.values())
        delay_s = self.policy.drain_delay_s if serves and not self.stopping else 0.0
        self.stopping = True
        if self.reloading:
            self._end_reload("the server is being stopped")
        self.trial = 0
        for worker in self.workers.values():
            self._retire(worker, grace_s, now, delay_s)
        return self.passed(now, chance)

    def reload_asked(self, now: float, chance: float) -> list[Action]:
        """Somebody wants the code read again."""
        if self.stopping:
            return self._say("no reload: the server is being stopped", now, chance)
        if not self.announced:
            return self._say("no reload: the server has not yet started", now, chance)
        self._out.append(BeginReload())
        self.reloading = True
        if self.policy.is_engine:
            self._reload_inside()
        elif self.policy.stop_first:
            self._newest += 1
            self.generation = self._newest
            self._retire_all(lambda worker: worker.generation != self.generation, now)
            self.falls, self.start_at = 0, now
        else:
            self._retire_all(lambda worker: worker.generation == self.trial, now, grace_s=0.0)
            self._newest += 1
            self.trial = self._newest
        return self.passed(now, chance)

    def reloaded(self, fault: str, now: float, chance: float) -> list[Action]:
        """The engine worker has reloaded its deployments, or says why not.

        Where several were asked for, the last one tells how things are.
        """
        self.inside = max(0, self.inside - 1)
        if self.reloading and not self.inside:
            self._end_reload(fault)
        return self.passed(now, chance)

    def count_asked(self, by: int, now: float, chance: float) -> list[Action]:
        """Somebody wants one worker more, or less."""
        if self.policy.is_engine:
            words = "models have one worker; set their replicas instead (option `replicas`)"
            return self._say(words, now, chance)
        self.wanted = max(1, self.wanted + by)
        return self._say(f"workers wanted: {self.wanted}", now, chance)

    def passed(self, now: float, chance: float) -> list[Action]:
        """Time has passed, if nothing else has."""
        self._end_overdue(now, chance)
        for worker in self.workers.values():
            if now >= worker.leaves_at:
                self._leave(worker)
        if self.stopping:
            if not self.workers and not self.ended:
                self.ended = True
                self._out.append(End(self.failed))
        else:
            self._fill(now, chance)
            self._commit(now)
            self._trim(now)
        self._set_room()
        out, self._out = self._out, []
        return out

    def next_at(self) -> float:
        """Return when time alone changes something; infinite if it does not."""
        times = [min(self._due_at(one), one.leaves_at) for one in self.workers.values()]
        if not self.stopping and self._missing():
            times.append(self.start_at)
        return min(times, default=inf)

    # --- rules -------------------------------------------------------------------------------

    def _due_at(self, worker: Worker) -> float:
        """Return when the arbiter loses its patience with a worker."""
        if self.policy.is_engine and worker.answers:
            return worker.kill_at  # it has patience of its own with each replica
        if worker.life is Life.STARTING:
            return min(worker.kill_at, worker.since + self.policy.startup_timeout_s)
        if worker.life is Life.READY and self.policy.silence_s:
            return min(worker.kill_at, worker.since + self.policy.silence_s)
        return worker.kill_at

    def _end_overdue(self, now: float, chance: float) -> None:
        for worker in list(self.workers.values()):
            if now < self._due_at(worker):
                continue
            if now >= worker.kill_at:
                worker.life, worker.kill_at = advance(worker.life, Turn.CONDEMNED), inf
                self._out.append(Kill(worker.id))
                continue
            was = worker.life
            worker.life, worker.kill_at = advance(was, Turn.CONDEMNED), now + DUMP_S
            self._out.append(Dump(worker.id))
            words = (
                f"was not ready after startup_timeout_s={self.policy.startup_timeout_s:g}"
                if was is Life.STARTING
                else f"was silent for worker_timeout_s={self.policy.silence_s:g}, and is ended"
            )
            self._fall(worker, was, words, now, chance)

    def _fall(self, worker: Worker, was: Life, words: str, now: float, chance: float) -> None:
        """Say who fell; give up what depends on it, or wait before the next one is started."""
        if self.stopping:
            return
        name = f"{self.policy.name} {worker.id}"
        if worker.generation == self.trial:
            self.trial = 0
            self._retire_all(lambda one: one.generation == worker.generation, now, grace_s=0.0)
            self._end_reload(f"{name} {words}")
            return
        if was is Life.STARTING and not self.announced:
            self.failed, self.stopping = worker.id, True
            self._retire_all(lambda one: one is not worker, now, grace_s=0.0)
            return
        if self.reloading and not self.trial and worker.generation == self.generation:
            self._end_reload(f"{name} {words}")
        is_steady = now >= self.start_at + STEADY_AFTER_S
        self.falls = 0 if is_steady else self.falls + 1
        delay_s = restart_delay_s(self.falls, chance)
        self.start_at = now + delay_s
        when = f"in {delay_s:.1f} s" if delay_s else "now"
        code = ", with the code of the reload that failed: mend it, and reload" * self.stale
        self._out.append(Say(f"{name} {words}; another is started {when}{code}", is_bad=True))

    def _consider_recycling(self, worker: Worker, requests: int, memory_bytes: int) -> None:
        """Mark a worker that is to be recycled: one at a time, and none during a reload."""
        busy = self.stopping or self.trial or any(one.due for one in self.workers.values())
        if busy or self.policy.is_engine:
            return
        most = self.policy.max_memory_bytes
        if requests >= worker.limit:
            words = f"has had {requests} requests"
        elif most is not None and memory_bytes > most:
            words = f"takes {memory_bytes >> 20} MiB of memory"
        else:
            return
        worker.due = True
        self._out.append(Say(f"worker {worker.id} {words}: it is replaced"))

    def _of(self, generation: int) -> Iterator[Worker]:
        return (one for one in self.workers.values() if one.generation == generation)

    def _missing(self) -> int:
        """Return how many workers are to be started."""
        if self.policy.stop_first and any(
            one.generation < self.generation for one in self.workers.values()
        ):
            return 0  # there is no room beside them
        present = sum(one.counts for one in self._of(self.trial or self.generation))
        return max(0, self.wanted - present)

    def _fill(self, now: float, chance: float) -> None:
        if not self.trial and now < self.start_at:
            return
        for _ in range(self._missing()):
            self._last = next(self.ids)
            share = (chance + self._last * GOLDEN) % 1.0
            most = self.policy.max_requests
            limit = most + share * self.policy.max_requests_jitter if most else inf
            worker = Worker(WorkerId(self._last), self.trial or self.generation, now, limit)
            self.workers[worker.id] = worker
            self._out.append(Start(worker.id, worker.generation))

    def _commit(self, now: float) -> None:
        """Let a generation that is complete take over, and a start that is complete be told."""
        newest = self.trial or self.generation
        ready = sum(one.counts and one.life is Life.READY for one in self._of(newest))
        if ready < self.wanted:
            return
        self.generation, self.trial = newest, 0
        if self.reloading and not self.policy.is_engine:
            self.falls, self.start_at = 0, now - STEADY_AFTER_S
            self._end_reload("")
        if not self.announced:
            self.announced = True
            self._out.append(Announce())
        self._retire_all(lambda one: one.generation != newest or one.due, now)

    def _trim(self, now: float) -> None:
        """Let the eldest go where there are more than wanted."""
        counted = [one for one in self._of(self.generation) if one.counts]
        for worker in counted[: max(0, len(counted) - self.wanted)]:
            self._retire(worker, self.policy.grace_s, now)

    def _set_room(self) -> None:
        lives = self.workers.values()
        answers = any(one.answers and one.life is not Life.DOOMED for one in lives)
        wants = not answers and not self.ended
        if wants is not self.room:
            self.room = wants
            self._out.append(SetRoom(wants))

    # --- small steps -------------------------------------------------------------------------

    def _retire(self, worker: Worker, grace_s: float, now: float, delay_s: float = 0.0) -> None:
        unborn = worker.life is Life.STARTING and not self.policy.is_engine
        patience_s = UNBORN_GRACE_S if unborn else delay_s + grace_s + KILL_AFTER_S
        worker.kill_at = min(worker.kill_at, now + patience_s)
        worker.life = advance(worker.life, Turn.RETIRED)
        if worker.life is Life.RETIRING:
            self._out.append(Retire(worker.id, grace_s, delay_s))
        worker.leaves_at = now + delay_s
        if not delay_s:
            self._leave(worker)

    def _leave(self, worker: Worker) -> None:
        """Count no longer on its answers; an engine worker gives some to its end."""
        worker.leaves_at = inf
        worker.answers = worker.answers and self.policy.is_engine

    def _say(self, words: str, now: float, chance: float) -> list[Action]:
        self._out.append(Say(words))
        return self.passed(now, chance)

    def _retire_all(
        self, chosen: Callable[[Worker], bool], now: float, grace_s: float | None = None
    ) -> None:
        """Retire those that are chosen and have not been told yet."""
        grace_s = self.policy.grace_s if grace_s is None else grace_s
        for worker in self.workers.values():
            if worker.life in (Life.STARTING, Life.READY) and chosen(worker):
                self._retire(worker, grace_s, now)

    def _reload_inside(self) -> None:
        ready = [one.id for one in self.workers.values() if one.life is Life.READY]
        if ready:
            self.inside += 1
            self._out.append(ReloadInside(ready[0]))
        else:
            self._end_reload("the worker is not ready")

    def _end_reload(self, fault: str) -> None:
        self.reloading, self.inside = False, 0
        self.stale = bool(fault) and not self.policy.is_engine
        self._out.append(EndReload(fault))
