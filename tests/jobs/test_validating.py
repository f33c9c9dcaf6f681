from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.core.messages import DeploymentId
from headrace.errors import BadRequest, RequestError, TooLarge, Unprocessable, UnsupportedMedia
from headrace.jobs.orders import Order
from headrace.jobs.validating import READ_BYTES, validator
from headrace.model.envelope import Envelope, Fault
from headrace.model.kinds import Kind
from headrace.runtime.validating import Verdict

TO = DeploymentId("core")


class Replicas:
    """Stand for those of a deployment: with a verdict on everything, or without the time."""

    def __init__(self, verdict: Verdict | None) -> None:
        self.verdict = verdict
        self.read: list[Envelope] = []

    async def ask(self, deployment: DeploymentId, envelope: Envelope) -> Verdict | None:
        assert deployment == TO
        self.read.append(envelope)
        return self.verdict


def look(order: Order, replicas: Replicas, kind: Kind = "model", most: int = 1 << 30) -> None:
    validate: Any = validator(replicas, TO, kind=kind, function="m.core", most_bytes=most)  # type: ignore[arg-type] # a stand-in
    asyncio.run(validate(order))


def order(body: bytes, content_type: str | None = "application/json") -> Order:
    return Order("r1", body, content_type)


def test_a_ready_replica_is_asked_with_what_the_job_will_be_run_with() -> None:
    replicas = Replicas(Verdict(None))
    look(order(b"{"), replicas)  # it knows better
    (envelope,) = replicas.read
    assert (envelope.label, envelope.body, envelope.content_type) == (
        "r1",
        b"{",
        "application/json",
    )
    assert envelope.job is not None
    assert envelope.job.function == "m.core"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (415, UnsupportedMedia), (422, Unprocessable)]
)
def test_what_a_replica_finds_is_our_own_error(status: int, kind: type[RequestError]) -> None:
    found = Fault(status, kind.code, "Expected `int`", "$.a")
    with pytest.raises(kind, match="Expected `int`") as told:
        look(order(b"{}"), Replicas(Verdict(found)))
    assert told.value.path == "$.a"


def test_where_no_replica_has_the_time_the_syntax_is_looked_at() -> None:
    look(order(b'{"a": [1, 2]}'), Replicas(None))
    look(order(b""), Replicas(None))
    look(order(b"\x89PNG", "image/png"), Replicas(None))
    for body in (b"{", b'{"a": }', b"[1" * 100_000):
        with pytest.raises(BadRequest, match="not valid JSON"):
            look(order(body), Replicas(None))


def test_a_large_body_is_not_sent_to_be_read_twice() -> None:
    replicas = Replicas(Verdict(None))
    look(order(b'"' + b"x" * READ_BYTES + b'"'), replicas)
    assert replicas.read == []


def test_what_is_over_the_limit_is_refused_whatever_it_is() -> None:
    for kind in ("model", "plain", "ingress", "job"):
        with pytest.raises(TooLarge, match="the most is 3"):
            look(order(b"1234"), Replicas(Verdict(None)), kind, most=3)


def test_an_application_reads_what_it_likes() -> None:
    replicas = Replicas(Verdict(Fault(422, "validation_error", "no")))
    look(order(b"{"), replicas, "ingress")
    assert replicas.read == []
