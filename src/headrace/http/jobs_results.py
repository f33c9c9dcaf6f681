"""What a job answered, as the response that its client would have had at once."""

from __future__ import annotations

import time

from headrace.core.jobs import Status, UnixS
from headrace.errors import ResultGone
from headrace.http.jobs_shown import (
    Place,
    again_s,
    failed,
    is_live,
    shown_whole,
    without_result,
)
from headrace.http.messages import Headers, Response
from headrace.http.operations import as_json
from headrace.http.problems import encoded, from_fault
from headrace.http.responses import unsendable
from headrace.http.streaming import FRAMING
from headrace.interfaces import JobStore, Seen
from headrace.jobs.orders import Outcome, outcome_of

JOB = b"x-headrace-job"
"""Names the job in every response that is about one."""
ACCEPTED = 202
UNSENT = FRAMING | {b"x-request-id"}
"""What a response says of itself alone, and not of its job."""
UNREADABLE = (Status.CANCELED, Status.EXPIRED)
"""What such a job left is of an attempt that nobody wanted in the end."""


async def result_of(seen: Seen, store: JobStore, place: Place, label: bytes) -> Response:
    """Return the result of a job that is over, where it stands while it is not.

    Raises ResultGone.
    """
    job = seen.job
    if is_live(job):
        return accepted(seen, place)
    if seen.is_gone:
        raise ResultGone(f"the result of job {job.id} was kept as long as it was to be")
    if seen.output is None or job.status in UNREADABLE:
        response = without_result(job, label.decode())
    else:
        data = await store.read(seen.output)
        response = response_of(outcome_of(seen.output.head, data), label.decode())
    response.headers.append((JOB, job.id.encode()))
    return response


def response_of(outcome: Outcome, label: str) -> Response:
    """Return what a job's work answered."""
    if outcome.fault is not None:
        return failed(outcome, outcome.label or label)  # by its own request the log has it
    try:
        headers = [header for header in encoded(outcome.headers) if header[0] not in UNSENT]
    except UnicodeEncodeError:
        return from_fault(unsendable(), label)
    if outcome.content_type and all(name != b"content-type" for name, _ in headers):
        headers.append((b"content-type", outcome.content_type.encode("latin-1")))
    return Response(outcome.status, outcome.body, headers)


def accepted(seen: Seen, place: Place, applied: bytes = b"", *, is_new: bool = True) -> Response:
    """Return what is told of a job that is not over: where it is, and when to ask again."""
    response = as_json(shown_whole(seen, place), ACCEPTED)
    response.headers += whereabouts(seen, place)
    if applied:
        response.headers.append((b"preference-applied", applied))
    if not is_new:
        response.headers.append((b"idempotent-replayed", b"true"))
    return response


def whereabouts(seen: Seen, place: Place) -> Headers:
    """Return the headers that say which job this is, where, and when to ask again."""
    job = seen.job
    headers = [(b"location", place.of(job.id).encode()), (JOB, job.id.encode())]
    if is_live(job):
        seconds = again_s(job, UnixS(time.time()))
        headers.append((b"retry-after", b"%d" % max(1, round(seconds))))
    return headers
