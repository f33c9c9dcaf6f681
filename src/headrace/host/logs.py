"""The server's own log: lines on standard error or in a file, which nobody can forge.

What clients send stands in some of the messages. So what could move a cursor or end a line is
escaped, and every further line of a record is indented: only ours begin at the margin.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from headrace.host.lines import opened

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
CLOCK, DATE = "%H:%M:%S", "%Y-%m-%d %H:%M:%S %z"
NAMES = ("headrace", "uvicorn.error")
INDENT = "    "
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Plain(logging.Formatter):
    """One record: its first line at the margin, the others indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, without a character that could pass for another one."""
        text = _CONTROL.sub(_escaped, super().format(record))
        return text.replace("\n", f"\n{INDENT}")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two digits


class ErrorLog(logging.StreamHandler[TextIO]):
    """A handler that writes to a file, and to a new one of its name when it is told to."""

    def __init__(self, path: str) -> None:
        """Open it. Raises ConfigError."""
        self._path = path
        super().__init__(_text(opened(path, "error_log")))

    def reopen(self) -> None:
        """Go on in a new file; what comes meanwhile waits. Raises ConfigError."""
        fresh = _text(opened(self._path, "error_log"))
        before = self.setStream(fresh)
        if before is not None:
            before.close()

    def close(self) -> None:
        """Close the file."""
        super().close()
        self.stream.close()


def log_to_stderr(level: str, path: object = None) -> None:
    """Let the server's records reach the terminal, unless the program set up logging itself.

    With a `path` they go to that file instead, whatever the program did; `-` is the terminal.
    Raises ConfigError.
    """
    ours = logging.getLogger(NAMES[0])
    ours.setLevel(level.upper())
    if path not in (None, "-"):
        _use(ErrorLog(str(path)), DATE)
    elif not (logging.getLogger().handlers or ours.handlers):
        _use(logging.StreamHandler(sys.stderr), CLOCK)


def reopen() -> None:
    """Go on in new files of the same names. Raises ConfigError."""
    for handler in list(logging.getLogger(NAMES[0]).handlers):
        if isinstance(handler, ErrorLog):
            handler.reopen()


class Complaints:
    """A text stream for an application's own complaints: they go where the server's records go."""

    def write(self, text: str) -> int:
        """Write a text."""
        return _stream().write(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write several."""
        _stream().writelines(texts)

    def flush(self) -> None:
        """Make sure that what was written is seen."""
        _stream().flush()


def _stream() -> TextIO:
    for handler in logging.getLogger(NAMES[0]).handlers:
        if isinstance(handler, ErrorLog):
            return handler.stream
    return sys.stderr


def _use(handler: logging.Handler, clock: str) -> None:
    handler.setFormatter(Plain(FORMAT, datefmt=clock))
    for name in NAMES:
        logger = logging.getLogger(name)
        for before in list(logger.handlers):
            if isinstance(before.formatter, Plain):  # one of ours
                logger.removeHandler(before)
                before.close()
        logger.addHandler(handler)
        logger.propagate = False


def _text(fd: int) -> TextIO:
    return os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
