"""Days of jobs on a manual clock: submitters, servers that are killed and frozen, and a judge.

The judge has an idea of its own of what is right: who claimed last, what ended, and how often. It
looks after every deed. The books may be any: here they are a dict, ruled by the core alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Protocol

from headrace.core import attempts, jobs, submitting
from headrace.core.attempts import LEASE_S, Pulse, Said
from headrace.core.jobs import (
    ENDED,
    EVERYBODY,
    HELD,
    Cause,
    Job,
    JobId,
    JobNumber,
    Owner,
    Status,
    Terms,
    UnixS,
)
from headrace.core.submitting import Bounds, Crowd
from headrace.errors import QueueFull, StaleAttempt, WrongStatus

BEGAN = UnixS(1_700_000_000.0)
ENDPOINTS = ("embed", "forest", "ocr")
ROOM = 4
"""Jobs that a server runs at once."""


class Books(Protocol):
    """What is written down; each deed is told who does it, and when."""

    def submit(self, key: str, endpoint: str, terms: Terms, now: UnixS) -> Job: ...
    def claim(self, owner: Owner, at_most: int, now: UnixS) -> Sequence[Job]: ...
    def beat(self, owner: Owner, job: Job, now: UnixS) -> Pulse: ...
    def finish(self, owner: Owner, job: Job, said: Said, now: UnixS) -> Job: ...
    def cancel(self, job: JobId, now: UnixS) -> Job: ...
    def retry(self, job: JobId, now: UnixS) -> Job: ...
    def sweep(self, now: UnixS) -> None: ...
    def take_over(self, owner: Owner, now: UnixS) -> None: ...
    def all(self) -> dict[JobNumber, Job]: ...
    def queued(self) -> int: ...


class PureBooks:
    """A dict of jobs, and nothing decided that the core does not decide."""

    def __init__(self, chance: Random, bounds: Bounds) -> None:
        self._chance, self._bounds, self._crowd = chance, bounds, Crowd()
        self._jobs: dict[JobNumber, Job] = {}
        self._keys: dict[str, JobNumber] = {}

    def submit(self, key: str, endpoint: str, terms: Terms, now: UnixS) -> Job:
        if key in self._keys:
            return self._jobs[self._keys[key]]
        submitting.check_room(self._crowd, self._bounds, endpoint, 1, now)
        number = JobNumber(len(self._jobs) + 1)
        job = jobs.submitted(
            number,
            JobId(f"j{number}"),
            tenant=EVERYBODY,
            endpoint=endpoint,
            terms=terms,
            size_bytes=1,
            now=now,
        )
        self._keys[key] = number
        return self._save(None, job, now)

    def claim(self, owner: Owner, at_most: int, now: UnixS) -> Sequence[Job]:
        ready = [job for job in self._jobs.values() if attempts.may_claim(job, now)]
        ready.sort(key=lambda job: job.place)
        return [self._save(job, attempts.claimed(job, owner, now), now) for job in ready[:at_most]]

    def beat(self, owner: Owner, job: Job, now: UnixS) -> Pulse:
        before = self._jobs[job.number]
        after, pulse = attempts.beaten(before, owner, job.attempt, now)
        self._save(before, after, now)
        return pulse

    def finish(self, owner: Owner, job: Job, said: Said, now: UnixS) -> Job:
        before = self._jobs[job.number]
        attempts.check_holds(before, owner, job.attempt)
        return self._save(before, attempts.finished(before, said, now, self._chance.random()), now)

    def cancel(self, job: JobId, now: UnixS) -> Job:
        before = self._called(job)
        return self._save(before, jobs.canceled(before, now), now)

    def retry(self, job: JobId, now: UnixS) -> Job:
        before = self._called(job)
        after = jobs.retried(before, now)
        submitting.check_room(self._crowd, self._bounds, before.endpoint, 1, now)
        return self._save(before, after, now)

    def sweep(self, now: UnixS) -> None:
        for job in list(self._jobs.values()):
            if job.status in jobs.LIVE and job.deadline <= now:
                self._save(job, jobs.expired(job, now), now)
            elif attempts.is_lapsed(job, now):
                self._save(job, attempts.lost(job, now, self._chance.random()), now)

    def take_over(self, owner: Owner, now: UnixS) -> None:
        for job in list(self._jobs.values()):
            if attempts.is_lapsed(job, now, owner):
                self._save(job, attempts.lost(job, now, self._chance.random()), now)

    def all(self) -> dict[JobNumber, Job]:
        return dict(self._jobs)

    def queued(self) -> int:
        return self._crowd.queued

    def _called(self, job: JobId) -> Job:
        return self._jobs[JobNumber(int(job[1:]))]

    def _save(self, before: Job | None, after: Job, now: UnixS) -> Job:
        self._jobs[after.number] = after
        self._crowd.moved(before, after, now)
        return after


@dataclass(slots=True, eq=False)
class Server:
    """One life of a server: what it runs, and whether it lives."""

    owner: Owner
    runs: dict[JobNumber, Job] = field(default_factory=dict)
    is_alive: bool = True
    frozen_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Weather:
    """What befalls the servers of one day."""

    servers: int = 1
    """More than one share a database, as with one that many machines reach."""
    kills: int = 3
    freezes: int = 3
    obeys: float = 0.5
    """The share of workers that stop when they are told that their attempt counts no more."""


class Day:
    """`live` runs it to its end; `judge` looks after every deed."""

    def __init__(self, seed: str, books: Books, weather: Weather) -> None:
        self.seed, self._books, self._weather = seed, books, weather
        self._chance, self._now = Random(seed), float(BEGAN)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers, self._lives = count(), count(1)
        self.servers: list[Server] = []
        self.story: Counter[str] = Counter()
        self.keys: dict[str, JobNumber] = {}
        """Jobs that somebody was told of."""
        self._holder: dict[JobNumber, tuple[Owner, int]] = {}
        self._seen: dict[JobNumber, Job] = {}
        self.ends: Counter[tuple[JobNumber, int]] = Counter()
        self._quiet, self._wanted = False, 0

    @property
    def now(self) -> UnixS:
        return UnixS(self._now)

    def live(self, submissions: int, seconds: float) -> None:
        """Let so much happen in so many seconds, then wait in fair weather for the end of all."""
        chance, self._wanted = self._chance, submissions
        for _ in range(self._weather.servers):
            self._start()
        for number in range(submissions):
            self._at(chance.uniform(0, seconds), lambda n=number: self._submit(f"k{n}"))  # type: ignore[misc]
        for what, times in (
            (self._kill, self._weather.kills),
            (self._freeze, self._weather.freezes),
            (self._cancel, submissions // 2),
            (self._retry, submissions // 8),
        ):
            for _ in range(times):
                self._at(chance.uniform(0, seconds), what)
        self._run_until(BEGAN + seconds)
        self._quiet = True
        self._run_until(BEGAN + seconds + 40_000)
        self._everything_has_ended()

    # --- time ----------------------------------------------------------------------------------

    def _at(self, delay_s: float, what: Callable[[], None]) -> None:
        heappush(self._later, (self._now + delay_s, next(self._numbers), what))

    def _run_until(self, end: float) -> None:
        while self._later and self._later[0][0] <= end:
            when, _, what = heappop(self._later)
            self._now = max(self._now, when)
            what()
            self.judge()
            if self._quiet and self._is_over():
                return

    def _is_over(self) -> bool:
        every = self._books.all().values()
        return len(self.keys) == self._wanted and all(job.status in ENDED for job in every)

    # --- submitters ----------------------------------------------------------------------------

    def _submit(self, key: str) -> None:
        """Submit, and again with the same key where no acknowledgement came."""
        chance = self._chance
        if not self._awake():
            self._at(1.0, lambda: self._submit(key))
            return
        draw = Random(f"{self.seed}/{key}")
        terms = Terms(
            priority=draw.choice([-5, 0, 0, 0, 7]),
            delay_s=draw.choice([0.0, 0.0, 0.0, 10.0, 300.0]),
            deadline_s=draw.choice([inf, inf, inf, 5.0, 120.0]),
            max_attempts=draw.choice([1, 2, 3, 5]),
            retry_safe=draw.random() < 0.7,
            first_delay_s=draw.choice([1.0, 50.0]),
            longest_delay_s=60.0,
        )
        try:
            job = self._books.submit(key, draw.choice(ENDPOINTS), terms, self.now)
        except QueueFull as refused:
            self.story["refused"] += 1
            self._at(refused.retry_after_s or 1.0, lambda: self._submit(key))
            return
        assert self.keys.setdefault(key, job.number) == job.number, "one key, two jobs"
        if chance.random() < 0.1:  # the acknowledgement is lost
            self.story["submitted again"] += 1
            self._at(chance.uniform(0, 600), lambda: self._submit(key))

    def _cancel(self) -> None:
        if job := self._anyone():
            before = self._books.all()[job.number].status
            after = self._books.cancel(job.id, self.now).status
            assert self._books.cancel(job.id, self.now).status is after, "said twice, done twice"
            self.story[f"canceled when {before}"] += 1
            if before in ENDED:
                assert after is before

    def _retry(self) -> None:
        if job := self._anyone():
            try:
                self._books.retry(job.id, self.now)
            except WrongStatus:
                assert job.status not in {Status.FAILED, Status.CANCELED, Status.EXPIRED}
            except QueueFull:
                self.story["refused"] += 1
            else:
                self.story["retried"] += 1

    def _anyone(self) -> Job | None:
        every = list(self._books.all().values())
        if self._chance.random() < 0.5:
            every = [job for job in every if job.status in HELD] or every
        return self._chance.choice(every) if every and self._awake() else None

    # --- servers -------------------------------------------------------------------------------

    def _start(self) -> None:
        server = Server(Owner(f"life {next(self._lives)}"))
        if self._weather.servers == 1:
            self._books.take_over(server.owner, self.now)
            left = [job.number for job in self._books.all().values() if job.status in HELD]
            assert left == [], "a dead server holds jobs after its successor began"
        self.servers.append(server)
        self._at(0.0, lambda: self._turn(server))

    def _awake(self) -> list[Server]:
        return [s for s in self.servers if s.is_alive and s.frozen_until <= self._now]

    def _kill(self) -> None:
        if not self.servers:
            return
        victim = self._chance.choice(self.servers)
        victim.is_alive = False
        self.servers.remove(victim)
        self.story["kills"] += 1
        self._at(self._chance.choice([0.1, 2.0]), self._start)

    def _freeze(self) -> None:
        """Stop a server for a while; now and then for longer than its leases last."""
        if awake := self._awake():
            server = self._chance.choice(awake)
            server.frozen_until = self._now + self._chance.choice([2.0, 1.5 * LEASE_S, 5 * LEASE_S])
            self.story["freezes"] += 1

    def _turn(self, server: Server) -> None:
        """Beat, sweep and claim once a second, in any order."""
        if not server.is_alive:
            return
        if self._now < server.frozen_until:
            self._at(server.frozen_until - self._now, lambda: self._turn(server))
            return
        doings = [self._beat, self._sweep, self._claim]
        self._chance.shuffle(doings)
        for do in doings:
            do(server)
            self.judge()
        self._at(1.0, lambda: self._turn(server))

    def _sweep(self, server: Server) -> None:
        del server
        self._books.sweep(self.now)

    def _beat(self, server: Server) -> None:
        for job in list(server.runs.values()):
            pulse = self._books.beat(server.owner, job, self.now)
            counts = self._counts(server.owner, job)
            assert (pulse is Pulse.STALE) is not counts, (pulse, job)
            if pulse is Pulse.STALE and self._chance.random() < self._weather.obeys:
                del server.runs[job.number]
            if pulse is Pulse.CANCELING and self._chance.random() < 0.15:
                self._say(server, job, Said.STOPPED)

    def _claim(self, server: Server) -> None:
        room = ROOM - len(server.runs)
        if room <= 0:
            return
        every = self._books.all().values()
        ready = [j for j in every if j.status is Status.QUEUED and j.due <= self._now < j.deadline]
        ready.sort(key=lambda job: (job.terms.priority, job.due, job.number))
        got = self._books.claim(server.owner, room, self.now)
        assert [job.number for job in got] == [job.number for job in ready[:room]]
        for job in got:
            self._holder[job.number] = (server.owner, job.attempt)
            server.runs[job.number] = job
            took_s = self._chance.choice([0.1, 1.0, 10.0, 10.0, 2 * LEASE_S])
            self._at(took_s, lambda job=job: self._end(server, job))  # type: ignore[misc]

    def _end(self, server: Server, job: Job) -> None:
        if not server.is_alive or server.runs.get(job.number) is not job:
            return
        if self._now < server.frozen_until:
            self._at(server.frozen_until - self._now, lambda: self._end(server, job))
            return
        likely = [Said.SUCCEEDED] * 6 + [Said.FAILED] * 2
        said = self._chance.choice([*likely, Said.REFUSED, Said.LOST, Said.RETURNED, Said.STOPPED])
        self._say(server, job, Said.SUCCEEDED if self._quiet else said)

    def _say(self, server: Server, job: Job, said: Said) -> None:
        server.runs.pop(job.number, None)
        counts = self._counts(server.owner, job)
        before = self._books.all()[job.number]
        try:
            after = self._books.finish(server.owner, job, said, self.now)
        except StaleAttempt:
            assert not counts, "the word of the one who held it was refused"
            assert self._books.all()[job.number] == before
            self.story["stale"] += 1
            return
        assert counts, f"a stale word counted: {job} {said}"
        if said is Said.SUCCEEDED:
            assert after.status is Status.SUCCEEDED
        self.story[f"{said.name} when {before.status}"] += 1

    def _counts(self, owner: Owner, job: Job) -> bool:
        """Judge by who claimed last, and by whether the job is still that claim's."""
        now_is = self._books.all()[job.number]
        return self._holder[job.number] == (owner, job.attempt) and now_is.status in HELD

    # --- the judge -----------------------------------------------------------------------------

    def judge(self) -> None:
        """Compare every job with what it was."""
        every = self._books.all()
        assert set(self.keys.values()) <= set(every), "an acknowledged job is lost"
        waiting = sum(job.status is Status.QUEUED for job in every.values())
        assert self._books.queued() == waiting
        for number, job in every.items():
            before = self._seen.get(number)
            if before is not job and before != job:
                self._judge_one(before, job)
        self._seen = every

    def _judge_one(self, before: Job | None, job: Job) -> None:
        held, over = job.status in HELD, job.status in ENDED
        assert (job.owner != "") is held
        assert (job.lease_until < inf) is held
        assert (job.ended_at < inf) is over
        assert bool(job.cause) is (over and job.status is not Status.SUCCEEDED)
        assert job.failures <= job.terms.max_attempts
        assert job.failures < job.terms.max_attempts or over
        if not job.terms.retry_safe and job.losses:
            assert over
        if before is None:
            return
        claims = job.attempt - before.attempt
        assert claims in {0, 1}, "an attempt was counted twice, or back"
        if job.retries != before.retries:
            assert before.status in ENDED
        elif before.status in ENDED:
            assert job.status is before.status, "what had ended went on"
        if over and (before.status not in ENDED or job.retries != before.retries):
            self.ends[number_and_round(job)] += 1
            self.story[job.status] += 1
            self.story[f"cause {job.cause or 'none'}"] += 1

    def _everything_has_ended(self) -> None:
        every = self._books.all()
        assert len(self.keys) == self._wanted == len(every)
        stuck = [job for job in every.values() if job.status not in ENDED]
        assert stuck == [], "stuck"
        for job in every.values():
            rounds = range(job.retries + 1)
            assert [self.ends[job.number, n] for n in rounds] == [1 for _ in rounds]
            assert job.status is not Status.EXPIRED or job.cause is Cause.DEADLINE


def number_and_round(job: Job) -> tuple[JobNumber, int]:
    """Name one life of a job: it may be wanted again after its end."""
    return job.number, job.retries


def drawn(seed: str, make: Callable[[Random, Bounds], Books]) -> Day:
    """Live a day whose seed decides everything."""
    chance = Random(seed)
    weather = Weather(
        servers=chance.choice([1, 1, 3]),
        kills=chance.choice([0, 3, 12]),
        freezes=chance.choice([0, 3, 9]),
        obeys=chance.choice([0.0, 0.5, 1.0]),
    )
    bounds = Bounds(jobs=chance.choice([4, 1000]), jobs_in_all=chance.choice([10, 1000]))
    day = Day(seed, make(Random(f"{seed}/books"), bounds), weather)
    try:
        day.live(chance.choice([20, 50]), chance.choice([60.0, 300.0]))
    except BaseException as error:
        error.add_note(f"live it again: TESTS_SEED={seed} pytest -k jobs tests/core")
        raise
    return day


def stories(days: Iterable[Day]) -> Counter[str]:
    """Add up what happened."""
    return sum((day.story for day in days), start=Counter[str]())
