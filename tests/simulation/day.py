"""A day of traffic for the real driver and engine: drawn by a seed, checked after every event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random

from msgspec.structs import replace

from headrace.core.check import check
from headrace.core.credit import WINDOW, grant
from headrace.core.engine import Engine
from headrace.core.messages import Action, DeploymentId, News, ReplicaId, Why
from headrace.core.records import Policy
from headrace.errors import Refused
from headrace.model.envelope import Envelope, Part
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.checkups import Checkups
from headrace.runtime.driver import Driver
from headrace.runtime.models import Models
from headrace.runtime.watcher import Watcher
from tests.core.many import MODELS
from tests.simulation.actor import Actor, Temper, answer_to, part_of
from tests.simulation.clockwork import Clockwork

HAIR_S = 1e-6


class Ticking(Engine):
    """Remembers when it ticked last."""

    ticked_at = 0.0

    def ticked(self, now: float) -> list[Action]:
        self.ticked_at = now
        return super().ticked(now)


@dataclass(slots=True, eq=False)
class Caller:
    """One request and what came of it."""

    envelope: Envelope
    asked_at: float
    asked: Asked | None = None
    left: bool = False
    idle_s: float | None = None
    """How long the next part of its answer may take."""
    reads: bool = True
    parts: int = 0
    taken: int = 0
    granted: int = WINDOW
    """Parts that may come in all, as far as its server knows what it took."""
    due_from: float = 0.0
    """Since when its server owes it the next part."""
    endings: list[Ending] = field(default_factory=list)

    @property
    def ends_by(self) -> float:
        latest = max(self.envelope.deadline, self.asked_at)
        if not self.parts or self.idle_s is None or self.parts == self.granted:
            return latest  # where there is no room for a part, none is due
        return min(latest, self.due_from + self.idle_s)

    def took_one(self, now: float) -> None:
        self.taken += 1
        if more := grant(self.taken):
            if self.parts == self.granted:
                self.due_from = now
            self.granted, self.taken = self.granted + more, 0


class Day(Watcher):
    """Requests come and leave, replicas load, hang and die; `live` runs it to its end."""

    def __init__(self, seed: str, policies: dict[str, Policy], temper: Temper) -> None:
        self.seed, self._policies, self._temper = seed, policies, temper
        self._chance = Random(seed)
        self._loop, self._engine = Clockwork(), Ticking()
        self.callers: list[Caller] = []
        self.story: Counter[str] = Counter()
        self._drained = 0
        self._wrong: list[str] = []

    def live(self, requests: int, per_s: float, deaths: int) -> None:
        """Let so many requests come and replicas die, then stop the server."""
        with self._loop.running():
            starters = dict.fromkeys(self._policies, self._start)
            self.driver = Driver(self._engine, starters, self._loop.time)
            self.driver.watcher = self
            Models(self.driver)
            Checkups(self.driver)._chance = self._chance.random
            self.driver._chance = self._chance.random
            for name, policy in self._policies.items():
                self.driver.deploy(DeploymentId(name), policy)
            seconds = requests / per_s
            for _ in range(requests):
                self._loop.call_later(self._chance.uniform(0, seconds), self._someone_asks)
            for _ in range(deaths):
                self._loop.call_later(self._chance.uniform(0, seconds), self._someone_dies)
            self._loop.call_later(seconds, self.driver.stop, self._chance.choice([0.0, 1.0, 30.0]))
            self._run()
        self._everybody_has_one_ending()

    def _run(self) -> None:
        while True:
            while self._loop.one_callback():
                self._check()
            if self._engine.ticked_at == self._loop.time():  # else time has passed since that tick
                check(self._engine, turn_ended_at=self._engine.ticked_at)
            if not self._loop.next_moment():
                return
            self._check()

    def _check(self) -> None:
        check(self._engine)
        assert not self._wrong, self._wrong

    # --- what happens --------------------------------------------------------------------------

    def _start(self, deployment: DeploymentId, replica: ReplicaId) -> Actor:
        chance = Random(f"{self.seed}/{replica}")
        actor = Actor(replica, self._policies[deployment], self._loop, chance, self._temper)
        actor.driver = self.driver
        return actor

    def _someone_asks(self) -> None:
        chance, now = self._chance, self._loop.time()
        name = chance.choice(sorted(self._policies))
        for _ in range(chance.choice([1, 1, 1, 2, 8])):
            deadline = now + chance.choice([-1.0, 0.01, 1.0, 10.0, 60.0, 60.0])
            label = str(len(self.callers) + 1)
            envelope = Envelope(label, deadline, 1, None, b"x" * chance.choice([1, 100, 400]))
            if self._policies[name].multiplexed:
                envelope = replace(envelope, model_id=chance.choice(MODELS))
                self.story["for one of many models"] += 1
            idle_s = self._policies[name].item_timeout_s
            caller = Caller(envelope, now, idle_s=idle_s, reads=chance.random() < 0.8)
            try:
                ended = partial(self._ended, caller)
                heard = partial(self._heard, caller)
                caller.asked = self.driver.ask(DeploymentId(name), envelope, ended, heard=heard)
            except Refused as refused:
                self.story[type(refused).__name__] += 1
                continue
            self.callers.append(caller)
            if chance.random() < 0.15:
                self._loop.call_later(chance.choice([0.0, 0.001, 0.1, 3.0]), self._leave, caller)

    def _leave(self, caller: Caller) -> None:
        if not caller.endings:
            caller.left = True
            assert caller.asked is not None
            self.driver.hang_up(caller.asked)

    def _ended(self, caller: Caller, ending: Ending) -> None:
        """Judge an ending; the driver lets no caller's exception out, so it is noted."""
        caller.endings.append(ending)
        self.story[type(ending).__name__] += 1
        label, late_s = caller.envelope.label, self._loop.time() - caller.ends_by
        if len(caller.endings) > 1:
            self._wrong.append(f"request {label} ended twice: {caller.endings}")
        if late_s > HAIR_S:
            self._wrong.append(f"request {label} ended {late_s} s late")
        if isinstance(ending, bytes) and ending != answer_to(caller.envelope):
            self._wrong.append(f"request {label} was told {ending!r}")
        if (ending is None) != caller.left:
            self._wrong.append(f"request {label} left: {caller.left}, and ended in {ending!r}")

    def _heard(self, caller: Caller, part: Part) -> None:
        """Judge a part: they come in order, each once, before the ending; take it on, or do not."""
        expected = part_of(caller.envelope, caller.parts)
        if part != expected or caller.endings:
            self._wrong.append(f"heard {part!r}, expected {expected!r}, ended: {caller.endings}")
        caller.parts, caller.due_from = caller.parts + 1, self._loop.time()
        self.story["parts"] += 1
        if caller.reads:
            self._loop.call_later(self._chance.random() / 100, self._take, caller)
        elif caller.parts == WINDOW:
            self.story["slow readers"] += 1
        if caller.parts > caller.granted:
            self._wrong.append(
                f"request {caller.envelope.label} was sent more than it has room for"
            )

    def _take(self, caller: Caller) -> None:
        assert caller.asked is not None
        if not caller.endings:
            caller.took_one(self._loop.time())
        self.driver.took(caller.asked, 1)

    def _someone_dies(self) -> None:
        actors = [actor for actor in self.driver.replicas.values() if isinstance(actor, Actor)]
        alive = [actor for actor in actors if actor.is_ready]
        if alive:
            self.story["deaths"] += 1
            self._chance.choice(alive).die(self._chance.choice([Why.KILLED, Why.CRASHED]))

    def said(self, deployment: DeploymentId, news: News) -> None:
        self.story[news.name] += 1

    def said_of(self, replica: ReplicaId, news: News) -> None:
        self.story[news.name] += 1

    def drained(self) -> None:
        self._drained += 1

    # --- in the evening ------------------------------------------------------------------------

    def _everybody_has_one_ending(self) -> None:
        assert self._drained == 1
        assert not self._engine.tickets
        assert not self.driver.replicas
        assert not self.driver._asked
        for caller in self.callers:
            assert len(caller.endings) == 1, f"request {caller.envelope.label} was forgotten"
