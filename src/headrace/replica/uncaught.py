"""What comes of an exception that nobody planned for: it is logged, and hides nothing else."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from headrace.model.envelope import Envelope, Fault, Reply

log = logging.getLogger("headrace.replica")

EXITS = (SystemExit, KeyboardInterrupt)
"""They end the replica, not only the call: whoever raises them means the process."""


_ROOMS = Path(__file__).parent.parent
OURS = (
    *(f"{_ROOMS / room}/" for room in ("replica", "model", "executors")),
    "<frozen importlib",
)


def told(error: BaseException) -> str:
    """Format an error for its reader, who wrote the code below ours: our frames are left out."""
    whole = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = whole
    while part is not None:
        theirs = [frame for frame in part.stack if not frame.filename.startswith(OURS)]
        if theirs:  # else it is our bug
            part.stack = traceback.StackSummary.from_list(theirs)
        part = part.__cause__ or part.__context__
    return "".join(whole.format())


def faults_of(error: BaseException, envelopes: Sequence[Envelope]) -> list[Reply]:
    """Fail a whole call: a hook raised what passes by `except Exception`, such as Cancelled."""
    labels = ", ".join(envelope.label for envelope in envelopes)
    log.error("request %s: a hook raised", labels, exc_info=error)
    detail = f"a hook raised {type(error).__name__}; see the server's log under this request id"
    return [Fault(500, "hook_failed", detail)] * len(envelopes)


@contextlib.contextmanager
def logged(hook: str) -> Iterator[None]:
    """Log what `hook` raises and go on: it must not hide an earlier error."""
    try:
        yield
    except Exception:
        log.exception("%s raised", hook)
