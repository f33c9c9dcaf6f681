"""The world around an engine, scripted: it keeps its own books and holds every action against them.

Nothing here reads the engine's records to know what is true, except to compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import assert_never

from headrace.core import gathering
from headrace.core.check import check
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
from headrace.core.phases import Phase
from headrace.core.records import Origin, Policy
from headrace.errors import CallToAncestor, Draining, QueueFull, Refused, StillLoading
from tests.core import behind, changing, hanging, many
from tests.core.books import Books, Request
from tests.core.scripted import Fate, Scripted, Sent

EPOCH = 1000.0


class World(Books):
    """One engine, its replicas and its callers."""

    def __init__(
        self, policies: Mapping[str, Policy], *, trusted: bool = True, contested_runs: bool = True
    ) -> None:
        self.engine, self.now, self.alarm = Engine(), EPOCH, inf
        super().__init__(policies)
        self.trusted, self.contested_runs = trusted, contested_runs
        self.names: set[ReplicaId] = set()
        self.ever_ready: set[str] = set()
        self.last = 0
        self.turn_open = False
        self.stop_by = inf
        self.drained = 0
        self.evicting = False
        self.sent_away: set[str] = set()
        self.given_up: list[str] = []
        self.calls_end: dict[
            str, tuple[float, float]
        ] = {}  # the last end of a call, the longest call
        self.load_s: dict[str, float] = {}  # of one more model in a replica
        self.passed: dict[str, int] = {}  # how many went past those in the background
        self.just_back: set[RequestId] = set()  # after the engine had decided what to send
        self.cause: object = None  # what the current event may settle requests for
        for name, policy in policies.items():
            self.do(self.engine.deployed(DeploymentId(name), policy, self.now))

    # --- events --------------------------------------------------------------------------

    def arrive(self, deployment: str, wait_s: float, origin: Origin | None = None) -> None:
        self.last += 1
        number = RequestId(self.last)
        size_bytes = number * 7 % 5 * 100
        expected = self.refusal(deployment, size_bytes, origin)
        model_id = many.model_of(self, deployment, number)
        try:
            actions = self.engine.arrived(
                number,
                DeploymentId(deployment),
                deadline=self.now + wait_s,
                now=self.now,
                size_bytes=size_bytes,
                origin=origin,
                model_id=model_id,
            )
        except Refused as refused:
            if type(refused) is not expected:
                raise
            return
        if self.is_for_nobody(origin):
            assert actions == [Settle(number, Outcome.CANCELLED)], "it asked for nobody"
            return
        assert expected is None
        others = self.behind(deployment)
        assert len(actions) <= 1 or others, "a lone request may be sent at once, and nothing else"
        assert all(type(action) in (Send, Due) for action in actions)
        latest = self.now + wait_s
        if origin is not None and not origin.detached:
            latest = min(latest, max(map(self.ends_by, self.runs_any(origin))))
        idle_s = self.policies[deployment].item_timeout_s
        deadline = latest if idle_s is None else min(latest, self.now + idle_s)
        request = Request(number, deployment, self.now, deadline, origin, size_bytes, latest)
        request.model_id = model_id
        self.requests[number] = request
        self.tell(actions)

    def refusal(
        self, deployment: str, size_bytes: int, origin: Origin | None
    ) -> type[Refused] | None:
        if self.is_for_nobody(origin):
            return None
        if self.would_wait_for_itself(deployment, origin):
            return CallToAncestor
        is_inner = bool(self.runs_any(origin))
        if self.ends(deployment) and (not is_inner or self.is_evicted(deployment)):
            return Draining
        policy, held = self.policies[deployment], self.queued_bytes(deployment)
        if len(self.queued(deployment)) >= policy.max_queued:
            return QueueFull
        if held and held + size_bytes > policy.max_queued_bytes:
            return QueueFull
        return None if deployment in self.ever_ready else StillLoading

    def is_for_nobody(self, origin: Origin | None) -> bool:
        return origin is not None and not origin.detached and not self.runs_any(origin)

    def ends_by(self, request: Request) -> float:
        is_stream = self.policies[request.deployment].item_timeout_s is not None
        return request.latest if is_stream else request.deadline

    def ends(self, deployment: str) -> bool:
        return self.stop_by < inf or deployment in self.leave_by

    def is_evicted(self, deployment: str) -> bool:
        """Tell if its replicas were sent away for good."""
        return self.evicting or deployment in self.sent_away

    def hang_up(self, request: RequestId) -> None:
        self.cause = request
        self.tell(self.engine.hung_up(request, self.now))
        known = self.requests.get(request)
        assert known is None or known.outcome is not None

    def get_ready(self, copy: Scripted) -> None:
        copy.ready, copy.ready_at = True, self.now
        if not copy.evicted:
            self.ever_ready.add(copy.deployment)
        self.tell(self.engine.replica_ready(copy.id, self.now))

    def finish(self, copy: Scripted, serial: Serial, took_s: float) -> None:
        call = copy.hand_over(serial)
        assert call.fate is Fate.RUNS
        self.cause = call
        waited = [number for number in call.requests if self.requests[number].outcome is None]
        longest_s = max(took_s, self.calls_end.get(copy.deployment, (0.0, 0.0))[1])
        self.calls_end[copy.deployment] = (self.now, longest_s)
        self.tell(self.engine.finished(copy.id, serial, took_s, self.now))
        for number in waited:
            assert self.requests[number].outcome is Outcome.ANSWERED, "the call has ended"

    def finish_stale(self, replica: ReplicaId, serial: Serial) -> None:
        """Report a call that is not there, or that was taken back: it is nobody's answer."""
        copy = self.replicas.get(replica)
        call = copy.calls.get(serial) if copy is not None else None
        if call is not None and not call.taken:
            return
        if copy is not None and call is not None:
            copy.hand_over(serial)
        self.cause = None
        actions = self.engine.finished(replica, serial, 0.001, self.now)
        assert not [action for action in actions if isinstance(action, Settle)]
        self.tell(actions)

    def hand_over(self, copy: Scripted, serial: Serial) -> None:
        """Return a call that was not run."""
        call = copy.hand_over(serial)
        assert call.fate is not Fate.RUNS
        if not call.taken:
            self.leave(call, copy)
        self.cause = None
        self.tell(self.engine.returned(copy.id, serial, self.now))

    def go_on(self, copy: Scripted, took_s: float, pick: int = 0) -> None:
        """Let a replica do its next thing: claim, look, end a call or hand one over."""
        if copy.id not in self.replicas or not copy.calls:
            return
        copy.claim()
        copy.look()
        calls = list(copy.calls.values())
        call = calls[0] if copy.leaf else calls[pick % len(calls)]
        if call.fate is Fate.RUNS:
            self.finish(copy, call.serial, took_s)
        elif call.fate is Fate.GIVEN_UP:
            self.hand_over(copy, call.serial)

    def come_to_an_end(self) -> None:
        """Stop the server, whatever its state; in the end everybody has an answer."""
        if self.stop_by == inf:
            self.ask_to_stop(1.0)
        for _ in range(1000):
            self.end_turn()
            for copy in list(self.replicas.values()):
                if copy.doomed or (copy.evicted and (not copy.calls or not copy.trusted)):
                    self.die(copy, Why.ASKED)
                elif copy.calls:
                    self.go_on(copy, 0.001)
            self.end_turn()
            if self.drained:
                break
            if not any(copy.calls for copy in self.replicas.values()):
                self.ring()
        assert self.drained == 1
        assert not self.live()
        assert not self.engine.tickets
        behind.all_left(self)

    def hand_over_early(self, copy: Scripted) -> None:
        """Return what was recalled while the call before it still runs, as inline replicas do."""
        for call in list(copy.calls.values()):
            if call.serial in copy.recalled and call.fate is Fate.SENT:
                self.hand_over(copy, call.serial)

    def die(self, copy: Scripted, why: Why, chance: float = 0.5) -> None:
        del self.replicas[copy.id]
        begun = [call for call in copy.own if call.serial <= copy.claimed]
        blamed: list[Request] = []
        for call in copy.own:
            blamed += self.leave(call, copy) if call in begun else []
            self.leave(call, copy)
        for request in blamed:
            request.deaths.append(why)
        self.cause = (why, {request.id for request in blamed})
        actions = self.engine.replica_gone(
            copy.id, why, claimed=Serial(copy.claimed), now=self.now, chance=chance
        )
        again = {action.request for action in actions if isinstance(action, Again)}
        orphans = {r.id for r in blamed if self.is_orphan(r)}
        assert again == {r.id for r in blamed if self.may_run_again(r)} - orphans
        self.tell(actions)
        for request in blamed:
            if not self.may_run_again(request):
                assert request.outcome is not None, "it was lost, and nobody told"

    def ask_to_stop(self, grace_s: float) -> None:
        self.stop_by = min(self.stop_by, self.now + grace_s)
        self.cause = None
        self.end_turn(self.engine.asked_to_stop(grace_s, self.now))

    def pass_time(self, seconds: float) -> None:
        self.end_turn()
        self.now += seconds
        if self.now >= self.alarm:
            self.end_turn([])

    def ring(self) -> None:
        """Go to exactly where the engine wants to be woken, and wake it."""
        self.end_turn()
        if self.alarm < inf:
            self.now = self.alarm
            self.end_turn([])

    # --- turns -----------------------------------------------------------------------------

    def tell(self, actions: Sequence[Action]) -> None:
        """Do what an event made necessary; the turn goes on."""
        self.turn_open = True
        self.do(actions)
        self.compare()
        check(self.engine)

    def end_turn(self, actions: Sequence[Action] | None = None) -> None:
        """Tick, at the end of a turn in which something happened or with actions from one."""
        if actions is not None:
            self.tell(actions)
        hanging.note(self, self.now)
        for _ in range(3):  # what an action makes happen ends a turn of its own
            if not self.turn_open:
                break
            self.turn_open = False
            if self.now >= self.alarm:
                self.alarm = inf
            self.cause = None
            self.just_back.clear()
            self.do(self.engine.ticked(self.now))
        self.compare()
        if not self.turn_open:
            check(self.engine, turn_ended_at=self.now)
            hanging.note(self, self.now)
            self.nothing_is_left_lying()

    def do(self, actions: Sequence[Action]) -> None:
        changing.note(self)
        for action in actions:
            assert not self.drained, f"{action} after the end"
            match action:
                case Send(replica, serial, requests):
                    self.sent(self.replicas[replica], serial, requests)
                case Settle(request, outcome, place):
                    self.settled(self.requests[request], outcome, place)
                case Recall(replica, serial):
                    self.recalled(self.replicas[replica], serial)
                case Stop() | Grant() | Interrupt() | Due() | Left():
                    self.do_to_call(action)
                case WakeAt(when):
                    assert self.now < when, "it would ring without end"
                    self.alarm = when
                case Again(request):
                    assert self.requests[request].outcome is None
                case _:
                    self.do_to_replicas(action)

    def do_to_call(self, action: Stop | Grant | Interrupt | LowerAction) -> None:
        if isinstance(action, Due | Left):
            behind.heard(self, action)
            return
        copy = self.replicas[action.replica]
        call = copy.calls[action.serial]
        if isinstance(action, Interrupt):
            hanging.interrupted(self, copy, call)
            return
        request = self.requests[call.requests[action.place]]
        if isinstance(action, Grant):
            request.granted += action.parts
            assert request.granted <= request.taken
        else:
            assert request.outcome not in (None, Outcome.ANSWERED)

    def do_to_replicas(self, action: FleetAction) -> None:
        match action:
            case Start(deployment, replica):
                assert replica not in self.names, "a name is used once"
                assert not self.is_evicted(deployment)
                self.names.add(replica)
                policy = self.policies[deployment]
                self.replicas[replica] = Scripted(
                    replica, deployment, policy, self.trusted, self.contested_runs
                )
                self.replicas[replica].started_at = self.now
                assert len(self.staying(deployment)) <= self.wanted[deployment]
            case Evict(replica):
                changing.evicted(self, self.replicas[replica])
            case Kill(replica):
                assert self.replicas[replica].evicted or self.replicas[replica].doomed
            case Abort(replica):
                hanging.aborted(self, self.replicas[replica], self.now)
            case Examine(replica):
                self.examined(self.replicas[replica])
            case _:
                self.do_to_deployment(action)

    def examined(self, copy: Scripted) -> None:
        assert copy.ready
        assert not copy.evicted

    def do_to_deployment(self, action: GiveUp | Say | SayOf | Retired | Drained) -> None:
        match action:
            case GiveUp(deployment):
                assert deployment not in self.ever_ready
                self.given_up.append(deployment)
            case Say() | SayOf():
                pass
            case Retired(deployment):
                assert deployment in self.leave_by
                assert not self.of(deployment)
                assert not self.live(deployment)
                self.gone.add(deployment)
            case Drained():
                assert not self.replicas
                assert not self.live()
                self.drained, self.alarm = self.drained + 1, inf
            case _:
                assert_never(action)

    def sent(self, copy: Scripted, serial: Serial, requests: tuple[RequestId, ...]) -> None:
        assert copy.ready
        assert not copy.evicted
        assert not copy.retiring, "it is one too many"
        assert not hanging.gets_no_calls(self, copy, self.now), "it hangs"
        assert not copy.recalled, "it has calls to hand over"
        known = [self.requests[number] for number in requests]
        assert all(r.outcome is None and r.at is None for r in known), "it is elsewhere or over"
        assert all(r.deployment == copy.deployment and r.deadline > self.now for r in known)
        assert 1 <= len(requests) <= copy.policy.batch.max_size
        if copy.policy.multiplexed:
            many.sent(self, copy, known)
        else:
            behind.go_in_order(self, copy, known)
        behind.share(self, copy, known)
        aboard = [self.requests[n] for call in copy.own for n in call.requests]
        if known[0].suspect:
            assert len(known) == 1
            assert not any(r.suspect for r in aboard)
        assert copy.leaf or len(aboard) + len(known) <= copy.policy.slots
        copy.receive(serial, requests)
        for request in known:
            request.at = (copy.id, serial)

    def settled(self, request: Request, outcome: Outcome, place: int) -> None:
        assert request.outcome is None, "it ends once"
        match outcome:
            case Outcome.ANSWERED:
                assert isinstance(self.cause, Sent)
                assert self.cause.requests[place] == request.id
            case Outcome.CANCELLED:
                orphaned = request.origin is not None and not request.origin.detached
                orphaned = orphaned and not self.runs_any(request.origin)
                assert self.cause == request.id or orphaned
            case Outcome.EXPIRED:
                assert self.now >= request.deadline
            case Outcome.CUT:
                assert self.now >= min(self.stop_by, self.leave_by.get(request.deployment, inf))
            case Outcome.LOST | Outcome.BLAMED:
                assert isinstance(self.cause, tuple)
                assert request.id in self.cause[1]
                assert not self.may_run_again(request)
                if outcome is Outcome.BLAMED:
                    behind.blamed(request, self.cause)
            case Outcome.UNREADY:
                raise AssertionError("every model is loaded here at once: see resting.py")
            case _:
                assert_never(outcome)
        request.outcome = outcome

    def recalled(self, copy: Scripted, serial: Serial) -> None:
        assert copy.leaf
        assert serial in copy.calls
        assert not copy.recalled
        first = copy.recall(serial)
        if first is not None:
            for call in copy.calls.values():
                if call.taken:
                    self.just_back |= {request.id for request in self.leave(call, copy)}
            self.turn_open = True
            self.do(self.engine.taken_back(copy.id, first, self.now))

    # --- what must hold --------------------------------------------------------------------

    def compare(self) -> None:
        """Nobody is forgotten, nobody lives on, and the engine counts what there is."""
        tickets = self.engine.tickets.values()
        engaged = {ticket.id for ticket in tickets if ticket.phase is not Phase.LEAVING}
        assert engaged == {request.id for request in self.live()}
        for name in self.served:
            pool = self.engine.pools[DeploymentId(name)]
            assert set(pool.copies) == {copy.id for copy in self.of(name)}
            assert pool.queued_bytes == self.queued_bytes(name)
            for copy in self.of(name):
                held = sum(len(call.requests) for call in copy.begun_as_told)
                assert pool.copies[copy.id].held == held

    def nothing_is_left_lying(self) -> None:
        hanging.nothing_hangs(self, self.now, self.alarm)
        for request in self.live():
            assert self.now < request.deadline
            assert self.alarm <= request.deadline
        in_time = self.evicting or self.drained or self.now < self.stop_by
        assert in_time or not any(map(self.staying, self.served))
        changing.all_as_wanted(self)
        for name in self.served:
            for copy in self.staying(name):
                if copy.ready and not (
                    copy.recalled or copy.doomed or hanging.overdue(copy, self.now)
                ):
                    self.nothing_lies_before(copy)

    def nothing_lies_before(self, copy: Scripted) -> None:
        """Hold the engine to it that a replica with room was sent what is ripe."""
        name, policy = copy.deployment, copy.policy
        behind.nothing_lies_before(self, copy)
        if policy.multiplexed:
            many.nothing_lies_before(self, copy)
            return
        waiting = self.waiting(name)
        calm = [request for request in waiting if not request.suspect]
        if not copy.calls:
            assert len(calm) == len(waiting), "a suspect could run"
        held = sum(len(call.requests) for call in copy.own)
        if not copy.leaf and held > self.least_held(name):
            return  # another one has more room, and is to be filled first
        room = (0 if copy.calls else 1000) if copy.leaf else policy.slots - held
        full = min(policy.batch.max_size, room)
        if calm and full > 0:
            ended_at, longest_s = self.calls_end.get(name, (0.0, 0.0))
            comeback = ended_at + gathering.PATIENCE * longest_s if copy.leaf else 0.0
            ripe_at = max(calm[0].arrived + policy.batch.max_wait_s, comeback)
            assert len(calm) < full, "a full batch is left lying"
            assert self.now < ripe_at, "the eldest waited long enough"
            assert self.alarm <= ripe_at
