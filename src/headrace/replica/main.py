"""The life of a replica process: import, set up, say Ready, serve, tear down."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from collections.abc import Awaitable
from socket import socket

from headrace.errors import HeadraceError, ImpossibleStep
from headrace.model.called import use_room
from headrace.model.care import configure
from headrace.model.hooks import Plan
from headrace.model.multiplexed import emptied
from headrace.replica.asyncio_end import AsyncEnd, new_loop
from headrace.replica.bodies import Bodies
from headrace.replica.care import CareBetweenCalls
from headrace.replica.end import End
from headrace.replica.frames import (
    Failed,
    Load,
    News,
    Progress,
    Ready,
    Splitter,
    pack,
    read_order,
)
from headrace.replica.logs import log_to_stderr
from headrace.replica.loop import run_leaf
from headrace.replica.page import Page
from headrace.replica.plans import AnyPlan, plan_of
from headrace.replica.reading import WorkerGone
from headrace.replica.stopping import Guard
from headrace.replica.streams import run_streams
from headrace.replica.threads import in_threads
from headrace.replica.uncaught import logged, told
from headrace.replica.validating import answer_validate

FAILED_TO_START = 3


def main(socket_fd: int, page_fd: int, arena_fd: int) -> int:
    """Live as a replica; return the exit code."""
    faulthandler.enable()
    log_to_stderr()
    sock = socket(fileno=socket_fd)
    page = Page(page_fd)
    os.close(page_fd)
    guard = Guard(page)
    bodies = Bodies(arena_fd)
    splitter = Splitter()
    try:
        load = _first_order(sock, splitter)
        bodies.use_region(load.region)
        use_room(bodies.place)
        plan = plan_of(load)
        if isinstance(plan, Plan):
            plan = in_threads(plan)
        return _Life(plan, load, End(sock, page, splitter, bodies, guard)).live()
    except WorkerGone:
        return 0
    except Exception as error:  # noqa: BLE001 - the worker waits for Ready or the reason
        _report_failure(sock, error)
        return FAILED_TO_START


def _first_order(sock: socket, splitter: Splitter) -> Load:
    while True:
        records = splitter.read(sock)
        if records is None:
            raise WorkerGone
        for record in records:
            order = read_order(record)
            if isinstance(order, Load):
                return order
            raise ImpossibleStep(f"the first order is Load, not {order!r}")


def _report_failure(sock: socket, error: Exception) -> None:
    words = str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
    traceback = told(error)
    try:
        sock.sendall(pack(Failed(words, traceback)))
    except OSError:
        sys.stderr.write(traceback)  # the worker is gone too: the terminal is all that is left


class _Life:
    """One model from its making to its teardown, in either layout."""

    def __init__(self, plan: AnyPlan, load: Load, end: End) -> None:
        self._plan, self._load, self._end, self._sock = plan, load, end, end.sock

    def live(self) -> int:
        plan = self._plan
        if not isinstance(plan, Plan) or plan.layout == "async":
            with asyncio.Runner(loop_factory=new_loop) as runner:
                return runner.run(self._live_async())
        model = plan.make(self._load.arguments)
        try:
            _finish(plan.setup(model, self._load.device, self._progress))
            _finish(configure(model, self._load.options.user_config))
            CareBetweenCalls(plan, model, self._end.words, self._tell)
            answer_validate(plan, self._end.words, self._tell)
            self._sock.sendall(pack(Ready()))
            serve = run_streams if plan.streams else run_leaf
            serve(plan, model, self._end)
        finally:
            with logged("teardown"):
                _finish(plan.teardown(model))
            with logged("teardown of its models"):
                _finish(emptied(model))
        return 0

    async def _live_async(self) -> int:
        model = self._plan.make(self._load.arguments)
        try:
            await _done(self._plan.setup(model, self._load.device, self._progress))
            await _done(configure(model, self._load.options.user_config))
            self._sock.sendall(pack(Ready()))
            timeout_s = self._load.options.health_check_timeout_s
            await AsyncEnd(self._plan, model, self._end, timeout_s).serve()
        finally:
            with logged("teardown"):
                await _done(self._plan.teardown(model))
            with logged("teardown of its models"):
                await _done(emptied(model))
        return 0

    def _tell(self, news: News) -> None:
        self._end.send(pack(news))

    def _progress(self, done: float, total: float, what: str) -> None:
        self._sock.sendall(pack(Progress(float(done), float(total), what)))


def _finish(work: Awaitable[None] | None) -> None:
    if work is not None:
        asyncio.run(_done(work))


async def _done(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work
