"""What commands want of a worker: passed on by the arbiter, each with a number, and awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

from headrace.core.workers import WorkerId
from headrace.errors import StartError
from headrace.host.admin import Answer, Delete, Deploy, Request, Status
from headrace.host.control import Asking, DeleteNow, DeployNow, Done, StatusIs, StatusPlease
from headrace.host.worker import WorkerProcess


class Errands:
    """Everything that a command waits for."""

    def __init__(self, worker: Callable[[], WorkerProcess | None]) -> None:
        """`worker` finds the one to ask, if there is one."""
        self._worker = worker
        self._waiting: dict[int, tuple[WorkerId, asyncio.Future[Answer]]] = {}
        self._last = 0

    async def run(self, request: Request) -> Answer:
        """Return what became of a request. Raises StartError."""
        worker = self._worker()
        if worker is None:
            if isinstance(request, Status):
                return Answer(status={"status": "loading"})
            raise StartError("the server has no worker just now; ask again once it serves")
        self._last += 1
        number = self._last
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = worker.id, answer
        worker.say(_order(number, request))
        try:
            return await answer
        finally:
            del self._waiting[number]

    def heard(self, report: Done | StatusIs) -> None:
        """A worker tells how one went; nothing if nobody waits any more."""
        _, answer = self._waiting.get(report.number, (None, None))
        if answer is None or answer.done():
            return
        match report:
            case Done(_, told, kind, message, traceback):
                answer.set_result(Answer(told, {}, kind, message, traceback))
            case StatusIs(_, status):
                answer.set_result(Answer(status=status))
            case _:
                assert_never(report)

    def lost(self, worker: WorkerId, words: str) -> None:
        """A worker has ended: nobody will tell what became of its errands."""
        for whose, answer in list(self._waiting.values()):
            if whose == worker and not answer.done():
                error = StartError(f"the worker {words} before it was done; see the server's log")
                answer.set_exception(error)


def _order(number: int, request: Request) -> Asking:
    match request:
        case Deploy(origins):
            return DeployNow(number, origins)
        case Delete(names):
            return DeleteNow(number, names)
        case Status():
            return StatusPlease(number)
        case _:
            assert_never(request)
