"""The parent of the workers: carries what happens to core/tree.py, and what it says to them."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import assert_never

import msgspec

from headrace.core import workers as say
from headrace.core.tree import Tree
from headrace.core.workers import Action, WorkerId
from headrace.errors import SetupFailed, StartError
from headrace.host import control, logs
from headrace.host.announcing import Announcer
from headrace.host.daemon import redirect
from headrace.host.describing import Failure, again
from headrace.host.signals import handled, reap_strangers
from headrace.host.waiting_room import WaitingRoom
from headrace.host.worker import WorkerProcess
from headrace.settings.table import Settings

log = logging.getLogger("headrace.server")
EVERY_S = 1.0


class Arbiter:
    """One server: its sockets, its workers, and whoever wants something of them."""

    def __init__(
        self,
        tree: Tree,
        plan: control.Plan,
        settings: Settings,
        sockets: Sequence[socket.socket],
        announcer: Announcer,
    ) -> None:
        """`plan` is what every worker serves, but for its number."""
        self._tree, self._plan, self._settings = tree, plan, settings
        self._sockets, self._announcer = sockets, announcer
        self._room = WaitingRoom(sockets, settings, lambda: (self._state, self._doing))
        self._workers: dict[WorkerId, WorkerProcess] = {}
        self._failures: dict[WorkerId, StartError] = {}
        self._state, self._doing = "loading", f"{plan.target} is being loaded"
        self._asked_to_stop = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until somebody asks for the end. Raises StartError if that did not begin."""
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[WorkerId | None] = self._loop.create_future()
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: lambda: self._happened(self._tree.reload_asked),
            signal.SIGUSR1: self._reopen,
            signal.SIGUSR2: self._dump,
            signal.SIGTTIN: lambda: self._happened(self._tree.count_asked, 1),
            signal.SIGTTOU: lambda: self._happened(self._tree.count_asked, -1),
            signal.SIGCHLD: self._bury,
        }
        with handled(handlers):
            clock = asyncio.create_task(self._keep_time())
            self._happened(self._tree.begin)
            failed = await self._end
            clock.cancel()
            while self._tasks:
                await asyncio.gather(*self._tasks)
        if failed is not None:
            raise self._failures[failed]

    # --- events --------------------------------------------------------------------------------

    def _happened(self, tell: Callable[..., list[Action]], *what: object) -> None:
        """Tell the tree; do what it says, and wake it when it wants."""
        chance = random.random()  # noqa: S311 - it spreads restarts, and guards nothing
        for action in tell(*what, time.monotonic(), chance):
            self._do(action)
        if self._timer is not None:
            self._timer.cancel()
        wait_s = self._tree.next_at() - time.monotonic()
        later = min(max(wait_s, 0.0), 3600.0)
        self._timer = self._loop.call_later(later, self._happened, self._tree.passed)
        if self._end.done():
            self._timer.cancel()

    def _heard(self, worker: WorkerId, report: control.Report) -> None:
        match report:
            case control.Beat(requests):
                memory_bytes = self._workers[worker].memory_bytes
                self._happened(self._tree.beat, worker, requests, memory_bytes)
            case control.Answering():
                self._happened(self._tree.answering, worker)
            case control.Ready(lines):
                self._announcer.lines = lines
                self._happened(self._tree.loaded, worker)
            case control.Failed():
                self._failed(worker, report)
            case control.Reloaded(fault):
                self._happened(self._tree.reloaded, fault)
            case _:
                self._asked(report)

    def _asked(self, report: control.Report) -> None:
        """Hear what is no event of the worker's own life."""
        match report:
            case control.LoadingNow(what, done, total):
                far = f": {done:g} of {total:g}" if total else ""
                self._doing = f"{what}{far}"
            case control.StopAsked(by, why, grace_s):
                log.info("%s asks for a stop: %s", by, why)
                self._stop(grace_s)
            case control.ReloadAsked(by):
                log.info("%s asks for a reload", by)
                self._happened(self._tree.reload_asked)
            case control.StatusIs(_, status):
                log.info("worker state: %s", status)
            case _:
                raise TypeError(f"no worker says {report!r} here")

    def _failed(self, worker: WorkerId, report: control.Failed) -> None:
        failure = Failure(report.kind, report.message, report.traceback)
        self._failures[worker] = again(failure)
        if self._tree.announced and report.traceback:
            log.error("worker %d could not start\n%s", worker, report.traceback.rstrip())
        self._happened(self._tree.failed_to_start, worker, report.message)

    def _ended(self, worker: WorkerId, words: str) -> None:
        del self._workers[worker]
        reap_strangers(self._pids())
        failure = SetupFailed(f"the worker {words} while it started; its last lines say why")
        self._failures.setdefault(worker, failure)
        self._happened(self._tree.died, worker, words)

    # --- what others ask for -------------------------------------------------------------------

    def _stop(self, grace_s: float | None = None) -> None:
        wish_s = self._settings.graceful_timeout_s if grace_s is None else grace_s
        within_s = 0.0 if self._asked_to_stop else wish_s
        self._asked_to_stop = True
        self._state, self._doing = "draining", "the server is being stopped"
        self._announcer.stopping(within_s + say.KILL_AFTER_S)
        self._happened(self._tree.stop_asked, within_s)

    def _reopen(self) -> None:
        if self._settings.daemon and self._settings.error_log:
            redirect(self._settings.error_log)
        logs.reopen()
        for worker in self._workers.values():
            worker.say(control.Reopen())

    def _dump(self) -> None:
        """Write where everybody stands to the error log."""
        faulthandler.dump_traceback(sys.stderr, all_threads=True)
        for known in self._tree.workers.values():
            pid = self._workers[known.id].pid
            words = (known.id, pid, known.life.name.lower(), known.generation)
            log.info("worker %d: process %d, %s, generation %d", *words)
        for worker in self._workers.values():
            worker.dump()
            worker.say(control.StateToLog())

    def _pids(self) -> set[int]:
        return {worker.pid for worker in self._workers.values()}

    def _bury(self) -> None:
        reap_strangers(self._pids())

    async def _keep_time(self) -> None:
        while True:
            self._announcer.tick("" if self._tree.announced else self._doing)
            await asyncio.sleep(self._announcer.every_s)

    # --- deeds -----------------------------------------------------------------------------------

    def _do(self, action: Action) -> None:
        match action:
            case say.Start() | say.Retire() | say.Dump() | say.Kill() | say.ReloadInside():
                self._to_worker(action)
            case say.SetRoom(is_open):
                self._later(self._room.set(is_open=is_open))
            case say.Say(words, is_bad):
                log.log(logging.WARNING if is_bad else logging.INFO, "%s", words)
            case say.End(failed):
                self._later(self._room.set(is_open=False))
                self._end.set_result(failed)
            case _:
                self._announcer.tell(action)

    def _to_worker(
        self, action: say.Start | say.Retire | say.Dump | say.Kill | say.ReloadInside
    ) -> None:
        match action:
            case say.Start(worker, generation):
                self._start(worker, generation)
            case say.Retire(worker, grace_s):
                self._workers[worker].say(control.Stop(grace_s))
            case say.Dump(worker):
                self._workers[worker].dump()
            case say.Kill(worker):
                self._workers[worker].kill()
            case say.ReloadInside(worker):
                self._workers[worker].say(control.ReloadNow())
            case _:
                assert_never(action)

    def _start(self, worker: WorkerId, generation: int) -> None:
        plan = msgspec.structs.replace(self._plan, worker=worker, generation=generation)
        try:
            self._workers[worker] = WorkerProcess(plan, self._sockets, self._heard, self._ended)
        except OSError as error:  # no memory, no process left: as if it had ended at once
            words = f"could not be started ({error})"
            self._failures[worker] = SetupFailed(f"the worker {words}")
            self._loop.call_soon(self._happened, self._tree.died, worker, words)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
