"""What systemd wants to hear (sd_notify(3)), without a library; nobody listens elsewhere."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

FIRST_FD = 3
EXTENSION_S = 30.0
"""A start that still loads asks for so much more, again and again."""


class Notifier:
    """Says how the server is to whoever started it, if they asked."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take what systemd left in the environment: it is not for our children."""
        path = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        meant = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        period_us = environment.pop("WATCHDOG_USEC", "")
        self.watchdog_s = int(period_us) / 2e6 if meant and period_us.isdigit() else 0.0
        """How often it wants to hear of us; 0 is never."""

    def ready(self, status: str) -> None:
        """Say that everything asked for serves."""
        self._say("READY=1", f"STATUS={status}")

    def loading(self, status: str) -> None:
        """Ask for more time."""
        self._say(f"EXTEND_TIMEOUT_USEC={EXTENSION_S * 1e6:.0f}", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that a reload has begun."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._say("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self, within_s: float) -> None:
        """Say that the server is on its way out."""
        self._say("STOPPING=1", f"EXTEND_TIMEOUT_USEC={within_s * 1e6:.0f}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def main_process(self, pid: int) -> None:
        """Say who we are now, after a daemon's forks."""
        self._say(f"MAINPID={pid}")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with (
            contextlib.suppress(OSError),  # a server serves without a listener too, or a slow one
            socket.socket(socket.AF_UNIX, kind) as sock,
        ):
            sock.sendto("\n".join(lines).encode(), self._address)


def inherited(environment: MutableMapping[str, str]) -> list[int]:
    """Return the sockets that systemd has opened for us (sd_listen_fds(3)), once."""
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    return list(range(FIRST_FD, FIRST_FD + int(count)))
