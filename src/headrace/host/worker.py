"""The arbiter's end of one worker process: born, spoken to, heard, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from headrace.core.workers import WorkerId
from headrace.host.control import Born, Channel, Order, Plan, Report, read_report
from headrace.processes.watch import Watch, in_words, kill_group

MODULE = "headrace.worker"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerProcess:
    """A fresh interpreter that serves what its Plan says, on sockets that are ours."""

    def __init__(
        self,
        plan: Plan,
        sockets: Sequence[socket.socket],
        heard: Callable[[WorkerId, Report], None],
        ended: Callable[[WorkerId, str], None],
    ) -> None:
        """Start it, from the event loop of a thread that outlives it. Raises OSError."""
        self.id = WorkerId(plan.worker)
        self._heard, self._ended = heard, ended
        self._is_born = False
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [theirs.fileno(), *(sock.fileno() for sock in sockets)]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module and interpreter
                    [sys.executable, "-m", MODULE, str(os.getpid()), *map(str, fds)],
                    pass_fds=fds,
                    stdin=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is for the arbiter, which ends its workers in order
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            except BaseException:
                ours.close()
                raise
        self._watch = Watch(self._process, self._reap)
        self._channel = Channel(ours, read_report, self._hear, lambda: None)
        self._channel.say(plan)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        """What it holds of the machine's memory; 0 where that cannot be told."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def say(self, order: Order) -> None:
        """Tell it something."""
        self._channel.say(order)

    def dump(self) -> None:
        """Let it write where its threads stand, whatever it is doing."""
        if self._is_born:
            self._watch.send(signal.SIGUSR2)

    def kill(self) -> None:
        """End it, and what it started in its process group."""
        kill_group(self._process)

    def _hear(self, report: Report) -> None:
        if isinstance(report, Born):
            self._is_born = True
        else:
            self._heard(self.id, report)

    def _reap(self) -> None:
        """Hear its last words, then end its group while its number is still its own."""
        self._channel.drain()
        self._channel.close()
        kill_group(self._process)
        self._ended(self.id, in_words(self._process.wait()))
