"""A store that is a file as soon as there is something to write: who never submits has none.

Until then it answers as an empty one. A file that is there is opened at the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from headrace.core.attempts import Pulse, Said
from headrace.core.jobs import Job, JobId, Status, Tenant
from headrace.errors import ConfigError, Draining
from headrace.interfaces import (
    Answer,
    Change,
    Claim,
    Content,
    Hold,
    JobEvent,
    JobStore,
    Page,
    Progress,
    Receipt,
    Seen,
    Stored,
    Submission,
    Swept,
    Timed,
)
from headrace.jobs.listeners import Listeners
from headrace.jobs.nothing import NoJobs
from headrace.jobs.sqlite import Options, SqliteJobs


class Deferred:
    """See `interfaces.JobStore`."""

    def __init__(self, options: Options) -> None:
        """Touch nothing yet."""
        self.path, self._options = Path(), options
        """Which file it is, to be named before anything is written."""
        self._store: JobStore = NoJobs()
        self._listeners = Listeners()
        self._door = threading.Lock()
        self.is_open, self._is_closed = False, False

    def open(self) -> None:
        """Open the file, made if need be, once; blocks. Raises ConfigError."""
        with self._door:
            if self._is_closed:
                raise Draining("the job store is closed")
            if self.is_open:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                words = f"cannot make the folder of the jobs' database {self.path}: {error}"
                raise ConfigError(words) from error
            store = SqliteJobs(self.path, self._options)
            store.listen(self._listeners.tell)
            self._store, self.is_open = store, True

    def submit(self, submission: Submission) -> Answer[Receipt]:
        """See `JobStore`."""
        self.open()
        return self._store.submit(submission)

    def schedule(self, timed: Sequence[Timed]) -> Answer[None]:
        """See `JobStore`."""
        if timed:
            self.open()
        return self._store.schedule(timed)

    def listen(self, heard: Callable[[Sequence[Change]], None]) -> Callable[[], None]:
        """See `JobStore`; what is told was written down by a file that may be opened later."""
        return self._listeners.add(heard)

    def close(self) -> None:
        """See `JobStore`."""
        with self._door:
            self._is_closed = True
            self._store.close()

    # --- what is passed on -------------------------------------------------------------------

    def claim(self, endpoints: Sequence[str], at_most: int) -> Answer[Sequence[Claim]]:
        """See `JobStore`."""
        return self._store.claim(endpoints, at_most)

    def beat(self, holds: Sequence[Hold]) -> Answer[Mapping[Hold, Pulse]]:
        """See `JobStore`."""
        return self._store.beat(holds)

    def progress(self, hold: Hold, progress: Progress) -> Answer[Pulse]:
        """See `JobStore`."""
        return self._store.progress(hold, progress)

    def emit(self, hold: Hold, kind: str, items: Sequence[bytes]) -> Answer[Pulse]:
        """See `JobStore`."""
        return self._store.emit(hold, kind, items)

    def finish(self, hold: Hold, said: Said, output: Content | None = None) -> Answer[Job]:
        """See `JobStore`."""
        return self._store.finish(hold, said, output)

    def cancel(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """See `JobStore`."""
        return self._store.cancel(tenant, job)

    def retry(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """See `JobStore`."""
        return self._store.retry(tenant, job)

    def delete(self, tenant: Tenant | None, job: JobId) -> Answer[None]:
        """See `JobStore`."""
        return self._store.delete(tenant, job)

    def show(self, tenant: Tenant | None, job: JobId) -> Answer[Seen]:
        """See `JobStore`."""
        return self._store.show(tenant, job)

    def page(
        self,
        tenant: Tenant | None,
        status: Status | None = None,
        endpoint: str | None = None,
        cursor: str | None = None,
        at_most: int = 50,
    ) -> Answer[Page]:
        """See `JobStore`."""
        return self._store.page(tenant, status, endpoint, cursor, at_most)

    def result(self, tenant: Tenant | None, job: JobId) -> Answer[Stored]:
        """See `JobStore`."""
        return self._store.result(tenant, job)

    def events(
        self, tenant: Tenant | None, job: JobId, after: int = 0, at_most: int = 500
    ) -> Answer[Sequence[JobEvent]]:
        """See `JobStore`."""
        return self._store.events(tenant, job, after, at_most)

    def read(self, stored: Stored) -> Answer[bytes]:
        """See `JobStore`."""
        return self._store.read(stored)

    def sweep(self) -> Answer[Swept]:
        """See `JobStore`."""
        return self._store.sweep()

    def waiting(self) -> Mapping[str, int]:
        """See `JobStore`."""
        return self._store.waiting()

    def counts(self) -> Answer[Mapping[str, Mapping[Status, int]]]:
        """See `JobStore`."""
        return self._store.counts()
