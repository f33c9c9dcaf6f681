"""A log file: lines are written together, by a thread of its own, and none is lost at the end.

The event loop only appends to a list. A tenth of a second later the thread writes what is there in
one go, then sleeps until there is more. Processes that share the file do not mix their lines, for
it is opened to append, and into a pipe no more goes at once than the kernel keeps together.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

from headrace.errors import ConfigError

log = logging.getLogger("headrace.server")
WRITE_EVERY_S = 0.1
PIPE_BYTES = select.PIPE_BUF
MODE = 0o640
_MORE, _REOPEN, _CLOSE = "more", "reopen", "close"


def opened(path: str, setting: str) -> int:
    """Open a log file to append to. Raises ConfigError with the mend."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
    except FileNotFoundError as error:
        folder = Path(path).parent
        raise ConfigError(
            f"setting `{setting}`: there is no folder {folder}; make it: mkdir -p {folder}"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"setting `{setting}`: cannot write to {path}: {error.strerror}"
        ) from error


class LineFile:
    """Where lines go: a path, or `-` for standard output."""

    def __init__(self, path: str, setting: str = "access_log") -> None:
        """Open it. Raises ConfigError."""
        self._path, self._setting = path, setting
        self._fd = os.dup(sys.__stdout__.fileno()) if path == "-" and sys.__stdout__ else -1
        if path != "-":
            self._fd = opened(path, setting)
        self._lines: list[bytes] = []
        self._is_told = False
        self._orders: SimpleQueue[str] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="headrace-log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take a line, its end included."""
        self._lines.append(line)
        if not self._is_told:
            self._is_told = True
            self._orders.put(_MORE)

    def reopen(self) -> None:
        """Let what was written go to the file as it was, and the rest to one of the same name."""
        self._orders.put(_REOPEN)

    def close(self) -> None:
        """Write what is there, and close it."""
        self._orders.put(_CLOSE)
        self._thread.join()

    def _run(self) -> None:
        order = ""
        while order != _CLOSE:
            order = self._orders.get()
            if order == _MORE:
                with contextlib.suppress(Empty):
                    order = self._orders.get(timeout=WRITE_EVERY_S)
            self._is_told = False  # before the writing: a line from here on tells us again
            self._empty()
            if order == _REOPEN and self._path != "-":
                self._open_anew()
        if self._fd >= 0:
            os.close(self._fd)

    def _empty(self) -> None:
        lines, number = self._lines, len(self._lines)
        if not number or self._fd < 0:
            return
        taken = lines[:number]
        del lines[:number]  # in one step of the interpreter: a line appended meanwhile stays
        for block in self._blocks(taken):
            self._write(block)

    def _blocks(self, lines: list[bytes]) -> Iterator[bytes]:
        if stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            yield from blocks(lines, PIPE_BYTES)
        else:
            yield b"".join(lines)

    def _write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [])
            except OSError as error:  # the disk is full, or nobody reads: the server goes on
                log.error("setting `%s`: lines are lost: %s", self._setting, error)  # noqa: TRY400
                return

    def _open_anew(self) -> None:
        try:
            fd = opened(self._path, self._setting)
        except ConfigError as error:
            log.error("%s; the file before is kept", error)  # noqa: TRY400 - the message is all
            return
        os.close(self._fd)
        self._fd = fd


def blocks(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Join lines to blocks of at most so many bytes; a line that is longer stays alone."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > most:
            yield b"".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield b"".join(held)
