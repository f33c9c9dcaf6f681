"""The life of a replica process: import, set up, say Ready, serve, tear down."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from collections.abc import Awaitable
from socket import socket

from headrace.errors import HeadraceError, ImpossibleStep
from headrace.model.hooks import Plan, compile_plan
from headrace.model.source import fetch
from headrace.replica.asyncio_end import AsyncEnd, new_loop
from headrace.replica.bodies import Bodies
from headrace.replica.end import End
from headrace.replica.frames import (
    Failed,
    Load,
    Progress,
    Ready,
    Splitter,
    pack,
    read_order,
)
from headrace.replica.logs import log_to_stderr
from headrace.replica.loop import WorkerGone, run_leaf
from headrace.replica.page import Page
from headrace.replica.stopping import Guard
from headrace.replica.streams import run_streams
from headrace.replica.threads import in_threads
from headrace.replica.uncaught import logged, told

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
        made_with = bool(load.arguments)
        plan = in_threads(compile_plan(fetch(load.source), load.options, is_made_with=made_with))
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

    def __init__(self, plan: Plan, load: Load, end: End) -> None:
        self._plan, self._load, self._end, self._sock = plan, load, end, end.sock

    def live(self) -> int:
        if self._plan.layout == "async":
            with asyncio.Runner(loop_factory=new_loop) as runner:
                return runner.run(self._live_async())
        model = self._plan.make(self._load.arguments)
        try:
            _finish(self._plan.setup(model, self._load.device, self._progress))
            self._sock.sendall(pack(Ready()))
            serve = run_streams if self._plan.streams else run_leaf
            serve(self._plan, model, self._end)
        finally:
            with logged("teardown"):
                _finish(self._plan.teardown(model))
        return 0

    async def _live_async(self) -> int:
        model = self._plan.make(self._load.arguments)
        try:
            await _done(self._plan.setup(model, self._load.device, self._progress))
            self._sock.sendall(pack(Ready()))
            await AsyncEnd(self._plan, model, self._end).serve()
        finally:
            with logged("teardown"):
                await _done(self._plan.teardown(model))
        return 0

    def _progress(self, done: float, total: float, what: str) -> None:
        self._sock.sendall(pack(Progress(float(done), float(total), what)))


def _finish(work: Awaitable[None] | None) -> None:
    if work is not None:
        asyncio.run(_done(work))


async def _done(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work
