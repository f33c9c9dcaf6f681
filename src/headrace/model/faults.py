"""How an exception becomes a fault: what the client is told, what only the log is told.

Nothing is taken for granted about the exception: its text may be huge, or raise itself.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path

from headrace.errors import CallToAncestor, Expired, HTTPError, Refused, ReplicaLost, RequestError
from headrace.model.answers import header_pairs
from headrace.model.context import Context
from headrace.model.envelope import Fault
from headrace.model.plain import BadBatch, CannotAnswer
from headrace.model.sizes import bounded_headers, bounded_status

log = logging.getLogger("headrace.model")

TOO_LATE = Fault(504, "deadline_exceeded", "the deadline passed before the model could begin")
NOBODY_WAITS = Fault(499, "client_closed_request", "nobody waited for the answer any more")
LONGEST_TEXT = 1 << 16
"""Characters of an exception that are told; a hook may put a whole request into its words."""
REMOTE = "The callee's traceback:"
"""Begins the note in which an exception that a handle brought tells where it was raised."""
debugging: ContextVar[bool] = ContextVar("headrace_debugging", default=False)
"""Whether the client is the developer, and is told what else only the log is told."""

_HERE = str(Path(__file__).parent)
_SAYS = {503: "come again later", 504: "its time was over", 500: "the process that made it died"}
_SEE_LOG = "see the server's log under this request id"


def fault_of(error: BaseException, hook: str, contexts: Sequence[Context]) -> Fault:
    """Make the fault these requests end in; an exception nobody planned goes to the log.

    Its text stays there: it may hold what another request sent, or a secret.
    """
    try:
        return _planned(error) or _of_callee(error) or _unplanned(error, hook, contexts)
    except CannotAnswer as worse:
        return _unplanned(worse, hook, contexts)
    except Exception:  # noqa: BLE001 - the exception's own words raise, or its class
        log.error("%s: %s raised what cannot be told", names(contexts), hook)  # noqa: TRY400 - nor shown
        return Fault(500, "hook_failed", f"{hook} raised; {_SEE_LOG}")


def _planned(error: BaseException) -> Fault | None:
    if isinstance(error, HTTPError):
        headers = header_pairs(error.headers.items())
        bounded_headers(headers)
        path = None
    elif isinstance(error, RequestError) and not _is_remote(error):
        headers = []
        path = None if error.path is None else _sendable(error.path)
    else:
        return None
    status = bounded_status(int(error.status))  # a subclass may have put anything there
    return Fault(status, str(error.code), _sendable(error.detail), path, headers)


def _of_callee(error: BaseException) -> Fault | None:
    """Pass on what the engine said of a call that a hook made; its words may name what is private.

    Nothing is wrong with the hook: so nothing is logged but a death, which is told where it was.
    """
    if not isinstance(error, Refused | Expired | ReplicaLost) or isinstance(error, CallToAncestor):
        return None
    headers = []
    if error.retry_after_s is not None:
        headers = [("Retry-After", str(max(1, math.ceil(error.retry_after_s))))]
    return Fault(
        error.status,
        error.code,
        f"a part of the answer was not to be had: {_SAYS[error.status]}",
        headers=headers,
    )


def _is_remote(error: BaseException) -> bool:
    return any(str(note).startswith(REMOTE) for note in getattr(error, "__notes__", ()))


def _unplanned(error: BaseException, hook: str, contexts: Sequence[Context]) -> Fault:
    if isinstance(error, CannotAnswer | BadBatch):
        said, detail = f"{hook}: {_cut(str(error))}", f"what {hook} returned cannot be sent"
    else:
        said, detail = f"{hook} raised", f"{hook} raised {type(error).__name__}"
    _log(f"{names(contexts)}: {said}", error)
    if debugging.get():
        where = _traceback(error)
        return Fault(500, "hook_failed", _sendable(f"{detail}: {error}"), traceback=where)
    return Fault(500, "hook_failed", f"{_sendable(detail)}; {_SEE_LOG}")


def names(contexts: Sequence[Context]) -> str:
    """Name requests as the log does."""
    ids = ", ".join(context.request_id for context in contexts)
    return f"request {ids}" if len(contexts) == 1 else f"requests {ids}"


def in_a_line(error: BaseException) -> str:
    """Return an exception's class and words on one short line, whatever they are."""
    try:
        return _writable(" ".join(f"{type(error).__name__}: {str(error)[:200]}".split()))
    except Exception:  # noqa: BLE001 - its words raise
        return "an exception without words"


def without_remote(told: traceback.TracebackException) -> traceback.TracebackException:
    """Leave out the tracebacks that handles brought: whoever raised them has told them already."""
    part: traceback.TracebackException | None = told
    while part is not None:
        notes = getattr(part, "__notes__", None) or []
        part.__notes__ = [n for n in notes if not str(n).startswith(REMOTE)] or None
        part = part.__cause__ or part.__context__
    return told


def own_part(error: BaseException) -> str:
    """Format an error without what its callees' replicas have logged."""
    return "".join(without_remote(traceback.TracebackException.from_exception(error)).format())


def _log(said: str, error: BaseException) -> None:
    try:
        whole = "".join(traceback.format_exception(error))
        text = whole if REMOTE not in whole else own_part(error)
    except Exception:  # noqa: BLE001 - groups within groups, a note that raises
        log.error("%s: %s, whose traceback cannot be shown", said, in_a_line(error))  # noqa: TRY400 - so it is
        return
    if text is whole and len(text) <= LONGEST_TEXT and _writable(text) == text:
        log.error("%s", _writable(said), exc_info=error)
    else:
        log.error("%s\n%s", _writable(said), _writable(_cut(text)))


def _traceback(error: BaseException) -> str:
    """Format an error from the hook on: the frames above it are ours."""
    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_HERE):
        below = below.tb_next
    return _sendable("".join(traceback.format_exception(type(error), error, below)))


def _sendable(text: object) -> str:
    """Make it text that UTF-8 can carry, whatever a hook put there."""
    return _cut(str(text)).encode("utf-8", "replace").decode()


def _writable(text: str) -> str:
    """Escape what no file takes: half of a surrogate pair, from a hook's own words."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str) -> str:
    """Leave the middle of a long text out: a traceback's last line says the most."""
    left = len(text) - LONGEST_TEXT
    half = LONGEST_TEXT // 2
    return text if left <= 0 else f"{text[:half]}\n[... {left:,} characters ...]\n{text[-half:]}"
