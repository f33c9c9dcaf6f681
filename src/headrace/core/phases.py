"""What may happen to a request, as a table. No other file decides it.

    WAITING ──SEND──▶ SENT ──CLAIM──▶ RUNNING ──RELEASE──▶ CLOSED
       ▲               │                 │
       └────RETURN─────┴──RETURN, LOSE───┘      (recalled in time; its replica died)

SENT exists because calls are sent to a busy replica before it can begin them: such a request is
still ours to take back. LEAVING exists because a caller can go away faster than a replica can stop,
or have its whole answer while the call goes on for its mates.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from typing import Final

from headrace.errors import ImpossibleStep


class Phase(
    IntEnum
):  # IntEnum: its hash is C's, and a row is looked up four times for every request
    """Where a request is."""

    WAITING = auto()
    SENT = auto()
    RUNNING = auto()
    LEAVING = auto()
    CLOSED = auto()


class Step(IntEnum):
    """What just happened to it."""

    SEND = auto()
    CLAIM = auto()
    RETURN = auto()
    ABANDON = auto()
    RELEASE = auto()
    LOSE = auto()
    PART = auto()


NEXT: Mapping[tuple[Phase, Step], Phase] = {
    (Phase.WAITING, Step.SEND): Phase.SENT,
    (Phase.WAITING, Step.ABANDON): Phase.CLOSED,
    (Phase.SENT, Step.CLAIM): Phase.RUNNING,
    (Phase.SENT, Step.RETURN): Phase.WAITING,
    (Phase.SENT, Step.ABANDON): Phase.LEAVING,
    # No message tells that a leaf began its next call: the engine had guessed it.
    (Phase.RUNNING, Step.RETURN): Phase.WAITING,
    (Phase.RUNNING, Step.ABANDON): Phase.LEAVING,
    (Phase.RUNNING, Step.RELEASE): Phase.CLOSED,
    (Phase.RUNNING, Step.PART): Phase.LEAVING,  # answered, while its call goes on for others
    (Phase.RUNNING, Step.LOSE): Phase.WAITING,
    (Phase.LEAVING, Step.ABANDON): Phase.LEAVING,  # timed out after hanging up: no news
    (Phase.LEAVING, Step.CLAIM): Phase.LEAVING,
    (Phase.LEAVING, Step.RETURN): Phase.CLOSED,
    (Phase.LEAVING, Step.RELEASE): Phase.CLOSED,
    (Phase.LEAVING, Step.LOSE): Phase.CLOSED,
}


class After(dict[Phase, Phase]):
    """One column of the table: the phase after a step. Raises ImpossibleStep where there is no row.

    A column costs one lookup, `NEXT[phase, step]` five times that: a tuple is made and hashed.
    """

    def __init__(self, step: Step) -> None:
        """Cut the column of `step` out of the table."""
        super().__init__({phase: after for (phase, taken), after in NEXT.items() if taken is step})
        self._step = step

    def __missing__(self, phase: Phase) -> Phase:
        raise ImpossibleStep(f"{self._step.name} is not possible in {phase.name}")


after_send: Final = After(Step.SEND)
after_claim: Final = After(Step.CLAIM)
after_return: Final = After(Step.RETURN)
after_abandon: Final = After(Step.ABANDON)
after_release: Final = After(Step.RELEASE)
after_lose: Final = After(Step.LOSE)
after_part: Final = After(Step.PART)

# Plain names for the paths every request takes: reading `Phase.RUNNING` costs Python 3.11 90 ns.
WAITING: Final = Phase.WAITING
RUNNING: Final = Phase.RUNNING
LEAVING: Final = Phase.LEAVING
CLOSED: Final = Phase.CLOSED
