"""What there is around an engine, as the world of the tests has seen it happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from headrace.core.messages import Outcome, ReplicaId, RequestId, Serial, Why
from headrace.core.records import Policy
from tests.core.scripted import Scripted, Sent


@dataclass
class Request:
    """What the world knows of one request that was let in."""

    id: RequestId
    deployment: str
    arrived: float
    deadline: float
    parent: RequestId | None
    size_bytes: int = 0
    latest: float = inf
    streamed: bool = False
    taken: int = 0
    granted: int = 0
    outcome: Outcome | None = None
    at: tuple[ReplicaId, Serial] | None = None
    deaths: list[Why] = field(default_factory=list)

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
        return [request for request in self.live(deployment) if request.at is None]

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

    def elders(self, request: Request) -> Iterator[Request]:
        while request.parent is not None:
            request = self.requests[request.parent]
            yield request

    def queued(self, deployment: str) -> list[Request]:
        ahead = [
            self.requests[number]
            for copy in self.of(deployment)
            for call in copy.own
            if call not in copy.begun_as_told
            for number in call.requests
        ]
        return [*self.waiting(deployment), *ahead]

    def queued_bytes(self, deployment: str) -> int:
        return sum(request.size_bytes for request in self.queued(deployment))

    def may_run_again(self, request: Request) -> bool:
        crashes = request.deaths.count(Why.CRASHED)
        allowed = self.policies[request.deployment].retry_on_crash and not request.streamed
        return allowed and crashes < 2 and len(request.deaths) - crashes < 3

    def leave(self, call: Sent, copy: Scripted) -> list[Request]:
        """Note that the call's requests are in it no more; return those that still live."""
        found = [self.requests[number] for number in call.requests]
        found = [request for request in found if request.at == (copy.id, call.serial)]
        for request in found:
            request.at = None
        return [request for request in found if request.outcome is None]
