"""What belongs to one attempt at one request: a private dict that knows whose it is.

The same object is seen by every hook of its own request and by no other. It costs a fraction of a
microsecond to make: what few hooks ask for (headers, above all) is worked out when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import Any

from headrace.errors import HeadraceError
from headrace.model.envelope import Envelope, Head
from headrace.model.progress import progress_to

OK = 200
LOWEST_STATUS, HIGHEST_STATUS = 200, 599  # what HTTP lets a server end with


class NoContext(HeadraceError, LookupError):
    """There is no one request here to speak of."""


class Headers(Mapping[str, str]):
    """A request's headers, found by name in any case; a repeated one is joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            if key in self._values:
                joint = "; " if key == "cookie" else ", "
                text = self._values[key] + joint + text
            self._values[key] = text

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


class Context(dict[str, Any]):
    """One request's own: keep in it what one hook finds out and another one needs.

    Headrace makes it; a test makes one too: `Context(headers={"accept": "text/plain"})`.
    `deadline` is in seconds on the monotonic clock, `inf` for none.
    """

    __slots__ = ("_abandoned", "_envelope", "_place", "_response_headers", "_serial", "_status")
    _abandoned: bool
    _envelope: Envelope
    _place: int
    """Which request of its call it is."""
    _serial: int
    """The call that it is in, as its replica counts them."""
    _response_headers: dict[str, str] | None
    _status: int

    def __init__(  # noqa: PLR0913 - all by keyword, and for tests
        self,
        *,
        request_id: str = "test",
        attempt: int = 1,
        headers: Mapping[str, str] | None = None,
        path: str = "/",
        client: str = "127.0.0.1",
        deadline: float = inf,
        model_id: str = "",
    ) -> None:
        super().__init__()
        raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (headers or {}).items()]
        self._envelope = Envelope(
            request_id,
            deadline,
            attempt,
            None,
            b"",
            Head("POST", path, b"", raw, client),
            model_id=model_id,
        )
        self._status, self._response_headers, self._abandoned = OK, None, False
        self._serial = self._place = 0

    @property
    def request_id(self) -> str:
        """The label that the client's response and the server's log carry too."""
        return self._envelope.label

    @property
    def attempt(self) -> int:
        """1, and one more for each time it was run again: its replica or its batch had failed.

        A job's are counted over its whole life, by the server that wrote it down.
        """
        return self._envelope.attempt

    @property
    def job_id(self) -> str | None:
        """The job that the request is an attempt at; None where somebody waits for its answer."""
        job = self._envelope.job
        return None if job is None else job.job

    @property
    def model_id(self) -> str:
        """Which model is asked for, by `X-Headrace-Model-Id` or a handle; empty for none."""
        return self._envelope.model_id

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return Headers(self._head().headers)

    @property
    def path(self) -> str:
        """The path of the request's URL."""
        return self._head().path

    @property
    def client(self) -> str:
        """The address the request came from."""
        return self._head().client

    @property
    def deadline(self) -> float:
        """When the client gets a 504, in seconds on the monotonic clock; `inf` for never."""
        return self._envelope.deadline

    def remaining(self) -> float:
        """Tell how many seconds are left before the deadline, never less than 0."""
        return max(0.0, self._envelope.deadline - monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more; for threads, which nothing interrupts."""
        return self._abandoned or self._envelope.deadline <= monotonic()

    @property
    def status(self) -> int:
        """The status of the answer; set it to answer with another one than 200."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
            raise ValueError(f"an answer's status must be 200 to 599, not {status}")
        self._status = int(status)

    @property
    def response_headers(self) -> dict[str, str]:
        """Headers to add to the answer; `Content-Type` takes the place of the usual one."""
        if self._response_headers is None:
            self._response_headers = {}
        return self._response_headers

    @response_headers.setter
    def response_headers(self, headers: Mapping[str, str]) -> None:
        self._response_headers = dict(headers)

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Tell whoever watches the job how far it is; of any other request nobody is told.

        In every thread, as often as you like: ten words a second go on, and the last one always.
        """
        told = None if self._envelope.job is None else progress_to()
        if told is not None:
            told(self._serial, self._place, float(done), float(total), note)

    def __repr__(self) -> str:
        left = self.remaining()
        time = "no deadline" if left == inf else f"{left:.1f} s left"
        state = "cancelled" if self.cancelled else time
        return f"<Context {self.request_id}, attempt {self.attempt}, {state}, {dict(self)!r}>"

    def _head(self) -> Head:
        if self._envelope.head is None:
            raise HeadraceError(
                "this model's hooks take no `context`, so the request's headers, path and client "
                "were not sent to it: add a `context` parameter to one of its hooks"
            )
        return self._envelope.head


running: ContextVar[int] = ContextVar("headrace_running", default=0)
"""The serial of the call that the running code is for; 0 for none, and where several calls share
a step."""


def context_of(envelope: Envelope, place: int = 0) -> Context:
    """Make the fresh Context of one attempt at the request at `place` of its call."""
    context = Context.__new__(Context)  # past __init__: this runs for each request
    context._envelope = envelope  # noqa: SLF001 - the other constructor
    context._status = OK  # noqa: SLF001
    context._response_headers = None  # noqa: SLF001
    context._abandoned = False  # noqa: SLF001
    context._serial, context._place = running.get(), place  # noqa: SLF001
    return context


def abandon(context: Context) -> None:
    """Note that nobody waits for this request any more."""
    context._abandoned = True  # noqa: SLF001 - users only read it, through `cancelled`


def is_untouched(context: Context) -> bool:
    """Tell whether the answer is to go out as usual: 200 and no headers of its own."""
    return context._status == OK and not context._response_headers  # noqa: SLF001


class Several:
    """The requests that one piece of code serves together."""

    __slots__ = ("calls", "contexts")

    def __init__(self, contexts: Sequence[Context], calls: Sequence[int] = ()) -> None:
        """`calls` are the serials of those they belong to, where that is not one call."""
        self.contexts, self.calls = contexts, calls


current: ContextVar[Context | Several | None] = ContextVar("headrace_context")
"""The request whose hook is running; those of a batch; None where many share a step."""


def whose() -> tuple[int, int]:
    """Tell for which call this code runs, and for which request of it; -1 for all of them."""
    context = current.get(None)
    if isinstance(context, Context):
        return context._serial, context._place  # noqa: SLF001 - as above
    return running.get(), -1


def renewed_context(context: Context, envelope: Envelope) -> Context:
    """Make the fresh Context of another attempt at the same request."""
    fresh = context_of(envelope, context._place)  # noqa: SLF001
    fresh._serial = context._serial  # noqa: SLF001
    return fresh


def served_here() -> Sequence[Context]:
    """Return the Contexts of all requests that the running code is known to serve."""
    found = current.get(None)
    if isinstance(found, Several):
        return found.contexts
    return () if found is None else (found,)


def calls_here() -> Sequence[int]:
    """Return the serials of all calls that the running code is known to work for."""
    found = current.get(None)
    if isinstance(found, Several) and found.calls:
        return found.calls
    serial = running.get()
    return (serial,) if serial else ()


def current_context() -> Context:
    """Find the Context of the request being served, anywhere below one of its hooks.

    Raises NoContext (a LookupError) elsewhere, in `predict_batch` and in `@hr.batch`.
    """
    try:
        context = current.get()
    except LookupError:
        raise NoContext(
            "no request is being served here; a thread started by a hook finds its context only "
            "if it runs inside `contextvars.copy_context()`"
        ) from None
    if context is None or isinstance(context, Several):
        raise NoContext(
            "a batch serves many requests at once: give predict_batch, or the function with "
            "@hr.batch, a parameter `contexts`, the list of their contexts in the order of the "
            "inputs"
        )
    return context
