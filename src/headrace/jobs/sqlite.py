"""The job store that needs no set-up: one SQLite file, and a folder beside it for what is large.

Three threads: one writes, one reads, one moves large contents to and from files. A large content is
on the disk before the deed that refers to it is asked for.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from headrace.core import submitting
from headrace.core.attempts import LEASE_S, Pulse, Said
from headrace.core.jobs import Job, JobId, Owner, Status, Tenant, UnixS
from headrace.core.submitting import Bounds
from headrace.errors import HeadraceError, Refused
from headrace.host.timetable import offset_s
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
from headrace.jobs import fresh, sweeping, timetables
from headrace.jobs.answers import Later, settled
from headrace.jobs.books import DAY_S, Books, Policy
from headrace.jobs.desk import Desk, Errand
from headrace.jobs.faults import told
from headrace.jobs.files import Files
from headrace.jobs.listeners import Listeners
from headrace.jobs.lock import Lock
from headrace.jobs.reading import Reading
from headrace.jobs.schema import connected, made_ready
from headrace.jobs.writer import Writer, closed

T = TypeVar("T")
LARGE_BYTES = 64 << 10
"""A content above this is a file."""
TIDIED_AT_ONCE = 500
HANDED_ON = object()
"""An errand's value where another thread answers."""


def wall_clock() -> UnixS:
    """Return the time in Unix seconds."""
    return UnixS(time.time())


@dataclass(frozen=True, slots=True)
class Options:
    """What can be said of a store."""

    bounds: Bounds = field(default_factory=Bounds)
    lease_s: float = LEASE_S
    remember_s: float = 7 * DAY_S
    """How long a job is known after its content was removed."""
    patience_s: float = 0.0
    """How long to wait for a server that is about to let go of the file."""
    holder: str = ""
    """What a second server is told of this one; its process, where nothing is said."""
    clock: Callable[[], UnixS] = wall_clock
    chance: Callable[[], float] = random.random


class SqliteJobs:
    """See `interfaces.JobStore`."""

    def __init__(self, path: Path | str, options: Options | None = None) -> None:
        """Open the file, make it ours if it is new, and take back what a dead server held.

        Raises ConfigError: another server has it, it is damaged, another's or of a newer version.
        """
        said = options or Options()
        self.path = Path(path).absolute()
        self.owner = Owner(f"{os.getpid()}-{secrets.token_hex(8)}")
        folder = self.path.with_name(f"{self.path.name}.files")
        self._lock = Lock(self.path, said.holder or f"process {os.getpid()}", said.patience_s)
        try:
            made_ready(self.path)
            self._files = Files(folder)
            self._open(said)
        except BaseException:
            self._lock.close()
            raise

    def _open(self, said: Options) -> None:
        policy = Policy(
            self.owner, said.chance, offset_s, said.bounds, said.lease_s, said.remember_s
        )
        self._listeners, self._is_closing = Listeners(), threading.Event()
        with contextlib.ExitStack() as opened:
            self._written, self._seen = connected(self.path), connected(self.path)
            opened.callback(closed, self._written)
            opened.callback(closed, self._seen)
            self._books = Books(self._written, self._files, policy)
            self._reading = Reading(self._seen, self._files)
            writer = Writer(self._books, said.clock, self._listeners.tell, str(self.path))
            self.taken_over = self._take_over(writer)
            opened.pop_all()
        self._writes = writer.open()
        self._reads = Desk("headrace-jobs-reader", self._each_alone)
        self._moves = Desk("headrace-jobs-files", self._each_alone)
        self._moves.ask(self._tidy)

    def _take_over(self, writer: Writer) -> int:
        """Take back what a dead server held; if nothing can be written now, its leases lapse."""
        try:
            return writer.at_once(lambda: sweeping.take_over(self._books))
        except Refused:
            return 0

    # --- submitters ----------------------------------------------------------------------------

    def submit(self, submission: Submission) -> Answer[Receipt]:
        """Accept a job, or find the one that came before with its key or id."""
        try:
            if submission.id is not None:
                submitting.check_id(submission.id)
            if submission.key is not None:
                submitting.check_key(submission.key)
        except HeadraceError as error:
            return _refused(error)
        return self._keep(submission.content, partial(self._books.submit, submission))

    def cancel(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """End a job that waits, and tell the worker of one that runs; what is over stays so."""
        return self._writes.ask(partial(self._books.cancel, tenant, job), durable=True)

    def retry(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """Put a job back in line that failed, was canceled or has expired."""
        return self._writes.ask(partial(self._books.retry, tenant, job), durable=True)

    def delete(self, tenant: Tenant | None, job: JobId) -> Answer[None]:
        """Forget a job that is over."""
        return self._writes.ask(partial(self._books.delete, tenant, job), durable=True)

    # --- workers -------------------------------------------------------------------------------

    def claim(self, endpoints: Sequence[str], at_most: int) -> Answer[Sequence[Claim]]:
        """Take the next jobs of these endpoints, first those of the lowest priority number."""
        return self._writes.ask(partial(self._books.claim, tuple(endpoints), at_most))

    def beat(self, holds: Sequence[Hold]) -> Answer[Mapping[Hold, Pulse]]:
        """Renew leases; hear what to stop."""
        return self._writes.ask(partial(self._books.beat, tuple(holds)))

    def progress(self, hold: Hold, progress: Progress) -> Answer[Pulse]:
        """Note how far an attempt has come."""
        return self._writes.ask(partial(self._books.progress, hold, progress))

    def emit(self, hold: Hold, kind: str, items: Sequence[bytes]) -> Answer[Pulse]:
        """Add events that a reader may replay; the eldest go when there are too many."""
        return self._writes.ask(partial(self._books.emit, hold, kind, tuple(items)))

    def finish(self, hold: Hold, said: Said, output: Content | None = None) -> Answer[Job]:
        """End an attempt. Raises StaleAttempt if it counts no more; then nothing has changed."""
        deed = partial(self._books.finish, hold, said)
        if output is None:
            return self._writes.ask(partial(deed, None), durable=True)
        return self._keep(output, deed)

    # --- readers -------------------------------------------------------------------------------

    def show(self, tenant: Tenant | None, job: JobId) -> Answer[Seen]:
        """Look at one job."""
        return self._reads.ask(partial(self._reading.show, tenant, job))

    def page(
        self,
        tenant: Tenant | None,
        status: Status | None = None,
        endpoint: str | None = None,
        cursor: str | None = None,
        at_most: int = 50,
    ) -> Answer[Page]:
        """Look at many, the latest first. Raises BadRequest for a cursor that is none of ours."""
        return self._reads.ask(
            partial(self._reading.page, tenant, status, endpoint, cursor, at_most)
        )

    def result(self, tenant: Tenant | None, job: JobId) -> Answer[Stored]:
        """Find what an ended job answered. Raises WrongStatus while it lives, ResultGone after."""
        return self._reads.ask(partial(self._reading.result, tenant, job))

    def events(
        self, tenant: Tenant | None, job: JobId, after: int = 0, at_most: int = 500
    ) -> Answer[Sequence[JobEvent]]:
        """Replay what happened after the event of this number, the eldest first."""
        return self._reads.ask(partial(self._reading.events, tenant, job, after, at_most))

    def read(self, stored: Stored) -> Answer[bytes]:
        """Fetch the bytes. Raises ResultGone where their time was over in between."""
        if stored.file is not None:
            return self._moves.ask(partial(Files.read, stored.file))
        answer: Later[bytes] = Later()
        answer.told(stored.data or b"")
        return answer

    def counts(self) -> Answer[Mapping[str, Mapping[Status, int]]]:
        """Count the live jobs of each endpoint."""
        return self._reads.ask(self._reading.counts)

    def waiting(self) -> Mapping[str, int]:
        """Tell how many jobs wait for each endpoint, as they were counted last."""
        return {name: line.queued for name, line in list(self._books.crowd.lines.items())}

    def listen(self, heard: Callable[[Sequence[Change]], None]) -> Callable[[], None]:
        """Be told of changes, on the event loop that asks; return how to stop that."""
        return self._listeners.add(heard)

    # --- time ----------------------------------------------------------------------------------

    def schedule(self, timed: Sequence[Timed]) -> Answer[None]:
        """Make these the jobs that come back by a timetable, and no others."""
        deed = partial(timetables.schedule, self._books, tuple(timed))
        return self._writes.ask(deed, durable=True)

    def sweep(self) -> Answer[Swept]:
        """Do one small step of all that time brings: deadlines, leases, timetables, retention."""
        return self._writes.ask(partial(sweeping.step, self._books))

    def close(self) -> None:
        """Write down what was asked for, and let go of everything; blocks until that is done."""
        self._is_closing.set()
        for desk in (self._moves, self._writes, self._reads):
            desk.close()
        closed(self._seen)
        closed(self._written)
        self._lock.close()

    # --- contents ------------------------------------------------------------------------------

    def _keep(self, given: Content, deed: Callable[[fresh.Content], T]) -> Later[T]:
        """Do a deed with a content that is kept by then: in the database, or in a file."""
        answer: Later[T] = Later()
        data = given.data
        size_bytes = len(data) if type(data) is bytes else memoryview(data).nbytes
        if size_bytes > LARGE_BYTES:
            move = partial(self._keep_large, given, size_bytes, deed, answer)
            self._moves.put(Errand(move, answer))
        else:
            content = fresh.Content(given.head, size_bytes, bytes(given.data))
            self._writes.put(Errand(partial(deed, content), answer, durable=True))
        return answer

    def _keep_large(
        self,
        given: Content,
        size_bytes: int,
        deed: Callable[[fresh.Content], T],
        answer: Later[T],
    ) -> object:
        name = self._files.keep(given.data)
        content = fresh.Content(given.head, size_bytes, None, name)
        unpin = partial(self._unpin, name)
        self._writes.put(Errand(partial(deed, content), answer, durable=True, finally_=unpin))
        return HANDED_ON

    def _unpin(self, name: str) -> None:
        """Let go of a file after its deed, in the writer's thread: if it was refused, it may go."""
        self._files.unpin(name)
        self._books.doubt([name])

    def _tidy(self) -> None:
        """Look for files that nobody refers to: their writer was killed before its deed."""
        names = self._files.names()
        while (some := tuple(islice(names, TIDIED_AT_ONCE))) and not self._is_closing.is_set():
            self._writes.ask(partial(self._books.doubt, some)).result()

    def _each_alone(self, group: Sequence[Errand]) -> None:
        for errand in group:
            try:
                value = errand.deed()
            except Exception as error:  # noqa: BLE001 - whoever waits for the answer hears of it
                settled([(errand.answer, None, told(error, str(self.path)))])
            else:
                if value is not HANDED_ON:
                    settled([(errand.answer, value, None)])


def _refused(error: HeadraceError) -> Later[Receipt]:
    answer: Later[Receipt] = Later()
    answer.refused(error)
    return answer
