"""How an exception becomes a fault: what the client is told, what only the log is told."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path

from headrace.errors import HTTPError, RequestError
from headrace.model.answers import header_pairs
from headrace.model.context import Context
from headrace.model.envelope import Fault
from headrace.model.plain import CannotAnswer
from headrace.model.steps import BadBatch

log = logging.getLogger("headrace.model")

TOO_LATE = Fault(504, "deadline_exceeded", "the deadline passed before the model could begin")
debugging: ContextVar[bool] = ContextVar("headrace_debugging", default=False)
"""Whether the client is the developer, and is told what else only the log is told."""

_HERE = str(Path(__file__).parent)
_SEE_LOG = "see the server's log under this request id"


def fault_of(error: BaseException, hook: str, contexts: Sequence[Context]) -> Fault:
    """Make the fault these requests end in; an exception nobody planned goes to the log.

    Its text stays there: it may hold what another request sent, or a secret.
    """
    if isinstance(error, HTTPError):
        try:
            headers = header_pairs(error.headers.items())
        except CannotAnswer as worse:
            return fault_of(worse, hook, contexts)
        return Fault(int(error.status), error.code, _sendable(error.detail), None, headers)
    if isinstance(error, RequestError):
        path = None if error.path is None else _sendable(error.path)
        return Fault(error.status, error.code, _sendable(error.detail), path)
    if isinstance(error, CannotAnswer | BadBatch):
        said, detail = f"{hook}: {error}", f"what {hook} returned cannot be sent"
    else:
        said, detail = f"{hook} raised", f"{hook} raised {type(error).__name__}"
    log.error("%s: %s", _names(contexts), said, exc_info=error)
    if debugging.get():
        where = _traceback(error)
        return Fault(500, "hook_failed", _sendable(f"{detail}: {error}"), traceback=where)
    return Fault(500, "hook_failed", f"{_sendable(detail)}; {_SEE_LOG}")


def _names(contexts: Sequence[Context]) -> str:
    ids = ", ".join(context.request_id for context in contexts)
    return f"request {ids}" if len(contexts) == 1 else f"requests {ids}"


def _traceback(error: BaseException) -> str:
    """Format an error from the hook on: the frames above it are ours."""
    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_HERE):
        below = below.tb_next
    return _sendable("".join(traceback.format_exception(type(error), error, below)))


def _sendable(text: object) -> str:
    """Make it text that UTF-8 can carry, whatever a hook put there."""
    return str(text).encode("utf-8", "replace").decode()
