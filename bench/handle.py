"""What a handle costs: 10 MB handed to another replica, beside a copy of them in memory.

The model that asks measures, so that no HTTP is in the figures: the array is packed, lies in shared
memory, is viewed by the callee, and a small answer comes back. Both are of the same run, a copy and
a call in turn, for memory is as slow as the machine's other work makes it.
"""

import http.client
import json
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.contenders import HEADRACE, Contender, headrace, source_of
from harness.questions import Question
from harness.serving import HOST, ROUTE, Server, Unavailable, serving

NAME = "handle"
CALLS, WARM_UP = 20, 5
COPIES, MORE_MS = 3, 0.5  # the promise: so many copies and so much more, at most
FRONTS = {"sync": "sync code, .result()", "awaits": "async code, await"}
QUESTION = Question(b"1", lambda told: "there" in json.loads(told))


@dataclass(frozen=True, slots=True)
class Found:
    """Medians, in milliseconds."""

    copy_ms: float
    there_ms: float
    back_ms: float

    @property
    def bound_ms(self) -> float:
        """What a call with 10 MB may take."""
        return COPIES * self.copy_ms + MORE_MS

    @property
    def is_kept(self) -> bool:
        """Whether it took no longer."""
        return self.there_ms <= self.bound_ms


def measured() -> bool:
    """Measure from sync and from async code, print a line each; return whether it could be done."""
    for front, title in FRONTS.items():
        try:
            with serving(contender(front)) as server:
                print(f"{title}: {line(found(asked(server, WARM_UP + CALLS)))}", flush=True)
        except Unavailable as error:
            print(f"{title}: {error}", flush=True)
            return False
    return True


def contender(front: str) -> Contender:
    """Return how to start the graph with this front."""
    command, own = headrace(f"handle_headrace.py:{front}", source_of(HEADRACE, None))
    return Contender(
        front, batched=False, command=command, environment=own, question=QUESTION, bench=NAME
    )


def asked(server: Server, calls: int) -> dict[str, Any]:
    """Let the model make so many calls; return its seconds.

    Raises Unavailable.
    """
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    try:
        connection.request("POST", ROUTE, str(calls), {"Content-Type": QUESTION.media_type})
        told = dict(json.load(connection.getresponse()))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unavailable(f"{server.contender.label} did not answer: {error}") from error
    finally:
        connection.close()
    if "there" not in told:
        raise Unavailable(f"{server.contender.label} answered {told}")
    return told


def found(times: dict[str, Any]) -> Found:
    """Take the medians of what follows the warm-up."""
    return Found(*(1e3 * median(times[way][WARM_UP:]) for way in ("copies", "there", "back")))


def line(each: Found) -> str:
    """Return the figures in words, with the promise's verdict."""
    verdict = "pass" if each.is_kept else "FAIL"
    there = f"10 MB there {each.there_ms:.2f} ms (<= {each.bound_ms:.2f}: {verdict})"
    return f"copy {each.copy_ms:.2f} ms, {there}, there and back {each.back_ms:.2f} ms"
