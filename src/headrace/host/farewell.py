"""The last word: what `on_shutdown` is told of a stop, and where it runs.

A program that serves by itself calls it in its own process. Under an arbiter it runs in a child
that is given the report and a few seconds: the arbiter runs no code of users, and no bug of theirs
may keep it from ending with its exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from headrace.host.audit import Report
from headrace.host.travelling import unpacked
from headrace.processes.watch import kill_group
from headrace.replica.parent import die_with_parent

log = logging.getLogger("headrace.server")
WITHIN_S = 10.0
FAILED = "on_shutdown failed; the stop itself is done"


def tell(function: Callable[[Report], Any] | None, report: Report | None) -> None:
    """Call a program's function with the report; what it raises is logged."""
    if function is None or report is None:
        return
    try:
        _call(function, report)
    except Exception:
        log.exception(FAILED)


def tell_in_child(source: Any, report: Report | None) -> None:
    """Let a child import the function and call it; what goes wrong there is logged.

    A signal that would stop the server ends the child: whoever sends it does not want to wait.
    """
    if source is None or report is None:
        return
    child = subprocess.Popen(  # noqa: S603 - our own module, under our own interpreter
        [sys.executable, "-m", "headrace.host.farewell", str(os.getpid())],
        stdin=subprocess.PIPE,
        process_group=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        with _hurrying(child):
            child.communicate(msgspec.msgpack.encode((source, report)), timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        kill_group(child)
        child.wait()
        log.error("on_shutdown took longer than %g s and was ended", WITHIN_S)  # noqa: TRY400 - our own clock
        return
    if child.returncode:
        log.error("%s (exit code %d)", FAILED, child.returncode)


@contextlib.contextmanager
def _hurrying(child: subprocess.Popen[bytes]) -> Iterator[None]:
    before = {
        number: signal.signal(number, lambda *_: kill_group(child))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _call(function: Callable[[Report], Any], report: Report) -> None:
    outcome = function(dict(report))
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


def main() -> None:
    """Be the child."""
    source, report = msgspec.msgpack.decode(sys.stdin.buffer.read())
    _call(unpacked({"on_shutdown": source})["on_shutdown"], report)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    main()
