"""What one word says of a whole server."""

from __future__ import annotations

import pytest

from headrace.runtime.status import Status, in_all

SERVERS = {
    "nothing is deployed": (set[str](), "ok", True),
    "all is well": ({"ok"}, "ok", True),
    "one still loads": ({"ok", "loading", "down"}, "loading", False),
    "one lacks a replica": ({"ok", "degraded"}, "degraded", True),
    "one is down, the others answer": ({"ok", "down"}, "degraded", True),
    "one is down, another lacks a replica": ({"degraded", "down"}, "degraded", True),
    "all are down": ({"down"}, "down", False),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_as_its_deployments_are(name: str) -> None:
    states, expected, is_ready = SERVERS[name]
    assert in_all(states) == expected
    assert Status(in_all(states)).is_ready is is_ready
