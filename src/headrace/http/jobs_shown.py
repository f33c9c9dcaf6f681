"""A job as its client sees it: one JSON document, the same wherever it is told.

Moments are Unix seconds, and None where they have not come or never will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any
from urllib.parse import quote

import msgspec

from headrace.core.jobs import LIVE, Cause, Job, JobId, Status, UnixS, keep_until
from headrace.http.messages import Response
from headrace.http.problems import from_fault, problem
from headrace.interfaces import Progress, Seen
from headrace.jobs.orders import Outcome, outcome_of

SOONEST_S, LATEST_S = 1.0, 300.0
DETAIL: dict[Cause, str] = {
    Cause.FAULT: "its work failed in a way that another attempt would not mend",
    Cause.ATTEMPTS: "its work failed as often as it may",
    Cause.NO_TIME: "its work failed, and another attempt would begin after its deadline",
    Cause.LOST: "whoever ran it died, and nobody knows how far it came: it is not to run again",
    Cause.ASKED: "it was canceled",
    Cause.DEADLINE: "its deadline passed",
}
CODES: dict[Status, tuple[int, str]] = {
    Status.FAILED: (500, "job_failed"),
    Status.CANCELED: (409, "job_canceled"),
    Status.EXPIRED: (504, "deadline_exceeded"),
}
"""What a client hears who asks for a result that there is none of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the jobs of a server are, as a client writes it: `/jobs`, behind whatever prefix."""

    base: str

    def of(self, job: JobId) -> str:
        """Return the path of a job."""
        return f"{self.base}/{quote(job, safe='~')}"

    def urls(self, job: JobId) -> dict[str, str]:
        """Return the paths of all that can be asked of a job."""
        own = self.of(job)
        deeds = ("result", "events", "cancel", "retry")
        return {"self": own, **{deed: f"{own}/{deed}" for deed in deeds}}


def shown(job: Job, place: Place) -> dict[str, Any]:
    """Return what a job's own row tells."""
    terms = job.terms
    return {
        "id": job.id,
        "status": job.status.value,
        "endpoint": job.endpoint,
        "attempt": job.attempt,
        "failures": job.failures,
        "max_attempts": terms.max_attempts,
        "priority": terms.priority,
        "cause": job.cause.value or None,
        "size_bytes": job.size_bytes,
        "created_at": job.created_at,
        "due_at": job.due if job.status is Status.QUEUED else None,
        "started_at": _moment(job.started_at),
        "ended_at": _moment(job.ended_at),
        "deadline_at": _moment(job.deadline),
        "kept_until": _moment(keep_until(job)),
        "urls": place.urls(job.id),
    }


def shown_whole(seen: Seen, place: Place) -> dict[str, Any]:
    """Return all that can be told of a job."""
    job = seen.job
    return {
        **shown(job, place),
        "position": seen.position,
        "progress": None if seen.progress is None else shown_progress(seen.progress),
        "last_event": seen.last_event,
        "error": error_of(seen),
        "is_gone": seen.is_gone,
    }


def shown_progress(progress: Progress) -> dict[str, Any]:
    """Return how far a job has come, by its own account; JSON has no word for the infinite."""
    done, total = (value if isfinite(value) else 0.0 for value in (progress.done, progress.total))
    return {"done": done, "total": total, "note": progress.note}


def error_of(seen: Seen) -> dict[str, Any] | None:
    """Return the problem that a job ended in, or that its latest attempt met."""
    job = seen.job
    if seen.output is not None and job.status is not Status.SUCCEEDED:
        outcome = outcome_of(seen.output.head)
        if outcome.fault is not None:
            return members(failed(outcome, outcome.label))
    if job.status in CODES:
        return members(without_result(job, ""))
    return None


def failed(outcome: Outcome, label: str) -> Response:
    """Return the problem document of a job whose work failed."""
    if outcome.fault is None:
        raise ValueError("this outcome is none of a failure")
    response = from_fault(outcome.fault, label)
    if outcome.retry_after_s is not None:
        response.headers.append((b"retry-after", b"%d" % max(1, round(outcome.retry_after_s))))
    return response


def without_result(job: Job, label: str) -> Response:
    """Return the problem document of a job that ended, and left nothing."""
    status, code = CODES[job.status]
    words = DETAIL.get(job.cause, "it has left no result")
    return problem(status, code, f"job {job.id} is {job.status}: {words}", label)


def members(response: Response) -> dict[str, Any]:
    """Return a problem document as data."""
    told: dict[str, Any] = msgspec.json.decode(response.body)
    if not told.get("request_id"):
        told.pop("request_id", None)
    return told


def listed(jobs: Sequence[Job], cursor: str | None, place: Place) -> dict[str, Any]:
    """Return a page of jobs."""
    return {"jobs": [shown(job, place) for job in jobs], "cursor": cursor}


def again_s(job: Job, now: UnixS) -> float:
    """Return when it is worth asking again about a live job."""
    if job.status is Status.QUEUED:
        return min(max(SOONEST_S, job.due - now), LATEST_S)
    return SOONEST_S


def is_live(job: Job) -> bool:
    """Tell whether there is more to come of a job."""
    return job.status in LIVE


def _moment(when: UnixS) -> float | None:
    return None if when == inf else when
