"""Carries events into the engine and actions out of it. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, assert_never

import msgspec

from headrace.core import admission, intake, streaming
from headrace.core.engine import Engine
from headrace.core.messages import (
    Abort,
    Action,
    Again,
    DeploymentId,
    Drained,
    Due,
    Evict,
    Examine,
    FleetAction,
    GiveUp,
    Grant,
    Interrupt,
    Kill,
    Left,
    LowerAction,
    Outcome,
    Recall,
    ReplicaId,
    RequestId,
    Retired,
    Say,
    SayOf,
    Send,
    Serial,
    Settle,
    Start,
    Stop,
    WakeAt,
    Why,
)
from headrace.core.records import Origin, Policy
from headrace.errors import StillLoading
from headrace.interfaces import Clock, Replica
from headrace.memory.slots import length_of
from headrace.model.envelope import Envelope, Part, Reply
from headrace.replica.frames import Check, News, Word
from headrace.runtime.asked import Asked, Ending
from headrace.runtime.outcomes import ending_of
from headrace.runtime.roster import Roster
from headrace.runtime.watcher import Watcher

log = logging.getLogger("headrace.runtime")

Starter = Callable[[DeploymentId, ReplicaId], Replica[Envelope, Word]]


class Driver:
    """One engine on one event loop. It is the `Inbox` of every replica it starts."""

    def __init__(
        self, engine: Engine, starters: Mapping[str, Starter], clock: Clock = time.monotonic
    ) -> None:
        """`starters` start a replica of a deployment; nothing runs until the first event."""
        self.engine, self.clock = engine, clock
        self.watcher = Watcher()
        self.replicas: dict[ReplicaId, Replica[Envelope, Word]] = {}
        self.loading: dict[ReplicaId, tuple[float, float, str]] = {}
        self.roster = Roster()
        self.hears: dict[type, Callable[[ReplicaId, Any], None]] = {}
        """Who cares for what replicas' code asks and tells, by its kind: see `frames.News`."""
        self.farewells: list[Callable[[ReplicaId], None]] = []
        """Whom to tell of a replica that is gone."""
        self.behind: Callable[[LowerAction], object] = lambda _: None
        """Whom to tell of requests of the lower class."""
        self._starters = starters
        self._chance = random.Random().random  # noqa: S311 - spreads restarts, hides nothing
        self._loop = asyncio.get_running_loop()
        self._asked: dict[RequestId, Asked] = {}
        self._turn_due = False
        self._touched: set[ReplicaId] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    # --- callers -------------------------------------------------------------------------

    def deploy(self, deployment: DeploymentId, policy: Policy, replicas: int | None = None) -> None:
        """Start the replicas of a deployment: as many as its policy says, or `replicas`."""
        self._tell(self.engine.deployed(deployment, policy, self.clock(), replicas))

    def scale(self, deployment: DeploymentId, replicas: int) -> None:
        """Let there be so many replicas of a deployment; those too many end their calls first."""
        self._tell(self.engine.scaled(deployment, replicas, self.clock()))

    def retune(self, deployment: DeploymentId, policy: Policy) -> None:
        """Let other bounds hold for a deployment; its replicas stay, as far as they may."""
        self._tell(self.engine.retuned(deployment, policy, self.clock()))

    def carry(self, event: Callable[[Engine, float], Sequence[Action]]) -> None:
        """Tell the engine of something that happened elsewhere."""
        self._tell(event(self.engine, self.clock()))

    def retire(
        self, deployment: DeploymentId, grace_s: float, company: Collection[DeploymentId] = ()
    ) -> None:
        """Take a deployment out of service; `watcher.retired` is called when nothing is left.

        It waits for the requests of its `company`, which goes too and may call it.
        """
        self._tell(self.engine.retired(deployment, grace_s, self.clock(), company))

    def ask(
        self,
        deployment: DeploymentId,
        envelope: Envelope,
        ended: Callable[[Ending], None],
        origin: Origin | None = None,
        heard: Callable[[Part], None] | None = None,
    ) -> Asked:
        """Queue a request. Raises Refused if it may not wait; then `ended` is never called.

        A streamed answer is `heard` part by part before it has `ended`; acknowledge with `took`.
        """
        number = RequestId(self.engine.last + 1)
        try:
            actions = self.engine.arrived(
                number,
                deployment,
                deadline=envelope.deadline,
                now=self.clock(),
                size_bytes=length_of(envelope.payload),
                origin=origin,
                model_id=envelope.model_id,
            )
        except StillLoading as refused:
            raise self.not_loaded(deployment, refused) from None
        asked = Asked(number, deployment, envelope, ended, heard)
        self._asked[number] = asked
        if actions:
            self._do(actions)
            self._flush()
        self._plan_turn()
        return asked

    def enter(self, asked: Asked) -> None:
        """Follow one that the engine has let in: see runtime/background.py."""
        self._asked[asked.id] = asked
        self._plan_turn()

    def asked(self, request: RequestId) -> Asked:
        """Return a request that is under way."""
        return self._asked[request]

    def coming(self, deployment: DeploymentId, size_bytes: int) -> None:
        """Count so much of a large body that is on its way. Raises Refused if there is no room."""
        try:
            intake.coming(self.engine, deployment, size_bytes, self.clock())
        except StillLoading as refused:
            raise self.not_loaded(deployment, refused) from None

    def came(self, deployment: DeploymentId, size_bytes: int) -> None:
        """Count it no longer."""
        intake.came(self.engine, deployment, size_bytes)

    def took(self, asked: Asked, parts: int) -> None:
        """So many parts of a streamed answer went on to the reader: there is room for others."""
        self._do(streaming.took(self.engine, asked.id, parts, self.clock()))
        self._flush()
        self._plan_turn()

    def hang_up(self, asked: Asked) -> None:
        """Drop a request whose caller is gone."""
        if asked.id in self._asked:
            self._tell(self.engine.hung_up(asked.id, self.clock()))

    def stop(self, grace_s: float) -> None:
        """Refuse what comes from now on, end the rest; `watcher.drained` is called at the end."""
        self._tell(self.engine.asked_to_stop(grace_s, self.clock()))

    # --- replicas: see `interfaces.Inbox` -------------------------------------------------

    def ready(self, replica: ReplicaId) -> None:
        """A replica has loaded."""
        self.loading.pop(replica, None)
        self._tell(self.engine.replica_ready(replica, self.clock()))
        self.watcher.replica_ready(replica)

    def progress(self, replica: ReplicaId, done: float, total: float, what: str) -> None:
        """A replica is so far."""
        self.loading[replica] = (done, total, what)

    def finished(
        self, replica: ReplicaId, serial: Serial, took_s: float, replies: Sequence[Reply]
    ) -> None:
        """A call has ended."""
        for action in self.engine.finished(replica, serial, took_s, self.clock()):
            if type(action) is Settle and action.outcome is Outcome.ANSWERED:
                self._end(self._asked.pop(action.request), replies[action.place])
            else:
                self._do((action,))
        self._plan_turn()

    def parts(self, replica: ReplicaId, serial: Serial, parts: Sequence[tuple[int, Part]]) -> None:
        """Parts of streamed answers came."""
        now = self.clock()
        for place, part in parts:
            request = streaming.part_came(self.engine, replica, serial, place, now)
            asked = None if request is None else self._asked.get(request)
            if asked is not None and asked.heard is not None:
                asked.heard(part)

    def ended_one(self, replica: ReplicaId, serial: Serial, place: int, reply: Reply) -> None:
        """One answer of a call has ended, and the call goes on."""
        for action in streaming.ended_early(self.engine, replica, serial, place):
            if type(action) is Settle and action.outcome is Outcome.ANSWERED:
                self._end(self._asked.pop(action.request), reply)
            else:
                self._do((action,))
        self._plan_turn()

    def returned(self, replica: ReplicaId, serial: Serial) -> None:
        """A recalled call came back."""
        self._tell(self.engine.returned(replica, serial, self.clock()))

    def gone(self, replica: ReplicaId, why: Why, claimed: Serial, words: str) -> None:
        """A replica has ended."""
        self.replicas.pop(replica, None)
        self.loading.pop(replica, None)
        for farewell in self.farewells:
            farewell(replica)
        self.watcher.replica_gone(replica, why, words)
        self._tell(
            self.engine.replica_gone(
                replica, why, claimed=claimed, now=self.clock(), chance=self._chance()
            )
        )

    def told(self, replica: ReplicaId, news: News) -> None:
        """A replica's code asks for something, or tells of itself."""
        self.hears[type(news)](replica, news)
        self._plan_turn()

    def tell(self, replica: ReplicaId, word: Word) -> None:
        """Pass a word on to a replica's code, if it is still there."""
        if replica in self.replicas:
            self.replicas[replica].tell(word)
            self._touched.add(replica)
            self._plan_turn()

    def said(self, replica: ReplicaId, line: str) -> None:
        """A replica printed something."""
        self.watcher.replica_said(replica, line)

    def not_loaded(self, deployment: DeploymentId, refused: StillLoading) -> StillLoading:
        """Say more of why a model takes no requests."""
        self._plan_turn()  # it may have been woken
        return self.watcher.not_loaded(deployment, refused)

    # --- turns -----------------------------------------------------------------------------

    def _tell(self, actions: Sequence[Action]) -> None:
        self._do(actions)
        self._plan_turn()

    def _plan_turn(self) -> None:
        if not self._turn_due and (self._touched or self.engine.has_turn):
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        self._do(self.engine.ticked(self.clock()))
        self._flush()

    def _flush(self) -> None:
        if self._touched:
            for replica in self._touched:
                if replica in self.replicas:
                    self.replicas[replica].flush()
            self._touched.clear()

    def _ring(self) -> None:
        self._alarm = None
        now = max(self.clock(), self._alarm_at)  # a loop's timers may ring a hair early
        self._do(self.engine.ticked(now))
        self._tell(())

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Send(replica, serial, requests):
                    envelopes = [self._asked[request].envelope for request in requests]
                    self.replicas[replica].send(serial, envelopes)
                    self._touched.add(replica)
                case Settle(request, outcome):
                    self._settle(request, outcome)
                case WakeAt(when):
                    self._wake_at(when)
                case Again(request):
                    asked = self._asked[request]
                    asked.envelope = msgspec.structs.replace(
                        asked.envelope, attempt=asked.envelope.attempt + 1
                    )
                case Stop() | Interrupt() | Grant() | Recall() | Due() | Left():
                    self._do_to_call(action)
                case _:
                    self._do_to_replicas(action)

    def _do_to_call(self, action: Stop | Interrupt | Grant | Recall | LowerAction) -> None:
        match action:
            case Stop(replica, serial, place):
                self.replicas[replica].stop(serial, place)
                self._touched.add(replica)
            case Interrupt(replica, serial):
                self.replicas[replica].interrupt(serial)
            case Grant(replica, serial, place, parts):
                self.replicas[replica].grant(serial, place, parts)
                self._touched.add(replica)
            case Recall(replica, serial):
                self._recall(replica, serial)
            case Due() | Left():
                self.behind(action)
            case _:
                assert_never(action)

    def _do_to_replicas(self, action: FleetAction) -> None:
        match action:
            case Start(deployment, replica):
                self._start(deployment, replica)
            case Evict(replica):
                self.replicas[replica].evict()
            case Kill(replica):
                self.replicas[replica].kill()
            case Abort(replica):
                self.replicas[replica].abort()
            case Examine(replica):
                self.tell(replica, Check())
            case _:
                self._tell_watcher(action)

    def _tell_watcher(self, action: GiveUp | Say | SayOf | Retired | Drained) -> None:
        match action:
            case GiveUp(deployment):
                self.watcher.given_up(deployment)
            case Say(deployment, news):
                self.watcher.said(deployment, news)
            case SayOf(replica, news):
                self.watcher.said_of(replica, news)
            case Retired(deployment):
                self.watcher.retired(deployment)
            case Drained():
                self._cancel_alarm()
                self.watcher.drained()
            case _:
                assert_never(action)

    def _start(self, deployment: DeploymentId, replica: ReplicaId) -> None:
        try:
            self.replicas[replica] = self._starters[deployment](deployment, replica)
        except OSError as error:  # no process, no file descriptor left: like one that died at once
            words = f"it could not be started: {error}"
            self._loop.call_soon(self.gone, replica, Why.SETUP, Serial(0), words)

    def _recall(self, replica: ReplicaId, serial: Serial) -> None:
        first = self.replicas[replica].recall(serial)
        if first is not None:
            self._tell(self.engine.taken_back(replica, first, self.clock()))

    def _settle(self, request: RequestId, outcome: Outcome) -> None:
        asked = self._asked.pop(request, None)
        if asked is not None:
            ending = ending_of(outcome, asked.deployment)
            if isinstance(ending, StillLoading):
                pool = self.engine.pools[asked.deployment]
                ending = self.not_loaded(pool.id, admission.not_loaded(pool, self.clock()))
            self._end(asked, ending)

    def _end(self, asked: Asked, ending: Ending) -> None:
        try:
            asked.ended(ending)
        except Exception:  # one caller's fault must not stop the others' answers
            log.exception("request %s: its ending could not be told", asked.envelope.label)

    def _wake_at(self, when: float) -> None:
        self._cancel_alarm()
        self._alarm_at = when
        delay = max(0.0, when - self.clock())
        self._alarm = self._loop.call_later(delay, self._ring)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
