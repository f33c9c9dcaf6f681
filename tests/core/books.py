"""What there is around an engine, as the world of the tests has seen it happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from headrace.core.messages import Outcome, ReplicaId, RequestId, Serial, Why
from headrace.core.records import Lower, Origin, Policy
from tests.core.scripted import Scripted, Sent


@dataclass
class Request:
    """What the world knows of one request that was let in."""

    id: RequestId
    deployment: str
    arrived: float
    deadline: float
    origin: Origin | None
    size_bytes: int = 0
    latest: float = inf
    streamed: bool = False
    taken: int = 0
    granted: int = 0
    model_id: str = ""
    outcome: Outcome | None = None
    at: tuple[ReplicaId, Serial] | None = None
    deaths: list[Why] = field(default_factory=list)
    lower: Lower | None = None
    has_left: bool = False

    @property
    def suspect(self) -> bool:
        return Why.CRASHED in self.deaths


class Books:
    """Every request and every replica, written down without asking the engine."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies = policies
        self.wanted = {name: policy.replicas for name, policy in policies.items()}
        self.leave_by: dict[str, float] = {}
        self.gone: set[str] = set()
        self.replicas: dict[ReplicaId, Scripted] = {}
        self.requests: dict[RequestId, Request] = {}

    def live(self, deployment: str | None = None) -> list[Request]:
        return [
            request
            for request in self.requests.values()
            if request.outcome is None and deployment in (None, request.deployment)
        ]

    def waiting(self, deployment: str) -> list[Request]:
        """Return those who wait, but for those behind them."""
        there = [request for request in self.live(deployment) if request.at is None]
        return [request for request in there if request.lower is None or request.suspect]

    def behind(self, deployment: str) -> list[Request]:
        """Return those who wait in the background."""
        there = [request for request in self.live(deployment) if request.at is None]
        return [request for request in there if request.lower is not None and not request.suspect]

    @property
    def served(self) -> list[str]:
        return sorted(set(self.policies) - self.gone)

    def staying(self, deployment: str) -> list[Scripted]:
        return [copy for copy in self.of(deployment) if not (copy.evicted or copy.retiring)]

    def least_held(self, deployment: str) -> int:
        copies = [copy for copy in self.staying(deployment) if copy.ready and not copy.doomed]
        return min(sum(len(call.requests) for call in copy.own) for copy in copies)

    def of(self, deployment: str) -> list[Scripted]:
        return [copy for copy in self.replicas.values() if copy.deployment == deployment]

    def runs(self, request: RequestId | None) -> bool:
        """Tell if the request has begun and nobody gave it up, as far as any message says."""
        known = None if request is None else self.requests.get(request)
        if known is None or known.outcome is not None or known.at is None:
            return False
        copy = self.replicas.get(known.at[0])
        return copy is not None and known.at[1] in [call.serial for call in copy.begun_as_told]

    def runs_any(self, origin: Origin | None) -> list[Request]:
        """Return those of the parents that run."""
        parents = () if origin is None else origin.parents
        return [self.requests[number] for number in parents if self.runs(number)]

    def asks_no_more(self, parent: RequestId) -> None:
        """Note that whatever a request asked for is not for it any more, should it run again."""
        for request in self.live():
            origin = request.origin
            if origin is not None and not origin.detached and parent in origin.parents:
                left = tuple(number for number in origin.parents if number != parent)
                request.origin = Origin(left)

    def is_orphan(self, request: Request) -> bool:
        """Tell if nobody it was made for runs any more, or these are orphans themselves."""
        if request.origin is None or request.origin.detached:
            return False
        return all(map(self.is_orphan, self.runs_any(request.origin)))

    def ancestors(self, origin: Origin | None) -> set[RequestId]:
        """Tell who runs of those a request is made for, and of those these were made for."""
        found: set[RequestId] = set()
        beyond = self.runs_any(origin)
        while beyond:
            request = beyond.pop()
            if request.id not in found:
                found.add(request.id)
                beyond += self.runs_any(request.origin)
        return found

    def would_wait_for_itself(self, deployment: str, origin: Origin | None) -> bool:
        """Tell if only those a request is made for hold what it needs to begin."""
        elders = self.ancestors(origin)
        copies = [copy for copy in self.staying(deployment) if not copy.doomed]
        if not any(self.requests[number].deployment == deployment for number in elders):
            return False
        if origin is None or origin.detached or len(copies) < max(1, self.wanted[deployment]):
            return False
        return all(self.is_held(copy, elders) for copy in copies)

    def is_held(self, copy: Scripted, elders: set[RequestId]) -> bool:
        calls = [call for call in copy.begun_as_told if elders & set(call.requests)]
        held = sum(len(call.requests) for call in calls)
        return copy.ready and held >= max(1, copy.policy.slots)

    def queued(self, deployment: str) -> list[Request]:
        ahead = [
            self.requests[number]
            for copy in self.of(deployment)
            for call in copy.own
            if call not in copy.begun_as_told
            for number in call.requests
            if self.requests[number].lower is None
        ]
        return [*self.waiting(deployment), *ahead]

    def queued_bytes(self, deployment: str) -> int:
        return sum(request.size_bytes for request in self.queued(deployment))

    def may_run_again(self, request: Request) -> bool:
        crashes = request.deaths.count(Why.CRASHED)
        allowed = self.policies[request.deployment].retry_on_crash and request.lower is None
        allowed = allowed and not request.streamed
        return allowed and crashes < 2 and len(request.deaths) - crashes < 3

    def leave(self, call: Sent, copy: Scripted) -> list[Request]:
        """Note that the call's requests are in it no more; return those that still live."""
        found = [self.requests[number] for number in call.requests]
        found = [request for request in found if request.at == (copy.id, call.serial)]
        for request in found:
            request.at = None
            self.asks_no_more(request.id)
        return [request for request in found if request.outcome is None]
