"""Which signal means what to an arbiter, and who buries strangers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Container, Iterator, Mapping

Handlers = Mapping[signal.Signals, Callable[[], None]]


@contextlib.contextmanager
def handled(handlers: Handlers) -> Iterator[None]:
    """Call these on the running event loop, for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def reap_strangers(ours: Container[int]) -> None:
    """Bury ended children that nobody started: process 1 of a container inherits every orphan.

    Our own stay as they are: they are reaped by who watches them, after their group was ended.
    """
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in ours:
                return  # it is buried in a moment, and then this is called again
            os.waitpid(ended.si_pid, 0)
