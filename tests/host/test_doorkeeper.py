"""When there is no room, whoever has only waited the longest goes; nobody who is served does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from headrace.host.doorkeeper import (
    LOOK_EVERY_S,
    SETTLED_AFTER_S,
    SHARE,
    SPARE_CONNECTIONS,
    Doorkeeper,
    Entry,
)

NOW = 100.0


@dataclass
class Somebody:
    waiting_since: float
    has_left: bool = False

    def leave(self) -> None:
        self.has_left = True


def guests(*since: float) -> list[Somebody]:
    return [Somebody(each) for each in since]


def gone(crowd: list[Somebody]) -> list[float]:
    return [guest.waiting_since for guest in crowd if guest.has_left]


def test_below_the_limit_everyone_is_welcome_and_nobody_goes() -> None:
    crowd = guests(1.0, 2.0, NOW)
    assert Doorkeeper(3).receive(crowd, NOW) is Entry.WELCOME
    assert gone(crowd) == []


def test_the_longest_waiting_goes_first() -> None:
    crowd = guests(3.0, 1.0, 2.0, NOW)
    assert Doorkeeper(3).receive(crowd, NOW) is Entry.PROBATION
    assert gone(crowd) == [1.0]


def test_more_go_at_once_where_there_are_many() -> None:
    crowd = guests(*range(SHARE * 3), NOW)
    Doorkeeper(SHARE * 3).receive(crowd, NOW)
    assert gone(crowd) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("since", [math.inf, NOW, NOW - SETTLED_AFTER_S])
def test_who_is_served_or_has_just_come_stays(since: float) -> None:
    crowd = guests(since, since, NOW)
    assert Doorkeeper(2).receive(crowd, NOW) is Entry.PROBATION
    assert gone(crowd) == []


def test_a_flood_is_sent_away_without_a_look_at_everyone_each_time() -> None:
    door = Doorkeeper(2)
    crowd = guests(math.inf, math.inf, *[NOW] * SPARE_CONNECTIONS)
    assert door.receive(crowd, NOW) is Entry.PROBATION
    crowd += guests(1.0)
    assert door.receive(crowd, NOW + LOOK_EVERY_S / 2) is Entry.AWAY
    assert gone(crowd) == []
    assert door.receive(crowd, NOW + LOOK_EVERY_S * 2) is Entry.AWAY
    assert gone(crowd) == [1.0]
