"""The audit: who wanted the server to end, why, and what that cost; one JSON object a line.

The records go to the logger `headrace.audit`, but for those of a program that ends its own server,
and all of them to the file of the setting `audit_log` if there is one. The file is opened for each
record, for they are few: so any process of the server may write, whole lines only, and a rotation
needs nobody's word. What cannot be written stops no stop.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from headrace.core.draining import Tally

log = logging.getLogger("headrace.audit")
MODE = 0o640
MILLISECONDS = 3
API, PROGRAM = "api", "program"

Report = dict[str, Any]
"""What a record says; the one of a stop is what `on_shutdown` gets."""


class Asker(Struct, frozen=True, omit_defaults=True):
    """Who wants a stop: the fields that are known."""

    why: str
    """api, signal, cli, program or failed_start."""
    who: str = "unknown"
    """A client's address, or a process."""
    key: str = ""
    """The fingerprint of the key it brought: the beginning of its SHA-256."""
    request_id: str = ""
    signal: str = ""
    pid: int = 0
    uid: int | None = None

    def told(self) -> Report:
        """Return what is known."""
        told: Report = msgspec.to_builtins(self)
        return {**told, "who": self.who}


def by_program() -> Asker:
    """Return who asks when the program itself ends its server."""
    return Asker(PROGRAM, "the program", pid=os.getpid())


class Audit:
    """Writes the records of one server."""

    def __init__(self, path: str | None = None) -> None:
        """Take the file, if there is to be one."""
        self._path = path
        self._asker: Asker | None = None
        self._began = time.monotonic()
        self._hurried = False
        self.report: Report | None = None
        """What the record of the server's stop says, once there is one."""
        log.setLevel(logging.INFO)  # a record is no matter of taste

    def refused(self, asker: Asker, reason: str, status: int) -> None:
        """Record a call for a stop that was not heard."""
        self._write("refused", {**asker.told(), "reason": reason, "status": status})

    def asked(self, asker: Asker, grace_s: float) -> None:
        """Hear who wants a stop: the first one is named by its record. Record a call at once."""
        self._hurried = self._asker is not None
        if self._asker is None:
            self._asker, self._began = asker, time.monotonic()
        if asker.why == API:
            told = {**asker.told(), "grace_s": grace_s, "hurries": self._hurried}
            self._write("asked", told)

    def failed_to_start(self) -> None:
        """Say that nobody asked: the stop that follows is of a server that never served."""
        if self._asker is None:
            self._asker = Asker("failed_start", "the server itself", pid=os.getpid())

    def stopped(self, tally: Tally, exit_code: int | None = None) -> None:
        """Record the stop, once."""
        if self.report is not None:
            return
        asker = self._asker or by_program()
        told = {**asker.told(), "hurried": self._hurried}
        code = {} if exit_code is None else {"exit_code": exit_code}
        counted = _counted(tally, time.monotonic() - self._began)
        self.report = self._write("stop", {**told, **counted, **code})

    def worker_ended(self, said: Mapping[str, Any], tally: Tally | None, duration_s: float) -> None:
        """Record the end of one worker, while the server goes on."""
        self._write("worker", {**said, **_counted(tally, duration_s)})

    def _write(self, event: str, told: Mapping[str, Any]) -> Report:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"at": at, "event": event, **told, "server": os.getpid()}
        text = msgspec.json.encode(record)
        if (
            told.get("why") != PROGRAM
        ):  # whoever stops its own server need not be told on its terminal
            log.info("%s", text.decode())
        if self._path is not None:
            try:
                _append(self._path, text + b"\n")
            except OSError as error:
                log.error("audit_log %s cannot be written: %s", self._path, error.strerror)  # noqa: TRY400 - its path is all there is to say
        return record


def _counted(tally: Tally | None, duration_s: float) -> Report:
    """Return what a stop cost; of a worker that fell nobody knows what it had under way."""
    return {
        "in_flight": tally and tally.in_flight,
        "finished": tally and tally.finished,
        "cut": tally and tally.cut,
        "duration_s": round(duration_s, MILLISECONDS),
    }


def _append(path: str, line: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)
