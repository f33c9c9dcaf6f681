"""Gives running replicas a new `user_config`, and hears what became of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from headrace.core.messages import DeploymentId, ReplicaId
from headrace.core.replicas import State
from headrace.replica.frames import Reconfigure, Reconfigured
from headrace.runtime.driver import Driver

HEARS = (State.LOADING, State.READY, State.QUITTING)
LATE = "it has not answered within {:g} s"


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a change."""

    took: int
    """Replicas that have it, or are gone: who comes in their place has it."""
    faults: Mapping[ReplicaId, str]
    """Why others have not."""


class Reconfiguring:
    """One change after another for each replica; each has one answer, or its replica is gone."""

    def __init__(self, driver: Driver) -> None:
        """Listen from now on."""
        self._driver = driver
        self._asked: dict[ReplicaId, deque[asyncio.Future[str]]] = {}
        self._later: dict[ReplicaId, list[Reconfigure]] = {}
        """For replicas that load: they begin with what held when they were started."""
        driver.hears[Reconfigured] = self._heard
        driver.farewells.append(self._gone)

    async def tell(self, deployment: DeploymentId, config: Any, timeout_s: float) -> Told:
        """Give every replica this config; return what came of it when all have spoken.

        One that is gone meanwhile is not among them: who comes in its place begins with the newest.
        """
        word = Reconfigure(msgspec.json.encode(config))
        answers: dict[ReplicaId, asyncio.Future[str]] = {}
        for copy in list(self._driver.engine.pools[deployment].copies.values()):
            if copy.state in HEARS:
                answer = answers[copy.id] = asyncio.get_running_loop().create_future()
                self._asked.setdefault(copy.id, deque()).append(answer)
                if copy.state is State.LOADING:
                    self._later.setdefault(copy.id, []).append(word)
                else:
                    self._driver.tell(copy.id, word)
        if answers:
            await asyncio.wait(answers.values(), timeout=timeout_s)
        faults = _faults(answers, timeout_s)
        return Told(len(answers) - len(faults), faults)

    def replica_ready(self, replica: ReplicaId) -> None:
        """Tell a replica now what was changed while it was loading."""
        for word in self._later.pop(replica, ()):
            self._driver.tell(replica, word)

    def _heard(self, replica: ReplicaId, news: Reconfigured) -> None:
        answers = self._asked[replica]
        answer = answers.popleft()
        if not answers:
            del self._asked[replica]
        if not answer.done():
            answer.set_result(news.fault)

    def _gone(self, replica: ReplicaId) -> None:
        self._later.pop(replica, None)
        for answer in self._asked.pop(replica, ()):
            if not answer.done():
                answer.set_result("")


def _faults(
    answers: Mapping[ReplicaId, asyncio.Future[str]], timeout_s: float
) -> dict[ReplicaId, str]:
    faults = {
        replica: answer.result() if answer.done() else LATE.format(timeout_s)
        for replica, answer in answers.items()
    }
    return {replica: fault for replica, fault in faults.items() if fault}
