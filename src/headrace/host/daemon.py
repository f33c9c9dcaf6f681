"""A server without a terminal: its shell command waits until it is ready, and ends as it began."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import msgspec
from msgspec import Struct

LOG_MODE = 0o640


class Outcome(Struct, frozen=True):
    """How the start went: what the shell's command prints, and its exit code."""

    code: int
    words: str


class Shell:
    """The daemon's line to the command that started it; it may be told once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def tell(self, outcome: Outcome) -> None:
        """Let the command end with this."""
        if self._fd < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it was ended meanwhile; we serve all the same
            os.write(self._fd, msgspec.msgpack.encode(outcome))
        os.close(self._fd)
        self._fd = -1


def daemonize(log_path: str) -> Shell:
    """Go on as a daemon whose output is `log_path`; the process that called waits and exits.

    Call it before there is any thread: a fork takes only one along. Raises OSError, before it
    forks, if the log cannot be written.
    """
    log_fd = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, LOG_MODE)
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    first = os.fork()
    if first:
        os.close(writing)
        os.close(log_fd)
        os.waitpid(first, 0)
        _wait_as_shell(reading, log_path)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)  # whoever leads a session could be given a terminal
    null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd, target in ((null_fd, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(fd, target)
    os.close(null_fd)
    os.close(log_fd)
    return Shell(writing)


def redirect(log_path: str) -> None:
    """Let standard output and error go to a log file, opened anew."""
    sys.stdout.flush()
    sys.stderr.flush()
    fd = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, LOG_MODE)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def _wait_as_shell(reading: int, log_path: str) -> NoReturn:
    with open(reading, "rb") as pipe:
        told = pipe.read()
    words = f"headrace: the daemon ended before it was ready; its log says why: {log_path}"
    outcome = msgspec.msgpack.decode(told, type=Outcome) if told else Outcome(1, words)
    sys.stderr.write(f"{outcome.words}\n")
    sys.stderr.flush()
    os._exit(outcome.code)
