"""Ask a replica to read a request, and to run nothing of it: before a job is written down."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from headrace.core.messages import DeploymentId, ReplicaId
from headrace.core.records import Copy
from headrace.core.replicas import State
from headrace.model.envelope import Envelope, Fault
from headrace.replica.frames import Valid, Validate
from headrace.runtime.driver import Driver

WITHIN_S: Final = 0.25
"""A replica hears words between its calls; nobody who submits is to wait for a long one."""
SHORT_CALL_S: Final = 0.05


class Verdict(NamedTuple):
    """What a replica says of a request: `fault` tells why it can come to nothing."""

    fault: Fault | None


class Validating:
    """Asks replicas of one driver."""

    def __init__(self, driver: Driver) -> None:
        """Hear their answers from now on."""
        self._driver = driver
        self._last = 0
        self._asked: dict[int, tuple[ReplicaId, asyncio.Future[Verdict | None]]] = {}
        driver.hears[Valid] = self._hear
        driver.farewells.append(self._farewell)

    async def ask(self, deployment: DeploymentId, envelope: Envelope) -> Verdict | None:
        """Return what a replica says; None where none has the time, so that nobody has read it."""
        copy = self._free(deployment)
        if copy is None:
            return None
        self._last += 1
        number = self._last
        future: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = copy.id, future
        try:
            self._driver.tell(copy.id, Validate(number, envelope))
            async with asyncio.timeout(WITHIN_S):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def _free(self, deployment: DeploymentId) -> Copy | None:
        """Return the replica that is the first to hear a word, if that is soon."""
        pool = self._driver.engine.pools.get(deployment)
        if pool is None:
            return None
        is_quick = bool(pool.policy.slots) or 0 <= pool.pace.predict_s(1) <= SHORT_CALL_S
        soon = [
            copy
            for copy in pool.copies.values()
            if copy.state is State.READY and (is_quick or not copy.calls)
        ]
        return min(soon, key=lambda copy: len(copy.calls), default=None)

    def _hear(self, _: ReplicaId, news: Valid) -> None:
        if news.number in self._asked:
            self._settle(self._asked[news.number][1], Verdict(news.fault))

    def _farewell(self, replica: ReplicaId) -> None:
        for asked, future in list(self._asked.values()):
            if asked == replica:
                self._settle(future, None)

    @staticmethod
    def _settle(future: asyncio.Future[Verdict | None], verdict: Verdict | None) -> None:
        if not future.done():
            future.set_result(verdict)
