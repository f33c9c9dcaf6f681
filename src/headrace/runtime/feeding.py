"""Applications in replicas read from their clients: who asks for how much, and of whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.core import streaming
from headrace.core.messages import ReplicaId, RequestId, Serial
from headrace.model.envelope import Message
from headrace.replica.frames import Feed, Want
from headrace.runtime.asked import Asked
from headrace.runtime.driver import Driver

Eater = tuple[ReplicaId, int, int]
"""Where an application runs: its replica, the serial of its call, its place in it."""
Wanted = Callable[[Eater, int], None]
"""Hears who wants to read, and how many messages more."""


class Feeding:
    """The wishes of one driver's replicas, each told to whoever has the client."""

    def __init__(self, driver: Driver) -> None:
        """Hear every `Want` from now on."""
        self._driver = driver
        self._following: dict[RequestId, Wanted] = {}
        driver.hears[Want] = self._hear

    def follow(self, asked: Asked, wanted: Wanted) -> None:
        """Tell what the application wants that answers this request, until it is forgotten."""
        self._following[asked.id] = wanted

    def forget(self, asked: Asked) -> None:
        """Nobody has its client any more."""
        self._following.pop(asked.id, None)

    def feed(self, eater: Eater, messages: Sequence[Message]) -> None:
        """Pass a client's messages on."""
        replica, serial, place = eater
        self._driver.tell(replica, Feed(serial, place, list(messages)))

    def repeats(self, asked: Asked, *, allowed: bool) -> None:
        """Note whether a request may be run again where its process has died."""
        streaming.repeats(self._driver.engine, asked.id, allowed)

    def _hear(self, replica: ReplicaId, want: Want) -> None:
        engine = self._driver.engine
        request = streaming.request_of(engine, replica, Serial(want.serial), want.place)
        wanted = None if request is None else self._following.get(request)
        if wanted is not None:
            wanted((replica, want.serial, want.place), want.messages)
