"""A store in which nothing is: what is asked of one that was never written to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from headrace.core.attempts import Pulse, Said
from headrace.core.jobs import NEVER, Job, JobId, Status, Tenant
from headrace.errors import HeadraceError, NoSuchJob, ResultGone, StaleAttempt
from headrace.interfaces import (
    Answer,
    Change,
    Claim,
    Content,
    Hold,
    JobEvent,
    Page,
    Progress,
    Receipt,
    Seen,
    Stored,
    Submission,
    Swept,
    Timed,
)
from headrace.jobs.answers import Later

T = TypeVar("T")


class NoJobs:
    """See `interfaces.JobStore`; nothing can be written to it."""

    def submit(self, submission: Submission) -> Answer[Receipt]:
        """Refuse."""
        return _refused(NoSuchJob(f"no job of {submission.endpoint} can be written down here"))

    def claim(self, endpoints: Sequence[str], at_most: int) -> Answer[Sequence[Claim]]:  # noqa: ARG002
        """Find none."""
        return _told([])

    def beat(self, holds: Sequence[Hold]) -> Answer[Mapping[Hold, Pulse]]:
        """Know none of them."""
        return _told(dict.fromkeys(holds, Pulse.STALE))

    def progress(self, hold: Hold, progress: Progress) -> Answer[Pulse]:  # noqa: ARG002
        """Know no such job."""
        return _told(Pulse.STALE)

    def emit(self, hold: Hold, kind: str, items: Sequence[bytes]) -> Answer[Pulse]:  # noqa: ARG002
        """Know no such job."""
        return _told(Pulse.STALE)

    def finish(self, hold: Hold, said: Said, output: Content | None = None) -> Answer[Job]:  # noqa: ARG002
        """Refuse."""
        return _refused(StaleAttempt(f"there is no job {hold.number}"))

    def cancel(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:  # noqa: ARG002
        """Know no such job."""
        return _unknown(job)

    def retry(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:  # noqa: ARG002
        """Know no such job."""
        return _unknown(job)

    def delete(self, tenant: Tenant | None, job: JobId) -> Answer[None]:  # noqa: ARG002
        """Know no such job."""
        return _unknown(job)

    def show(self, tenant: Tenant | None, job: JobId) -> Answer[Seen]:  # noqa: ARG002
        """Know no such job."""
        return _unknown(job)

    def page(
        self,
        tenant: Tenant | None,  # noqa: ARG002
        status: Status | None = None,  # noqa: ARG002
        endpoint: str | None = None,  # noqa: ARG002
        cursor: str | None = None,  # noqa: ARG002
        at_most: int = 50,  # noqa: ARG002
    ) -> Answer[Page]:
        """Show an empty one."""
        return _told(Page([], None))

    def result(self, tenant: Tenant | None, job: JobId) -> Answer[Stored]:  # noqa: ARG002
        """Know no such job."""
        return _unknown(job)

    def events(
        self,
        tenant: Tenant | None,  # noqa: ARG002
        job: JobId,
        after: int = 0,  # noqa: ARG002
        at_most: int = 500,  # noqa: ARG002
    ) -> Answer[Sequence[JobEvent]]:
        """Know no such job."""
        return _unknown(job)

    def read(self, stored: Stored) -> Answer[bytes]:  # noqa: ARG002
        """Refuse: nothing of it is here."""
        return _refused(ResultGone("it is not kept here"))

    def schedule(self, timed: Sequence[Timed]) -> Answer[None]:  # noqa: ARG002
        """Have none, as it is."""
        return _told(None)

    def sweep(self) -> Answer[Swept]:
        """Find nothing to do, ever."""
        return _told(Swept(NEVER, NEVER))

    def counts(self) -> Answer[Mapping[str, Mapping[Status, int]]]:
        """Count none."""
        return _told({})

    def waiting(self) -> Mapping[str, int]:
        """Count none."""
        return {}

    def listen(self, heard: Callable[[Sequence[Change]], None]) -> Callable[[], None]:  # noqa: ARG002
        """Have nothing to tell."""
        return lambda: None

    def close(self) -> None:
        """Have nothing to let go of."""


def _told(value: T) -> Later[T]:
    answer: Later[T] = Later()
    answer.told(value)
    return answer


def _refused(error: HeadraceError) -> Later[T]:
    answer: Later[T] = Later()
    answer.refused(error)
    return answer


def _unknown(job: JobId) -> Later[T]:
    return _refused(NoSuchJob(f"there is no job {job}"))
