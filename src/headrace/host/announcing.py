"""Who is told how the server is: its terminal, systemd, the shell of a daemon, its commands."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Sequence
from typing import assert_never

from headrace.core.workers import Announce, BeginReload, EndReload
from headrace.host.daemon import Outcome, Shell
from headrace.host.pidfile import Known, PidFile
from headrace.host.sockets import start_lines, url_of
from headrace.host.systemd import Notifier

log = logging.getLogger("headrace.server")
EVERY_S = 1.0


class Announcer:
    """Says the same to all of them, each in its own words."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        scheme: str,
        notifier: Notifier,
        pidfile: PidFile | None,
        shell: Shell | None,
    ) -> None:
        """`pidfile` and `shell` are None where there is none to be told."""
        self._sockets, self._scheme = sockets, scheme
        self._notifier, self._pidfile, self._shell = notifier, pidfile, shell
        self._fed = -EVERY_S
        self.every_s = min(EVERY_S, notifier.watchdog_s or EVERY_S)
        """How often `tick` wants to be called."""
        self.lines: list[str] = []
        """What the worker that was ready last says that it serves."""

    def tick(self, loading: str) -> None:
        """Feed the watchdog; while something loads, ask for patience."""
        now = time.monotonic()
        if loading:
            self._notifier.loading(loading)
        if self._notifier.watchdog_s and now >= self._fed + self._notifier.watchdog_s:
            self._notifier.alive()
            self._fed = now

    def stopping(self, within_s: float) -> None:
        """Say that the server ends, and when at the latest."""
        self._notifier.stopping(within_s)

    def tell(self, news: Announce | BeginReload | EndReload) -> None:
        """Say what the tree wants to be known."""
        match news:
            case Announce():
                self._announce()
            case BeginReload():
                log.info("reload: the code is read again; what is served goes on meanwhile")
                self._notifier.reloading()
            case EndReload(fault):
                self._end_reload(fault)
            case _:
                assert_never(news)

    def _announce(self) -> None:
        lines = start_lines(self._sockets, self._scheme, self.lines)
        sys.stderr.write("\n".join([*lines, ""]))
        sys.stderr.flush()
        self._tell_commands(0, "")
        self._notifier.ready(lines[0])
        if self._shell is not None:
            self._shell.tell(Outcome(0, "\n".join(lines)))

    def _end_reload(self, fault: str) -> None:
        if fault:
            log.error("reload failed, and what was served goes on: %s", fault)
        else:
            log.info("reload: the new code serves")
        if self._pidfile is not None:
            self._tell_commands(self._pidfile.known.reloads + 1, fault)
        self._notifier.ready(f"reload failed: {fault}" if fault else "the new code serves")

    def _tell_commands(self, reloads: int, fault: str) -> None:
        if self._pidfile is not None:
            url = url_of(self._sockets[0], self._scheme)
            self._pidfile.tell(Known(url, reloads, fault))
