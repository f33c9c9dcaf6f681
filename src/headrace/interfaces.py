"""The few promises the rooms make to one another. Protocols only, no logic."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from headrace.core.attempts import Pulse, Said
from headrace.core.jobs import EVERYBODY, Job, JobId, JobNumber, Status, Tenant, Terms, UnixS
from headrace.core.messages import ReplicaId, Serial, Why

Envelope_contra = TypeVar("Envelope_contra", contravariant=True)
Reply_contra = TypeVar("Reply_contra", contravariant=True)
Part_contra = TypeVar("Part_contra", contravariant=True)
News_contra = TypeVar("News_contra", contravariant=True)
Word_contra = TypeVar("Word_contra", contravariant=True)

T_co = TypeVar("T_co", covariant=True)

Clock = Callable[[], float]
"""Seconds on a clock that never goes back, the same for every process of this machine."""


class Inbox(Protocol[Reply_contra, Part_contra, News_contra]):
    """Where a replica reports. Every method is called on the event loop's thread only."""

    def ready(self, replica: ReplicaId) -> None:
        """Report that the model is loaded."""

    def progress(self, replica: ReplicaId, done: float, total: float, what: str) -> None:
        """Report how far the loading has come."""

    def finished(
        self, replica: ReplicaId, serial: Serial, took_s: float, replies: Sequence[Reply_contra]
    ) -> None:
        """Report the end of a call: one reply per request, in the call's order."""

    def parts(
        self, replica: ReplicaId, serial: Serial, parts: Sequence[tuple[int, Part_contra]]
    ) -> None:
        """Report parts of streamed answers, each with its place; the first is `Opened`."""

    def ended_one(
        self, replica: ReplicaId, serial: Serial, place: int, reply: Reply_contra
    ) -> None:
        """Report the end of one answer of a call that goes on; `finished` says it again."""

    def returned(self, replica: ReplicaId, serial: Serial) -> None:
        """Report a recalled call that was not run."""

    def gone(self, replica: ReplicaId, why: Why, claimed: Serial, words: str) -> None:
        """Report the end of the replica; nothing comes from it after this."""

    def said(self, replica: ReplicaId, line: str) -> None:
        """Report a line the replica printed."""

    def told(self, replica: ReplicaId, news: News_contra) -> None:
        """Pass on what its code asks of others, or tells of itself: see `replica.frames.News`."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of replica can do beyond its duties; `testing.check_replica` holds it to this."""

    interrupts: bool
    """`interrupt` ends a sync hook; an async one is ended by `stop`, always."""
    survives_crash: bool
    """User code runs apart: a crash is heard as `gone`, and what it prints as `said`."""


class Replica(Protocol[Envelope_contra, Word_contra]):
    """One loaded model, wherever it runs. No method blocks the event loop.

    The replica owes every call that was sent exactly one of `finished`, `returned` or, with all the
    others, `gone`. After `gone` it owes nothing.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, the same for every replica of its kind."""

    @property
    def id(self) -> ReplicaId:
        """Its name, never used again."""

    @property
    def pid(self) -> int:
        """The process it runs in."""

    def send(self, serial: Serial, envelopes: Sequence[Envelope_contra]) -> None:
        """Add a call; it may leave only with `flush`."""

    def flush(self) -> None:
        """Let everything that was added leave, in one write."""

    def recall(self, serial: Serial) -> Serial | None:
        """Take back what is not begun of the calls from `serial` on.

        Return the first serial that is the caller's again at once, or None where only `returned`
        will tell.
        """

    def stop(self, serial: Serial, place: int) -> None:
        """Give up on one request of a call as soon as possible; the call still ends."""

    def interrupt(self, serial: Serial) -> None:
        """Raise Cancelled in the sync hook that runs this call, at once; the call still ends.

        Nothing where the kind does not interrupt; no other call is ever met.
        """

    def grant(self, serial: Serial, place: int, parts: int) -> None:
        """Allow so many more parts of a streamed answer, beyond the core/credit.WINDOW of each."""

    def tell(self, word: Word_contra) -> None:
        """Add a word for its code, see `replica.frames.Word`; it may leave only with `flush`."""

    def evict(self) -> None:
        """Finish the calls it has, tear down, and end; one that still loads ends at once."""

    def abort(self) -> None:
        """Print where every thread stands, where that can be, and end in a moment, as asked."""

    def kill(self, why: Why = Why.ASKED, words: str = "") -> None:
        """End at once; `gone` tells this `why`, and these words where the replica left none."""


class Answer(Protocol[T_co]):
    """What a store will say: awaited on the event loop that asked, waited for in a thread."""

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait on the event loop."""

    def result(self, timeout_s: float | None = None) -> T_co:
        """Wait in a thread that has no event loop. Raises TimeoutError."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a job is given, or what it answers."""

    head: bytes = b""
    """What its writer wants to remember of it, such as headers; the store does not read it."""
    data: bytes | memoryview = b""


@dataclass(frozen=True, slots=True)
class Stored:
    """A Content as the store has it; `JobStore.read` fetches the bytes, wherever they lie."""

    head: bytes
    size_bytes: int
    data: bytes | None
    file: Path | None = None
    """Where it lies if it is large, under its SHA-256; it may be gone after its retention."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job as somebody wants it."""

    endpoint: str
    content: Content
    fingerprint: bytes
    """The hash of all that makes the request the same request."""
    tenant: Tenant = EVERYBODY
    terms: Terms = field(default_factory=Terms)
    id: JobId | None = None
    key: str | None = None
    """Its Idempotency-Key, one of its tenant."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come, by its own account."""

    done: float
    total: float
    note: str = ""


class Hold(NamedTuple):
    """What a worker holds of a job: the attempt that it reports on."""

    number: JobNumber
    attempt: int


class Receipt(NamedTuple):
    """A job that will not be lost."""

    job: Job
    is_new: bool
    """False where the same came before."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job to be run, and what it is given."""

    job: Job
    content: Stored

    @property
    def hold(self) -> Hold:
        """Return what its worker reports with."""
        return Hold(self.job.number, self.job.attempt)


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as its tenant may see it."""

    job: Job
    position: int | None
    """How many stand before it in the line of its endpoint; None where it does not wait."""
    progress: Progress | None
    last_event: int
    output: Stored | None
    """What it answered, or how its latest attempt failed."""
    is_gone: bool = False
    """What it was given and what it answered were kept as long as they were to be."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job; numbers of one job count up from 1, without gaps."""

    number: int
    at: UnixS
    kind: str
    """`state`, `progress`, or what a worker calls it."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list, the latest first."""

    jobs: Sequence[Job]
    cursor: str | None
    """Where the next page begins; None after the last one."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A job that comes back by a timetable in cron's words."""

    name: str
    cron: str
    submission: Submission
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class Swept:
    """What one step of sweeping did, and when there is something to do next."""

    again_at: UnixS
    """When to sweep again: it lies in the past while there is more."""
    due_at: UnixS
    """When the next job may be claimed."""
    expired: int = 0
    lost: int = 0
    submitted: int = 0
    purged: int = 0
    """Jobs whose content was removed."""
    forgotten: int = 0


class Change(NamedTuple):
    """A job is not what it was, and that is written down."""

    number: JobNumber
    id: JobId
    tenant: Tenant
    endpoint: str
    status: Status


class JobStore(Protocol):
    """Where jobs are written down. What an Answer has told survives whatever happens next.

    Every method may be called on an event loop or in any thread; those that refuse do so through
    their Answer, with a HeadraceError: QueueFull, StorageFull, KeyReused, NoSuchJob, WrongStatus,
    StaleAttempt, ResultGone. A `tenant` of None is the server's own operator, who sees all.
    """

    def submit(self, submission: Submission) -> Answer[Receipt]:
        """Accept a job, or find the one that came before with its key or id."""

    def claim(self, endpoints: Sequence[str], at_most: int) -> Answer[Sequence[Claim]]:
        """Take the next jobs of these endpoints, first those of the lowest priority number."""

    def beat(self, holds: Sequence[Hold]) -> Answer[Mapping[Hold, Pulse]]:
        """Renew leases; hear what to stop."""

    def progress(self, hold: Hold, progress: Progress) -> Answer[Pulse]:
        """Note how far an attempt has come."""

    def emit(self, hold: Hold, kind: str, items: Sequence[bytes]) -> Answer[Pulse]:
        """Add events that a reader may replay; the eldest go when there are too many."""

    def finish(self, hold: Hold, said: Said, output: Content | None = None) -> Answer[Job]:
        """End an attempt. Raises StaleAttempt if it counts no more; then nothing has changed."""

    def cancel(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """End a job that waits, and tell the worker of one that runs; what is over stays so."""

    def retry(self, tenant: Tenant | None, job: JobId) -> Answer[Job]:
        """Put a job back in line that failed, was canceled or has expired."""

    def delete(self, tenant: Tenant | None, job: JobId) -> Answer[None]:
        """Forget a job that is over."""

    def show(self, tenant: Tenant | None, job: JobId) -> Answer[Seen]:
        """Look at one job."""

    def page(
        self,
        tenant: Tenant | None,
        status: Status | None = None,
        endpoint: str | None = None,
        cursor: str | None = None,
        at_most: int = 50,
    ) -> Answer[Page]:
        """Look at many, the latest first. Raises BadRequest for a cursor that is none of ours."""

    def result(self, tenant: Tenant | None, job: JobId) -> Answer[Stored]:
        """Find what an ended job answered. Raises WrongStatus while it lives, ResultGone after."""

    def events(
        self, tenant: Tenant | None, job: JobId, after: int = 0, at_most: int = 500
    ) -> Answer[Sequence[JobEvent]]:
        """Replay what happened after the event of this number, the eldest first."""

    def read(self, stored: Stored) -> Answer[bytes]:
        """Fetch the bytes. Raises ResultGone where their time was over in between."""

    def schedule(self, timed: Sequence[Timed]) -> Answer[None]:
        """Make these the jobs that come back by a timetable, and no others."""

    def sweep(self) -> Answer[Swept]:
        """Do one small step of all that time brings: deadlines, leases, timetables, retention."""

    def counts(self) -> Answer[Mapping[str, Mapping[Status, int]]]:
        """Count the live jobs of each endpoint."""

    def waiting(self) -> Mapping[str, int]:
        """Tell how many jobs wait for each endpoint, as they were counted last."""

    def listen(self, heard: Callable[[Sequence[Change]], None]) -> Callable[[], None]:
        """Be told of changes, on the event loop that asks; return how to stop that."""

    def close(self) -> None:
        """Write down what was asked for, and let go of everything; blocks until that is done."""
