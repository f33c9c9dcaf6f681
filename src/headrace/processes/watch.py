"""Notice the end of a child, and say why it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable

from headrace.core.messages import Why


class Watch:
    """Calls back once on the event loop when a child has ended; the child is not reaped yet."""

    def __init__(self, process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
        """Begin to watch, from the event loop."""
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self._pid = process.pid
        self._fd = -1
        if hasattr(os, "pidfd_open"):
            self._fd = os.pidfd_open(process.pid)
            self._loop.add_reader(self._fd, self._notice)
        else:  # macOS: a thread waits without reaping
            waiter = threading.Thread(target=self._wait, args=(process.pid,), daemon=True)
            waiter.start()

    def _wait(self, pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self._loop.call_soon_threadsafe(self._ended)

    def _notice(self) -> None:
        self.close()
        self._ended()

    def send(self, number: int) -> None:
        """Signal the child, which is not reaped yet; one that has ended hears nothing."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._fd >= 0:
                signal.pidfd_send_signal(self._fd, number)
            else:
                os.kill(self._pid, number)

    def close(self) -> None:
        """Stop watching."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a child that is not reaped yet, and whatever it started in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def why_it_ended(returncode: int) -> Why:
    """Tell what an exit says about the call that ran."""
    return Why.KILLED if returncode == -signal.SIGKILL else Why.CRASHED


def in_words(returncode: int) -> str:
    """Name an exit for people."""
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"
