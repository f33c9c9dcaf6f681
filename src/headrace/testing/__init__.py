"""For tests: a client without a port, a check for leaking state, what every executor promises."""

from headrace.testing.client import Client
from headrace.testing.conformance import Check, Make, check_replica, checks_for
from headrace.testing.isolation import check_isolation
from headrace.testing.ledger import Gone, Ledger

__all__ = [
    "Check",
    "Client",
    "Gone",
    "Ledger",
    "Make",
    "check_isolation",
    "check_replica",
    "checks_for",
]
