"""A replica's life as a table, and how long to wait before the next one is started."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from headrace.errors import ImpossibleStep

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_AFTER_S = 10.0


class State(Enum):
    """Where a replica is."""

    LOADING = auto()
    READY = auto()
    QUITTING = auto()  # it hangs in a call that nobody waits for, and gets no other
    DOOMED = auto()  # it is being ended for that
    RETIRING = auto()  # there are too many: it ends its calls, and gets no other
    DRAINING = auto()  # it was told to go
    GONE = auto()


class Turn(Enum):
    """What just happened to it."""

    LOADED = auto()
    HUNG = auto()
    RECOVERED = auto()
    REPLACED = auto()
    RETIRED = auto()
    KEPT = auto()
    EVICTED = auto()
    DIED = auto()


NEXT: Mapping[tuple[State, Turn], State] = {
    (State.LOADING, Turn.LOADED): State.READY,
    (State.LOADING, Turn.EVICTED): State.DRAINING,
    (State.LOADING, Turn.DIED): State.GONE,
    (State.READY, Turn.HUNG): State.QUITTING,
    (State.READY, Turn.EVICTED): State.DRAINING,
    (State.READY, Turn.DIED): State.GONE,
    (State.QUITTING, Turn.RECOVERED): State.READY,  # the call did end, before its replica was
    (State.QUITTING, Turn.REPLACED): State.DOOMED,
    (State.READY, Turn.RETIRED): State.RETIRING,
    (State.QUITTING, Turn.RETIRED): State.RETIRING,
    (State.RETIRING, Turn.KEPT): State.READY,  # it is wanted after all
    (State.RETIRING, Turn.EVICTED): State.DRAINING,
    (State.RETIRING, Turn.DIED): State.GONE,
    (State.QUITTING, Turn.EVICTED): State.DRAINING,
    (State.QUITTING, Turn.DIED): State.GONE,
    (State.DOOMED, Turn.EVICTED): State.DRAINING,
    (State.DOOMED, Turn.DIED): State.GONE,
    (
        State.DRAINING,
        Turn.LOADED,
    ): State.DRAINING,  # evicted while it loaded; its news was under way
    (State.DRAINING, Turn.EVICTED): State.DRAINING,
    (State.DRAINING, Turn.DIED): State.GONE,
}


def advance(state: State, turn: Turn) -> State:
    """Return the state after `turn`, or raise if the table has no such row."""
    try:
        return NEXT[state, turn]
    except KeyError:
        raise ImpossibleStep(f"{turn.name} is not possible in {state.name}") from None


def restart_delay_s(falls: int, chance: float) -> float:
    """Seconds to wait after the `falls`-th death in a row; `chance` in [0, 1) spreads them.

    The first death of a steady replica (`falls` 0) costs no wait at all.
    """
    if falls <= 0:
        return 0.0
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (min(falls, 10) - 1)) * (0.75 + chance / 2)
