"""What a job's submitters and workers have written down, each deed within a transaction.

The core judges every deed on the job as the database has it; this reads, asks, and writes. A deed
that refuses has written nothing: so the others of its transaction need not be undone.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.core import attempts, jobs, submitting
from headrace.core.attempts import LEASE_S, Pulse, Said
from headrace.core.cron import Offset
from headrace.core.jobs import Job, JobId, JobNumber, Owner, Tenant, UnixS
from headrace.core.submitting import Bounds, Crowd
from headrace.errors import ResultGone, StaleAttempt
from headrace.interfaces import Change, Claim, Hold, Progress, Receipt, Stored, Submission
from headrace.jobs import events, rows
from headrace.jobs.events import Events
from headrace.jobs.files import Files
from headrace.jobs.fresh import PUT, Content, Fresh

DAY_S = 86_400.0
ID_DIGITS, POOL_BYTES = 20, 640
"""Digits of chance in an id that is made here: nobody guesses another's."""

PLACE = "SELECT min(priority) FROM jobs WHERE status = 'queued' AND endpoint = ? AND priority > ?"
NEXT_IN_LINE = (
    f"SELECT {rows.COLUMNS}, {rows.INPUT} FROM jobs LEFT JOIN inputs ON inputs.job = jobs.number"
    " WHERE status = 'queued' AND endpoint = ? AND priority = ? AND due <= ? AND deadline > ?"
    " ORDER BY due, number LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a store deals with jobs."""

    owner: Owner
    """This life of this server."""
    chance: Callable[[], float]
    """Random numbers in [0, 1)."""
    offset_s: Offset
    """What local time is ahead of UTC by: timetables are read in local time."""
    bounds: Bounds = field(default_factory=Bounds)
    lease_s: float = LEASE_S
    remember_s: float = 7 * DAY_S
    """How long a job is known after its content was removed: its result is gone, not unknown."""


class Books:
    """The deeds. Whoever calls them has begun a transaction, and says when it is."""

    def __init__(self, connection: sqlite3.Connection, files: Files, policy: Policy) -> None:
        """Count what waits."""
        self.raw, self.files, self.policy = connection, files, policy
        self._fresh = Fresh()
        self.now = UnixS(0.0)
        self.events = Events(connection)
        self.crowd, self.last = Crowd(), JobNumber(0)
        self.changes: list[Change] = []
        self.loose: set[str] = set()
        """Files that may be referred to no more, once this transaction holds."""
        self.doubtful: set[str] = set()
        """Files that may never have been."""
        self._chance = ""
        self.recount()

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, with all that was accepted in this transaction."""
        self.flush()
        return self.raw

    def flush(self) -> None:
        """Insert what was accepted and is not in the database yet."""
        if self._fresh.jobs:
            fresh, self._fresh = self._fresh, Fresh()
            fresh.insert(self.raw)

    def recount(self) -> None:
        """Count again what waits, after a transaction came to nothing."""
        self._fresh = Fresh()
        flows = {name: line.flow for name, line in self.crowd.lines.items()}
        self.crowd = Crowd(flow=self.crowd.flow)
        for name, flow in flows.items():
            self.crowd.line(name).flow = flow
        for endpoint, queued, size_bytes in self.connection.execute(
            "SELECT endpoint, count(*), sum(size_bytes) FROM jobs WHERE status = 'queued'"
            " GROUP BY endpoint"
        ):
            self.crowd.line(endpoint).queued = queued
            self.crowd.queued += queued
            self.crowd.queued_bytes += size_bytes
        found = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
        self.last = JobNumber((found.fetchone() or (0,))[0])
        self.changes, self.loose = [], set()

    # --- submitters ----------------------------------------------------------------------------

    def submit(self, submission: Submission, content: Content) -> Receipt:
        """Accept a job, or find the one that came before with its key or id."""
        known = self._known(submission)
        if known is not None:
            return Receipt(known, is_new=False)
        endpoint, size_bytes = submission.endpoint, content.size_bytes
        submitting.check_room(self.crowd, self.policy.bounds, endpoint, size_bytes, self.now)
        job = jobs.submitted(
            JobNumber(self.last + 1),
            submission.id or self._new_id(),
            tenant=submission.tenant,
            endpoint=endpoint,
            terms=submission.terms,
            size_bytes=size_bytes,
            now=self.now,
        )
        self._fresh.add(job, submission, content)
        self.last = job.number
        self.crowd.moved(None, job, self.now)
        self._changed(job)
        return Receipt(job, is_new=True)

    def _known(self, submission: Submission) -> Job | None:
        """Find the job that came before with this key or id. Raises KeyReused."""
        if submission.key is None and submission.id is None:
            return None
        found: dict[JobNumber, Job] = {}
        for name, value in (("key", submission.key), ("id", submission.id)):
            known = None if value is None else self._called(name, value, submission.tenant)
            if known is not None:
                job, fingerprint = known
                submitting.check_same(
                    submission.endpoint,
                    submission.fingerprint,
                    known=job,
                    known_fingerprint=fingerprint,
                )
                found[job.number] = job
        submitting.check_one(list(found.values()))
        return next(iter(found.values()), None)

    def _called(self, name: str, value: str, tenant: Tenant) -> tuple[Job, bytes] | None:
        """Find a job and its fingerprint by `key` or `id`."""
        fresh = self._fresh.known.get((name, value, tenant))
        if fresh is not None:
            return fresh
        row = self.raw.execute(
            f"SELECT {rows.COLUMNS}, fingerprint FROM jobs WHERE {name} = ? AND tenant = ?",
            (value, tenant),
        ).fetchone()
        return None if row is None else (rows.job_of(row), row[-1])

    def cancel(self, tenant: Tenant | None, job: JobId) -> Job:
        """End a job that waits, or tell the worker of one that runs."""
        before = self._find(tenant, job)
        return self._save(before, jobs.canceled(before, self.now))

    def retry(self, tenant: Tenant | None, job: JobId) -> Job:
        """Put a job back in line after its end."""
        before, is_gone = self._find_with(tenant, job, "is_gone")
        after = jobs.retried(before, self.now)
        if is_gone:
            raise ResultGone(f"what job {job} was given is no longer kept: submit it again")
        bounds, endpoint = self.policy.bounds, before.endpoint
        submitting.check_room(self.crowd, bounds, endpoint, before.size_bytes, self.now)
        self._drop("outputs", before.number)
        self.connection.execute(
            "UPDATE jobs SET done = NULL, total = NULL, note = NULL WHERE number = ?",
            (before.number,),
        )
        return self._save(before, after)

    def delete(self, tenant: Tenant | None, job: JobId) -> None:
        """Forget a job that is over."""
        before = self._find(tenant, job)
        jobs.check_may_go(before)
        self.forget(before.number)

    # --- workers -------------------------------------------------------------------------------

    def claim(self, endpoints: Iterable[str], at_most: int) -> Sequence[Claim]:
        """Give the next jobs to this server's workers."""
        waiting = [pair for endpoint in endpoints for pair in self._in_line(endpoint, at_most)]
        waiting.sort(key=lambda pair: pair[0].place)
        claims = []
        for job, content in waiting[:at_most]:
            after = attempts.claimed(job, self.policy.owner, self.now, self.policy.lease_s)
            claims.append(Claim(self._save(job, after), content or Stored(b"", 0, b"")))
        return claims

    def _in_line(self, endpoint: str, at_most: int) -> Iterable[tuple[Job, Stored | None]]:
        """Read who may be claimed next: each priority apart, to step over who is not due."""
        priority, left = jobs.HIGHEST - 1, at_most
        while left > 0:
            (priority,) = self.connection.execute(PLACE, (endpoint, priority)).fetchone()
            if priority is None:
                return
            values = (endpoint, priority, self.now, self.now, left)
            for row in self.connection.execute(NEXT_IN_LINE, values).fetchall():
                left -= 1
                yield rows.job_of(row), rows.stored(row[rows.WIDTH :], self.files)

    def beat(self, holds: Iterable[Hold]) -> Mapping[Hold, Pulse]:
        """Renew leases."""
        return {hold: self._beat(hold) for hold in holds}

    def _beat(self, hold: Hold) -> Pulse:
        job = self._job(hold.number)
        if job is None:
            return Pulse.STALE
        owner, lease_s = self.policy.owner, self.policy.lease_s
        after, pulse = attempts.beaten(job, owner, hold.attempt, self.now, lease_s)
        if after is not job:
            self.connection.execute(
                "UPDATE jobs SET lease_until = ? WHERE number = ?", (after.lease_until, job.number)
            )
        return pulse

    def progress(self, hold: Hold, told: Progress) -> Pulse:
        """Note how far an attempt has come; it is a heartbeat too."""
        pulse = self._beat(hold)
        if pulse is not Pulse.STALE:
            self.connection.execute(
                "UPDATE jobs SET done = ?, total = ?, note = ? WHERE number = ?",
                (told.done, told.total, told.note, hold.number),
            )
            self._happened(hold, events.PROGRESS, [events.progress(told)])
        return pulse

    def emit(self, hold: Hold, kind: str, items: Sequence[bytes]) -> Pulse:
        """Add events of an attempt; it is a heartbeat too."""
        for item in items:
            events.check_size(item)
        pulse = self._beat(hold)
        if pulse is not Pulse.STALE:
            self._happened(hold, kind, items)
        return pulse

    def finish(self, hold: Hold, said: Said, output: Content | None) -> Job:
        """End an attempt, if it is the one that counts."""
        job = self._job(hold.number)
        if job is None:
            raise StaleAttempt(f"job number {hold.number} is deleted: drop its result")
        attempts.check_holds(job, self.policy.owner, hold.attempt)
        after = attempts.finished(job, said, self.now, self.policy.chance())
        if output is not None or said is Said.SUCCEEDED:  # what an attempt before it left goes
            self._drop("outputs", job.number)
        if output is not None:
            self._put("outputs", job.number, output)
        return self._save(job, after)

    def lose(self, job: Job) -> None:
        """Take a job from a worker that is given up."""
        self._save(job, attempts.lost(job, self.now, self.policy.chance()))

    def expire(self, job: Job) -> None:
        """End a job whose deadline has passed."""
        self._save(job, jobs.expired(job, self.now))

    # --- rows ------------------------------------------------------------------------------------

    def forget(self, number: JobNumber) -> None:
        """Remove all that is known of a job that is over."""
        self.purge(number)
        self.connection.execute("DELETE FROM jobs WHERE number = ?", (number,))

    def purge(self, number: JobNumber) -> None:
        """Remove what a job was given, what it answered and what happened to it."""
        self._drop("inputs", number)
        self._drop("outputs", number)
        self.connection.execute("DELETE FROM events WHERE job = ?", (number,))

    def doubt(self, names: Iterable[str]) -> None:
        """Have these files removed with the next transaction, those that nobody refers to."""
        self.doubtful.update(names)

    def unreferred(self) -> list[str]:
        """Name those of the loose and the doubtful files that nobody refers to by now."""
        asked = (
            "SELECT 1 FROM inputs WHERE file = ?1 UNION ALL SELECT 1 FROM outputs WHERE file = ?1"
        )
        return [
            name
            for name in self.loose | self.doubtful
            if self.connection.execute(asked, (name,)).fetchone() is None
        ]

    def _find(self, tenant: Tenant | None, job: JobId) -> Job:
        return rows.job_of(rows.find(self.connection, tenant, job))

    def _find_with(self, tenant: Tenant | None, job: JobId, column: str) -> tuple[Job, object]:
        row = rows.find(self.connection, tenant, job, f"{rows.COLUMNS}, {column}")
        return rows.job_of(row), row[-1]

    def _job(self, number: JobNumber) -> Job | None:
        row = self.connection.execute(
            f"SELECT {rows.COLUMNS} FROM jobs WHERE number = ?", (number,)
        ).fetchone()
        return None if row is None else rows.job_of(row)

    def _save(self, before: Job, after: Job) -> Job:
        if after is not before:
            self.connection.execute(rows.UPDATE, rows.updated(after))
            self._moved(before, after)
        return after

    def _moved(self, before: Job, after: Job) -> None:
        """Tell everybody whom a job's step concerns."""
        self.events.moved(after, self.now)
        self.crowd.moved(before, after, self.now)
        self._changed(after)

    def _happened(self, hold: Hold, kind: str, items: Iterable[bytes]) -> None:
        for item in items:
            self.events.add(hold.number, self.now, kind, item)
        if job := self._job(hold.number):
            self._changed(job)

    def _changed(self, job: Job) -> None:
        self.changes.append(Change(job.number, job.id, job.tenant, job.endpoint, job.status))

    def _put(self, table: str, number: JobNumber, content: Content) -> None:
        self.connection.execute(PUT[table], (number, *content))

    def _drop(self, table: str, number: JobNumber) -> None:
        asked = f"SELECT file FROM {table} WHERE job = ? AND file IS NOT NULL"
        for (name,) in self.connection.execute(asked, (number,)).fetchall():
            self.loose.add(name)
        self.connection.execute(f"DELETE FROM {table} WHERE job = ?", (number,))

    def _new_id(self) -> JobId:
        """Make a job's id: when, in milliseconds, and chance; later ones sort behind."""
        if len(self._chance) < ID_DIGITS:
            self._chance = secrets.token_hex(POOL_BYTES)  # a call to the kernel for each is dear
        chance, self._chance = self._chance[:ID_DIGITS], self._chance[ID_DIGITS:]
        return JobId(f"{int(self.now * 1000):012x}{chance}")
