"""The eldest stand in front, whoever comes back and in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.core import queueing
from headrace.core.messages import DeploymentId, RequestId, Why
from headrace.core.records import Policy, Pool, Ticket


@given(st.lists(st.integers(0, 3), max_size=30), st.sets(st.integers(0, 29)))
def test_everybody_comes_back_to_the_place_of_his_age(groups: list[int], crashed: set[int]) -> None:
    pool = Pool(DeploymentId("m"), Policy())
    tickets = [Ticket(RequestId(n), pool, 0.0, 9.0) for n in range(len(groups))]
    for ticket in tickets:
        ticket.deaths = (Why.CRASHED,) if ticket.id in crashed else ()
    for group in range(4):
        if back := [ticket for ticket in tickets if groups[ticket.id] == group]:
            queueing.put_back(back)
    suspects = [ticket.id for ticket in tickets if ticket.id in crashed]
    assert list(pool.suspects) == suspects
    assert list(pool.waiting) == [t.id for t in tickets if t.id not in crashed]
