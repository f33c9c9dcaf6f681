"""How long a client goes on asking a server that is away, is full, or has just lost a connection.

Every question that is asked again is one that may be: its answer is the same however often it came.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from headrace.client.connection import Failed, Question, Reply, Wire
from headrace.errors import (
    HeadraceError,
    KeyReused,
    NoSuchJob,
    RemoteError,
    ResultGone,
    Unreachable,
    WrongStatus,
)

FIRST_S, LONGEST_S = 0.1, 5.0
PASSING: Final = frozenset({429, 502, 503, 504})
"""A server, or a proxy before it, that says these may say something else in a while."""
JOB: Final = "x-headrace-job"
"""Stands in a response that is about a job, which may itself have ended with such a status."""
OURS: Mapping[str, Callable[[str], HeadraceError]] = {
    each.code: each for each in (KeyReused, NoSuchJob, ResultGone, WrongStatus)
}


class Asked(NamedTuple):
    """What a server said."""

    reply: Reply
    was_repeated: bool
    """It was asked more than once, and may have done what it was asked before it said so."""


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long, on what clock."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=random.random)

    def ask(self, wire: Wire, question: Question, timeout_s: float | None = None) -> Asked:
        """Return the reply; ask again while there is hope. Raises Unreachable."""
        end, tries = self.clock() + self.seconds, 0
        while True:
            reply, error = _tried(wire, question, timeout_s)
            if reply is not None and not is_passing(reply):
                return Asked(reply, tries > 0)
            wait_s = self.wait_s(tries, reply)
            if self.clock() + wait_s > end:
                if reply is not None:
                    return Asked(reply, tries > 0)
                raise Unreachable(f"no server answers at {wire.url}: {error}") from error
            self.sleep(wait_s)
            tries += 1

    def wait_s(self, tries: int, reply: Reply | None = None) -> float:
        """Return how long to wait after so many tries; as long as the server asks, if it does."""
        wait_s: float = min(LONGEST_S, FIRST_S * 2.0 ** min(tries, 16))
        asked = reply.headers.get("retry-after", "") if reply is not None else ""
        if asked.isdigit():
            wait_s = max(wait_s, float(asked))
        return wait_s * (0.75 + self.chance() / 2)


def checked(reply: Reply) -> Reply:
    """Return a good reply; raise what a problem says: NoSuchJob, KeyReused, RemoteError..."""
    if reply.status < 400:  # noqa: PLR2004 - here errors begin
        return reply
    members = problem_of(reply)
    make = OURS.get(str(members.get("code")))
    if make is not None:
        raise make(str(members.get("detail", "")))
    raise RemoteError(reply.status, members)


def problem_of(reply: Reply) -> Mapping[str, object]:
    """Return the members of a problem document; none, where it is something else."""
    try:
        members = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        return {}
    return members if isinstance(members, dict) else {}


def is_passing(reply: Reply) -> bool:
    """Tell whether to ask again is worth it."""
    return reply.status in PASSING and JOB not in reply.headers


def _tried(
    wire: Wire, question: Question, timeout_s: float | None
) -> tuple[Reply | None, Exception | None]:
    try:
        return wire.ask(question, timeout_s), None
    except Failed as error:
        return None, error
