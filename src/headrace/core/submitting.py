"""Whether a job is accepted: it is new, it is one that came before, or there is no room for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace.core.flow import Flow
from headrace.core.jobs import Job, JobId, Status
from headrace.errors import BadRequest, KeyReused, QueueFull

WINDOW_S = 60.0
"""Jobs end more rarely than requests: their rate is measured over one to two minutes."""
SOONEST_S = 1.0
LATEST_S = 300.0
UNMEASURED_S = 30.0
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
KEY = re.compile(r"[\x20-\x7e]{1,255}")
SHARE = 0.1
"""Whoever was refused comes back when this much of the bound has drained: others were, too."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait."""

    jobs: int = 10_000
    """Of one endpoint; `each` may say otherwise of some."""
    jobs_in_all: int = 100_000
    bytes_in_all: int = 8 << 30
    each: Mapping[str, int] = field(default_factory=dict)

    def of(self, endpoint: str) -> int:
        """Return how many jobs may wait for an endpoint."""
        return self.each.get(endpoint, self.jobs)


def _flow() -> Flow:
    return Flow(window_s=WINDOW_S)


@dataclass(slots=True)
class Line:
    """The jobs that wait for one endpoint, and how fast they leave."""

    queued: int = 0
    flow: Flow = field(default_factory=_flow)


@dataclass(slots=True)
class Crowd:
    """All jobs that wait, counted."""

    lines: dict[str, Line] = field(default_factory=dict)
    queued: int = 0
    queued_bytes: int = 0
    flow: Flow = field(default_factory=_flow)

    def line(self, endpoint: str) -> Line:
        """Return the line of an endpoint, a new one where nobody ever stood."""
        found = self.lines.get(endpoint)
        if found is None:
            found = self.lines[endpoint] = Line()
        return found

    def moved(self, before: Job | None, after: Job | None, now: float) -> None:
        """Hear how a job changed; one that is new has no `before`, one that goes no `after`."""
        came = after is not None and after.status is Status.QUEUED
        left = before is not None and before.status is Status.QUEUED
        job = after or before
        if job is None or came is left:
            return
        line, step = self.line(job.endpoint), 1 if came else -1
        line.queued += step
        self.queued += step
        self.queued_bytes += step * job.size_bytes
        if left:
            for flow in (line.flow, self.flow):
                flow.roll(now)
                flow.ended += 1


def check_id(job: JobId) -> None:
    """Return if a client may call its job this; else raise BadRequest."""
    if not ID.fullmatch(job):
        raise BadRequest(
            "the id of a job is 1 to 128 letters, digits and `.`, `_`, `~`, `-`, and begins with "
            "a letter or a digit"
        )


def check_key(key: str) -> None:
    """Return if this may be an Idempotency-Key; else raise BadRequest."""
    if not KEY.fullmatch(key):
        raise BadRequest("an Idempotency-Key is 1 to 255 printable ASCII characters")


def check_same(endpoint: str, fingerprint: bytes, *, known: Job, known_fingerprint: bytes) -> None:
    """Return if a submission says the same as the job of its key or id; else raise KeyReused."""
    if (endpoint, fingerprint) != (known.endpoint, known_fingerprint):
        raise KeyReused(
            f"job {known.id} was submitted with the same Idempotency-Key or id and another "
            "request: use a new one for each job, and the same only to send the same again"
        )


def check_one(known: Sequence[Job]) -> None:
    """Return if what a submission names is one job at most; else raise KeyReused."""
    if len(known) > 1:
        raise KeyReused(
            f"the Idempotency-Key is that of job {known[0].id}, the id that of another job: use "
            "the key of the job you mean, or none"
        )


def check_room(crowd: Crowd, bounds: Bounds, endpoint: str, size_bytes: int, now: float) -> None:
    """Return if one more job may wait; else raise the QueueFull that says when to come back.

    A body larger than the bound is let in where it is the only one: its size is another limit's.
    """
    line, most = crowd.line(endpoint), bounds.of(endpoint)
    if line.queued >= most:
        wait_s = retry_after_s(line.flow, most, now)
        raise QueueFull(f"{line.queued} jobs already wait for {endpoint}", retry_after_s=wait_s)
    if crowd.queued >= bounds.jobs_in_all:
        wait_s = retry_after_s(crowd.flow, bounds.jobs_in_all, now)
        raise QueueFull(f"{crowd.queued} jobs already wait", retry_after_s=wait_s)
    if crowd.queued_bytes and crowd.queued_bytes + size_bytes > bounds.bytes_in_all:
        wait_s = retry_after_s(crowd.flow, crowd.queued, now)
        raise QueueFull(f"{crowd.queued_bytes} bytes already wait in jobs", retry_after_s=wait_s)


def retry_after_s(flow: Flow, bound: int, now: float) -> float:
    """Seconds until a share of a full line has drained, as measured; within sane bounds."""
    flow.roll(now)
    rate = flow.rate(now)
    wait_s = max(1.0, bound * SHARE) / rate if rate > 0 else UNMEASURED_S
    return min(max(wait_s, SOONEST_S), LATEST_S)
