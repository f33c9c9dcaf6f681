"""Jobs of a server elsewhere, from a program: submit, follow, fetch, end.

Whatever is sent may be sent again: a submission has its Idempotency-Key, so a server that is killed
and started again meanwhile runs it once.
"""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, Unpack
from urllib.parse import quote, urlencode

import msgspec

from headrace.client.connection import Question, Reply, Wire
from headrace.client.following import Following
from headrace.client.patience import JOB, Asked, Patience, checked, problem_of
from headrace.client.records import Event, JobRecord, JobsPage, Result
from headrace.client.sending import Sending, sent_as
from headrace.core.jobs import Status
from headrace.errors import JobFailed, RemoteError

PAGES = "/-/jobs"
WAIT_AT_ONCE_S = 20.0
ACCEPTED, NOT_FOUND, CONFLICT = 202, 404, 409
NONE: Mapping[str, str] = MappingProxyType({})


class JobsClient:
    """Asks one server; from any thread, and over its restarts. Close it, or use it as a block.

    `url` is `http://host:port`, with a path if a proxy has one before it, or `unix:/path`. `key` is
    an API key, where routes have some. A server that is away or full is asked again for
    `patience_s`. `pages` is where it has its jobs.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 30.0,
        patience_s: float = 60.0,
        pages: str = PAGES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connect when first asked. Raises ConfigError for what is no URL."""
        self._wire = Wire(url, timeout_s, tls)
        self._patience, self._pages = Patience(patience_s), pages.rstrip("/")
        self._key = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JobsClient of {self._wire.url}>"

    def close(self) -> None:
        """Let go of its connections."""
        self._wire.close()

    # --- submit --------------------------------------------------------------------------------

    def submit(
        self,
        route: str,
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        **words: Unpack[Sending],
    ) -> JobRecord:
        """Submit a request to a route, the payload as JSON; return the job once it is safe.

        With the `idempotency_key` of a job before it, and the same request, it is that job. Raises
        KeyReused, RemoteError (a body the route cannot take, a full queue), Unreachable.
        """
        key = idempotency_key or uuid.uuid4().hex
        body, headers = sent_as(payload, words)
        headers |= {"Prefer": "respond-async", "Idempotency-Key": f'"{key}"'}
        reply = self._ask("POST", route, headers, body)
        if reply.status != ACCEPTED or JOB not in reply.headers:
            raise RemoteError(reply.status, {"detail": f"{route} has answered at once: no jobs"})
        return _record(reply)

    def put(self, job: str, route: str, payload: Any = None, **words: Unpack[Sending]) -> JobRecord:
        """Submit under an id of your own; with the same request again, it is the same job.

        Raises as `submit`.
        """
        body, headers = sent_as(payload, words)
        path = f"{self._path(job)}?{urlencode({'endpoint': route})}"
        return _record(self._ask("PUT", path, headers, body))

    # --- look ----------------------------------------------------------------------------------

    def get(self, job: str, *, wait_s: float = 0.0) -> JobRecord:
        """Return how a job is: at once, or at its end if that comes within `wait_s`.

        Raises NoSuchJob.
        """
        query = f"?wait={wait_s:.3f}" if wait_s > 0 else ""
        return _record(self._ask("GET", self._path(job) + query, wait_s=wait_s))

    def wait(
        self,
        job: str,
        timeout_s: float | None = None,
        *,
        every_s: float = WAIT_AT_ONCE_S,
        seen: Callable[[JobRecord], object] | None = None,
    ) -> JobRecord:
        """Return the job when it is over, however it ended; tell `seen` of it every so often.

        Raises TimeoutError, NoSuchJob.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = every_s if end is None else min(every_s, end - time.monotonic())
            record = self.get(job, wait_s=max(0.0, left_s))
            if seen is not None:
                seen(record)
            if record.is_over:
                return record
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"job {job} is {record.status} after {timeout_s:g} s")

    def result(self, job: str, timeout_s: float | None = None) -> Any:
        """Wait for a job, and return what it answered as data: see `Result.value`.

        Raises JobFailed if it ended otherwise than well; TimeoutError, ResultGone, NoSuchJob.
        """
        return self.response(job, timeout_s).value

    def response(self, job: str, timeout_s: float | None = None) -> Result:
        """Wait for a job, and return its answer with status and headers. Raises as `result`."""
        record = self.wait(job, timeout_s)
        reply = self._asked("GET", f"{self._path(job)}/result").reply
        if JOB not in reply.headers:
            checked(reply)
        if record.status is not Status.SUCCEEDED:
            raise JobFailed(reply.status, problem_of(reply))
        return Result(reply.status, reply.headers, reply.body)

    def events(self, job: str, after: int = 0) -> Iterator[Event]:
        """Yield all that happens to a job behind the event of this number, until it is over.

        A connection that breaks is made again, and nothing is told twice. Raises NoSuchJob, and
        Unreachable.
        """
        path = f"{self._path(job)}/events"

        def question(headers: Mapping[str, str]) -> Question:
            return Question("GET", path, {**headers, **self._key})

        yield from Following(self._wire, self._patience, question).events(after)

    def list(
        self, status: Status | str | None = None, route: str | None = None, *, limit: int = 100
    ) -> Iterator[JobRecord]:
        """Yield jobs, the latest first, those of a status or a route if one is named.

        `limit` of them are asked for at once.
        """
        asked = {"status": status and str(status), "endpoint": route, "limit": str(limit)}
        query = {name: value for name, value in asked.items() if value is not None}
        while True:
            page = self.page(query)
            yield from page.jobs
            if page.cursor is None:
                return
            query["cursor"] = page.cursor

    def page(self, query: Mapping[str, str]) -> JobsPage:
        """Return one page of a list: `status`, `endpoint`, `cursor`, `limit`."""
        reply = self._ask("GET", f"{self._pages}?{urlencode(query)}")
        return msgspec.json.decode(reply.body, type=JobsPage)

    # --- change --------------------------------------------------------------------------------

    def cancel(self, job: str) -> JobRecord:
        """End a job, work that runs too; what is over stays as it is. Raises NoSuchJob."""
        return _record(self._ask("POST", f"{self._path(job)}/cancel"))

    def retry(self, job: str) -> JobRecord:
        """Have a job once more that failed, was canceled or has expired.

        Raises WrongStatus, ResultGone, NoSuchJob.
        """
        asked = self._asked("POST", f"{self._path(job)}/retry")
        if asked.was_repeated and asked.reply.status == CONFLICT:
            return self.get(job)  # the one before has put it back in line
        return _record(checked(asked.reply))

    def delete(self, job: str) -> None:
        """Have a job forgotten that is over. Raises WrongStatus, NoSuchJob."""
        asked = self._asked("DELETE", self._path(job))
        if not (asked.was_repeated and asked.reply.status == NOT_FOUND):
            checked(asked.reply)

    # --- parts ---------------------------------------------------------------------------------

    def _path(self, job: str) -> str:
        return f"{self._pages}/{quote(job, safe='~')}"

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = NONE,
        body: bytes | None = None,
        *,
        wait_s: float = 0.0,
    ) -> Reply:
        return checked(self._asked(method, path, headers, body, wait_s=wait_s).reply)

    def _asked(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = NONE,
        body: bytes | None = None,
        *,
        wait_s: float = 0.0,
    ) -> Asked:
        question = Question(method, path, {**headers, **self._key}, body)
        return self._patience.ask(self._wire, question, self._timeout_s + wait_s)


def _record(reply: Reply) -> JobRecord:
    try:
        return msgspec.json.decode(reply.body, type=JobRecord)
    except msgspec.DecodeError as error:
        raise RemoteError(reply.status, {"detail": f"what answers is no job: {error}"}) from error
