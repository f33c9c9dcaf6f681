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
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import assert_never

import msgspec

from headrace.core import workers as say
from headrace.core.draining import Tally
from headrace.core.forest import Forest
from headrace.core.workers import Action, WorkerId
from headrace.errors import SetupFailed, StartError
from headrace.host import control, logs, senders
from headrace.host.admin import Reception
from headrace.host.announcing import Announcer
from headrace.host.audit import Asker, Audit
from headrace.host.beside import Beside
from headrace.host.daemon import redirect
from headrace.host.describing import Failure, again
from headrace.host.errands import Errands
from headrace.host.signals import handled, reap_strangers
from headrace.host.timetable import follow
from headrace.host.waiting_room import WaitingRoom
from headrace.host.watching import Watched, watch
from headrace.host.worker import WorkerProcess
from headrace.settings.table import Settings

log = logging.getLogger("headrace.server")
EVERY_S = 1.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Arbiter:
    """One server: its sockets, its workers, and whoever wants something of them."""

    def __init__(
        self,
        tree: Forest,
        plan: control.Plan,
        settings: Settings,
        sockets: Sequence[socket.socket],
        announcer: Announcer,
        audit: Audit,
    ) -> None:
        """`plan` is what every worker serves, but for its number."""
        self._tree, self._plan, self._settings = tree, plan, settings
        self._sockets, self._announcer = sockets, announcer
        self._room = WaitingRoom(sockets, settings, lambda: (self._state, self._doing))
        self._workers: dict[WorkerId, WorkerProcess] = {}
        self._failures: dict[WorkerId, StartError] = {}
        self._state, self._doing = "loading", f"{plan.target} is being loaded"
        self._asked_to_stop = False
        self._watched = Watched(plan.files if settings.dev else ())
        self._audit = audit
        self._tallies: dict[WorkerId, Tally] = {}
        self._retired_at: dict[WorkerId, float] = {}
        self.admin: socket.socket | None = None
        """Where commands ask, if they can."""
        self.beside: Beside | None = None
        """The engine worker beside app workers, if there is to be one."""
        self._errands = Errands(self._engine)
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until somebody asks for the end. Raises StartError if that did not begin."""
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[WorkerId | None] = self._loop.create_future()
        handlers: dict[signal.Signals, Callable[[], None]] = {
            **{one: partial(self._stop, Asker("signal", signal=one.name)) for one in STOP_SIGNALS},
            signal.SIGHUP: lambda: self._happened(self._tree.reload_asked),
            signal.SIGUSR1: self._reopen,
            signal.SIGUSR2: self._dump,
            signal.SIGTTIN: lambda: self._happened(self._tree.count_asked, 1),
            signal.SIGTTOU: lambda: self._happened(self._tree.count_asked, -1),
            signal.SIGCHLD: self._bury,
        }
        with handled(handlers), senders.read(STOP_SIGNALS, self._stop):
            clocks = [asyncio.create_task(work) for work in self._clocks()]
            reception = None if self.admin is None else Reception(self.admin, self._errands.run)
            if reception is not None:
                await reception.open()
            self._happened(self._tree.begin)
            failed = await self._end
            if reception is not None:
                await reception.close()
            for clock in clocks:
                clock.cancel()
            while self._tasks:
                await asyncio.gather(*self._tasks)
        self._record_end(None if failed is None else self._failures[failed])

    def _record_end(self, failure: StartError | None) -> None:
        if failure is not None:
            self._audit.failed_to_start()
        tally = sum(self._tallies.values(), Tally())
        self._audit.stopped(tally, 0 if failure is None else failure.exit_code)
        if failure is not None:
            raise failure

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
            case control.Ready():
                self._ready(worker, report)
            case control.Failed():
                self._failed(worker, report)
            case control.Reloaded(fault, files):
                self._watched.follow(files)
                self._happened(self._tree.reloaded, fault)
            case control.Left(tally):
                self._tallies[worker] = tally
            case _:
                self._asked(report)

    def _ready(self, worker: WorkerId, report: control.Ready) -> None:
        if not self._tree.is_engine(worker):
            self._announcer.lines = report.lines
        self._watched.follow(report.files)
        self._happened(self._tree.loaded, worker)

    def _asked(self, report: control.Report) -> None:
        """Hear what is no event of the worker's own life."""
        match report:
            case control.LoadingNow(what, done, total):
                far = f": {done:g} of {total:g}" if total else ""
                self._doing = f"{what}{far}"
            case control.StopAsked(by, grace_s):
                self._stop(by, grace_s)
            case control.ReloadAsked(by):
                log.info("%s asks for a reload", by)
                self._happened(self._tree.reload_asked)
            case control.StatusIs() | control.Done():
                self._errands.heard(report)
            case control.Serving():
                self._serves(report)
            case _:
                raise TypeError(f"no worker says {report!r} here")

    def _serves(self, report: control.Serving) -> None:
        """Let an engine worker that comes after this one serve the same."""
        plan = self._plan if self.beside is None else self.beside.plan
        told = msgspec.structs.replace(
            plan, applications=report.applications, origins=report.origins, files=report.files
        )
        self._watched.follow(report.files if self._settings.dev else ())
        if self.beside is None:
            self._plan, self._announcer.lines = told, report.lines
        else:
            self.beside = replace(self.beside, plan=told)

    def _failed(self, worker: WorkerId, report: control.Failed) -> None:
        failure = Failure(report.kind, report.message, report.traceback)
        self._failures[worker] = again(failure)
        if self._tree.announced and report.traceback:
            log.error("worker %d could not start\n%s", worker, report.traceback.rstrip())
        self._happened(self._tree.failed_to_start, worker, report.message)

    def _ended(self, worker: WorkerId, words: str) -> None:
        self._record_worker(worker, self._workers.pop(worker).pid, words)
        self._errands.lost(worker, words)
        reap_strangers(self._pids())
        failure = SetupFailed(f"the worker {words} while it started; its last lines say why")
        self._failures.setdefault(worker, failure)
        self._happened(self._tree.died, worker, words)

    def _record_worker(self, worker: WorkerId, pid: int, words: str) -> None:
        """Write why a worker has ended, if it did so alone: the end of all is one record."""
        tree = self._tree.tree_of(worker)
        retired_at = self._retired_at.pop(worker, None)
        why = say.why_ended(tree.workers[worker], tree.generation, stopping=tree.stopping)
        if why == "stop":
            return
        duration_s = 0.0 if retired_at is None else time.monotonic() - retired_at
        said = {"why": why, "worker": worker, "pid": pid, "ending": words}
        self._audit.worker_ended(said, self._tallies.pop(worker, None), duration_s)

    def _engine(self) -> WorkerProcess | None:
        """Return the worker that commands mean: the youngest that stays."""
        staying = [
            known.id
            for known in self._tree.front.workers.values()
            if known.life in (say.Life.STARTING, say.Life.READY) and known.id in self._workers
        ]
        return self._workers[max(staying)] if staying else None

    # --- what others ask for -------------------------------------------------------------------

    def _stop(self, asker: Asker, grace_s: float | None = None) -> None:
        wish_s = self._settings.graceful_timeout_s if grace_s is None else grace_s
        within_s = 0.0 if self._asked_to_stop else wish_s
        delay_s = 0.0 if self._asked_to_stop else self._settings.drain_delay_s
        self._asked_to_stop = True
        self._audit.asked(asker, within_s)
        self._state, self._doing = "draining", "the server is being stopped"
        self._announcer.stopping(delay_s + within_s + say.KILL_AFTER_S)
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

    def _clocks(self) -> Iterator[Coroutine[None, None, None]]:
        """Return what goes on beside the workers."""
        yield self._keep_time()
        if self._settings.reload_at is not None:
            yield follow(self._settings.reload_at, lambda: self._reload("reload_at"))
        if self._settings.dev:
            yield watch(self._watched, lambda files: self._reload(f"{', '.join(files)} changed"))

    def _reload(self, why: str) -> None:
        log.info("reload: %s", why)
        self._happened(self._tree.reload_asked)

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
            case say.Retire(worker, grace_s, delay_s):
                self._retired_at.setdefault(worker, time.monotonic())
                self._workers[worker].say(control.Stop(grace_s, delay_s))
            case say.Dump(worker):
                self._workers[worker].dump()
            case say.Kill(worker):
                self._workers[worker].kill()
            case say.ReloadInside(worker):
                self._workers[worker].say(control.ReloadNow())
            case _:
                assert_never(action)

    def _start(self, worker: WorkerId, generation: int) -> None:
        plan, sockets = self._plan, self._sockets
        if self.beside is not None and self._tree.is_engine(worker):
            plan, sockets = self.beside.plan, [self.beside.inner]
        plan = msgspec.structs.replace(plan, worker=worker, generation=generation)
        try:
            self._workers[worker] = WorkerProcess(plan, sockets, self._heard, self._ended)
        except OSError as error:  # no memory, no process left: as if it had ended at once
            words = f"could not be started ({error})"
            self._failures[worker] = SetupFailed(f"the worker {words}")
            self._loop.call_soon(self._happened, self._tree.died, worker, words)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
