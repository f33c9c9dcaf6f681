"""What the engine remembers: one record per request, per call, per replica, per deployment."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf

from headrace.core import sizing
from headrace.core.batching import BatchPolicy, Curve, Pace, Returns
from headrace.core.draining import Shutdown
from headrace.core.flow import Flow
from headrace.core.health import Checkup, HealthPolicy, Tally
from headrace.core.loading import LoadPolicy, Rest
from headrace.core.messages import DeploymentId, ReplicaId, RequestId, Serial, Why
from headrace.core.phases import WAITING, Phase
from headrace.core.replicas import State
from headrace.core.scaling import Gauge, ScalePolicy

NONE = Serial(0)
EVERY = 8
"""After so many calls a curve is drawn anew."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The options of a deployment that the engine decides by."""

    replicas: int = 1
    batch: BatchPolicy = field(default_factory=BatchPolicy)
    max_queued: int = 1000
    max_queued_bytes: int = 1 << 30
    slots: int = 0
    """Requests at once in a replica; 0 is a leaf: one call at a time, the next ones sent ahead."""
    retry_on_crash: bool = True
    item_timeout_s: float | None = None
    """Seconds to the first part of a streamed answer, and from one to the next."""
    keeps_pace: bool = True
    """Whether `item_timeout_s` holds between parts; an application's silence is its own affair."""
    cancel_grace_s: float | None = 5.0
    """How long a call that nobody waits for may go on; None leaves it alone."""
    send_ahead: bool = True
    """Whether a leaf may have calls that it has not begun; not where nobody knows a call's end."""
    load: LoadPolicy = field(default_factory=LoadPolicy)
    scale: ScalePolicy | None = None
    """How the number of replicas follows the load; None where it is always the same."""
    health: HealthPolicy | None = None
    """How replicas are asked for their health; None where they have nothing to say."""
    multiplexed: bool = False
    """Whether each replica holds models of its own: see core/multiplexing.py."""


@dataclass(frozen=True, slots=True)
class Origin:
    """For whom a request is made: those in whose code a handle was called."""

    parents: tuple[RequestId, ...]
    detached: bool = False
    """It goes on without them."""


@dataclass(frozen=True, slots=True)
class Lower:
    """What holds for a request of the lower class: nobody waits for it just now."""

    limit_s: float = inf
    """How long it may take, from when it is sent."""
    is_suspect: bool = False
    """A replica died that ran it with others: it is to run alone."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One request that is not yet closed."""

    id: RequestId
    pool: Pool
    arrived: float
    deadline: float
    origin: Origin | None = None
    size_bytes: int = 0
    model_id: str = ""
    """Which model it asks for, where replicas hold many."""
    phase: Phase = WAITING
    call: Call | None = None
    latest: float = inf
    """Its deadline in all; that of a stream moves with each part, no further than this."""
    streamed: bool = False
    """Its reader has a part of the answer: it cannot be run again."""
    repeatable: bool | None = None
    """Whether it may be run again after a crash; None is as its deployment's policy says."""
    taken: int = 0
    """Parts that its reader took since the last grant."""
    under_way: int = 0
    """Parts that came beyond what was granted: with core/credit.WINDOW of them none can come."""
    deaths: tuple[Why, ...] = ()
    """How replicas ended that ran it."""
    lower: Lower | None = None
    """It goes behind those whose clients wait; None for one of these."""

    @property
    def is_timed(self) -> bool:
        """Whether its next part is due at some time of its own."""
        policy = self.pool.policy
        if policy.item_timeout_s is None or self.lower is not None:
            return False
        return policy.keeps_pace or not self.streamed

    @property
    def may_repeat(self) -> bool:
        """Whether it may be run again after its replica has crashed."""
        allowed = self.repeatable
        return not self.streamed and (
            self.pool.policy.retry_on_crash if allowed is None else allowed
        )

    def expect_part(self, latest: float, now: float) -> float:
        """Move the deadline of a stream to the time when its next part is due; return it."""
        idle_s = self.pool.policy.item_timeout_s
        if idle_s is not None:
            self.latest, self.deadline = latest, min(latest, now + idle_s)
        return self.deadline


@dataclass(slots=True, eq=False)
class Call:
    """One dispatch: requests that run together, each answered by its place in `tickets`."""

    serial: Serial
    copy: Copy
    tickets: list[Ticket]
    predicted_s: float
    claimed: bool = False
    recalled: bool = False
    given_up: bool = False
    """Nobody waits for any of its requests, and its replica was told."""
    overdue_at: float = inf
    """When it should have ended, if it was given up."""
    background: int = 0
    """How many of its requests are of the lower class."""


@dataclass(slots=True, eq=False)
class Copy:
    """One replica as the engine sees it."""

    id: ReplicaId
    pool: Pool
    state: State = State.LOADING
    calls: dict[Serial, Call] = field(default_factory=dict)
    serial: int = 0
    held: int = 0
    """Requests in claimed calls."""
    ahead_s: float = 0.0
    """Predicted seconds of every call it has."""
    since: float = 0.0
    """When its running call began, or when it became ready."""
    started_at: float = 0.0
    ready_at: float = 0.0
    recalled_from: Serial = NONE
    """It gets no new calls before it has handed over every one from here on."""
    checkup: Checkup | None = None
    """How it is, where replicas are asked."""
    models: frozenset[str] = frozenset()
    """Those that it has loaded, as it last told."""
    asked: dict[str, int] = field(default_factory=dict)
    """How many of its calls are for each model; empty where there is one model only."""

    def count_in(self, call: Call) -> None:
        """Add a call that is on its way to the replica."""
        if not self.calls:
            self.ahead_s = 0.0  # sums drift
        if self.pool.policy.multiplexed and (model := call.tickets[0].model_id):
            self.asked[model] = self.asked.get(model, 0) + 1
        self.calls[call.serial] = call
        self.pool.sent += len(call.tickets) - call.background
        if call.predicted_s > 0:
            self.ahead_s += call.predicted_s

    def count_begun(self, call: Call, now: float) -> None:
        """Note that the replica runs the call from now on."""
        call.claimed = True
        self.since = now
        count = len(call.tickets)
        self.held += count
        self.pool.sent -= count - call.background
        self.pool.unqueue(call.tickets)

    def count_out(self, call: Call) -> None:
        """Take a call's requests off the counters: it ended, was taken back, or died."""
        if call.claimed:
            self.held -= len(call.tickets)
        else:
            self.pool.sent -= len(call.tickets) - call.background
            self.pool.unqueue(call.tickets)
        if call.predicted_s > 0:
            self.ahead_s -= call.predicted_s
        if self.asked and (model := call.tickets[0].model_id):
            self.asked[model] -= 1
            if not self.asked[model]:
                del self.asked[model]


@dataclass(slots=True, eq=False)
class Pool:
    """One deployment: its queue and its replicas."""

    id: DeploymentId
    policy: Policy
    waiting: OrderedDict[RequestId, Ticket] = field(default_factory=OrderedDict)
    """The eldest first. A plain dict that is emptied from the front is slow to look into."""
    suspects: OrderedDict[RequestId, Ticket] = field(default_factory=OrderedDict)
    """They wait as well, each to run alone: see core/poison.py."""
    behind: OrderedDict[RequestId, Ticket] = field(default_factory=OrderedDict)
    """Those of the lower class, the eldest first: see core/sharing.py."""
    lowers: int = 0
    """Requests of the lower class that are not closed."""
    owed: float = 0.0
    """How many places those behind are owed."""
    copies: dict[ReplicaId, Copy] = field(default_factory=dict)
    given_up: list[Call] = field(default_factory=list)
    """Calls under way that nobody waits for: see core/stopping.py."""
    pace: Pace = field(default_factory=Pace)
    curve: Curve = field(default_factory=Curve)
    returns: Returns = field(default_factory=Returns)
    size: int = 0
    """The most requests of a leaf's next call."""
    flow: Flow = field(default_factory=Flow)
    sent: int = 0
    """Requests in calls that are not claimed yet: they count against the queue's bound, but for
    those in the background."""
    queued_bytes: int = 0
    """Of the bodies of all that no replica has begun."""
    coming_bytes: int = 0
    """Of the large bodies that clients are still sending."""
    wanted: int = 0
    """Replicas that there are to be."""
    exit: Shutdown = field(default_factory=Shutdown)
    """How far this deployment alone is on its way out."""
    company: tuple[Pool, ...] = ()
    """Who goes with it, and may call it as long as they have requests."""
    came: int = 0
    """Requests that were ever let in."""
    started: int = 0
    falls: int = 0
    ever_ready: bool = False
    """Since it was last asleep, that is."""
    is_closing: bool = False
    """Its timetable is about to end it: nothing new is let in."""
    restless: bool = False
    """Its presence is about to change: see core/waking.py."""
    used_at: float = 0.0
    """When a request last came, or a call ended."""
    rest: Rest = field(default_factory=Rest)
    gauge: Gauge = field(default_factory=Gauge)
    """What its load was lately, where the number of replicas follows it."""
    tally: Tally = field(default_factory=Tally)
    passed: int = 0
    """How many calls in a row went past somebody elder whose model is nowhere free."""
    model_loads: int = 0
    """Loads of one more model in a replica, where each holds several."""
    model_load_s: float = -1.0
    """What one more model usually takes to load in a replica; below 0 nobody knows yet."""
    restarts: list[float] = field(default_factory=list)
    """When to start replicas in place of dead ones."""

    @property
    def live(self) -> int:
        """Requests that are not closed."""
        return self.came - self.flow.ended

    @property
    def queued(self) -> int:
        """Requests that no replica has begun, but for those in the background."""
        return len(self.waiting) + len(self.suspects) + self.sent

    def learn(self, call: Call, took_s: float, now: float) -> None:
        """Take in that a call has ended; a replica's first one is often slow."""
        n = len(call.tickets)
        self.pace.learn(n, took_s)
        if self.policy.batch.max_size > 1 and not self.policy.slots:
            if call.serial > 1:
                self.curve.learn(n, took_s)
            if self.pace.calls % EVERY <= 1:  # the 0 is sizing's probe
                self.returns.horizon_s = self.curve.line()[1]
                self.size = sizing.size_of_calls(self.curve, self.policy.batch, self.pace.calls)
            self.returns.call_ended(n - call.background, now)

    def __post_init__(self) -> None:
        self.size = self.policy.batch.max_size
        self.wanted = self.policy.replicas

    def join(self, ticket: Ticket, now: float) -> None:
        """Let a request wait that has just arrived."""
        self.came += 1
        self.used_at = now
        self.waiting[ticket.id] = ticket
        self.queued_bytes += ticket.size_bytes
        if now < self.returns.until:
            self.returns.one_came(now)

    def join_behind(self, ticket: Ticket, now: float) -> None:
        """Let a request of the lower class wait; its body is on no count of those online."""
        self.came += 1
        self.lowers += 1
        self.used_at = now
        if not self.behind:
            self.owed = 0.0  # to those who were there before
        line = self.suspects if ticket.deaths else self.behind
        line[ticket.id] = ticket

    def awoke(self, copy: Copy, now: float) -> None:
        """Take in that the first of its replicas is ready."""
        rest = self.rest
        self.ever_ready, rest.gates, rest.failures, rest.fault = True, False, 0, ""
        rest.loaded_at, rest.took_s, rest.ended_before = now, now - copy.started_at, self.flow.ended
        self.used_at = now
        self.restless = True  # its time to be idle begins

    def could_not_wake(self, chance: float) -> None:
        """Take in that a replica of it ended before any was ready."""
        if not self.rest.gates:
            self.rest.fell, self.restless = chance, True

    def unqueue(self, tickets: list[Ticket]) -> None:
        """Take the bodies of requests that are not queued any more off the count."""
        for ticket in tickets:
            self.queued_bytes -= ticket.size_bytes
