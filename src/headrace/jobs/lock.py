"""Who has a database: one server at a time, known by a lock that dies with its process.

The lock is on a file of its own beside the database, and that file stays: whoever removes a lock
file at its end lets two successors lock two files of one name.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from headrace.errors import ConfigError

EVERY_S = 0.05
MODE = 0o600
MOST_BYTES = 512


class Lock:
    """Held until `close`, or until its process ends."""

    def __init__(self, database: Path, holder: str, patience_s: float = 0.0) -> None:
        """Take it, within so many seconds. Raises ConfigError, which names who has it."""
        path = database.with_name(f"{database.name}.lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._take(database, time.monotonic() + patience_s)
        except BaseException:
            os.close(self._fd)
            raise
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, holder.encode()[:MOST_BYTES], 0)

    def _take(self, database: Path, until: float) -> None:
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise ConfigError(self._words(database)) from None
                time.sleep(EVERY_S)
            else:
                return

    def _words(self, database: Path) -> str:
        holder = os.pread(self._fd, MOST_BYTES, 0).decode(errors="replace") or "another server"
        return (
            f"the jobs in {database} are in the hands of {holder}. One server writes a database of "
            "jobs: stop that one, or give this one a file of its own"
        )

    def close(self) -> None:
        """Let somebody else have it."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1
