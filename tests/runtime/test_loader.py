"""The clock on the wall, for a day or two of it, and what is told of models that come and go."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import pytest

from headrace.core.engine import Engine
from headrace.core.loading import Presence
from headrace.core.messages import DeploymentId, ReplicaId, Serial, Why
from headrace.core.records import Policy, Pool
from headrace.errors import StillLoading
from headrace.model.deployment import Options
from headrace.runtime.driver import Driver
from headrace.runtime.loader import Loader, load_policy
from headrace.runtime.resources import figures_of, peak_bytes
from headrace.runtime.watcher import Watcher
from tests.http.scripted import Script

M = DeploymentId("m")


class Office:
    """A driver, a loader, and a clock on the wall that the test sets."""

    def __init__(self, options: Options, now: datetime) -> None:
        self.now = now.timestamp()
        self.driver = Driver(Engine(), {M: self.start})
        self.driver.watcher = self.loader = Loader(self.driver, Watcher(), lambda: self.now)
        self.driver.deploy(M, Policy(load=load_policy(options, waits=False)))
        self.loader.follow([M])

    def start(self, _: DeploymentId, replica: ReplicaId) -> Script:
        return Script(replica, self.driver)

    @property
    def pool(self) -> Pool:
        return self.driver.engine.pools[M]

    async def at(self, when: datetime) -> Presence:
        """Set the clock, look at it, and tell what has become of the model."""
        self.now = when.timestamp()
        self.loader.look()
        await asyncio.sleep(0)  # the turn of the loop in which the engine decides
        await asyncio.sleep(0)
        return self.pool.rest.presence

    async def close(self) -> None:
        self.loader.drained()
        self.driver.stop(0.0)
        for replica in list(self.driver.replicas):
            self.driver.gone(replica, Why.ASKED, Serial(0), "")
        await asyncio.sleep(0)


def in_office(
    options: Options, now: datetime, work: Callable[[Office], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        office = Office(options, now)
        try:
            await work(office)
        finally:
            await office.close()

    asyncio.run(main())


DAY = Options(load="scheduled", load_at="0 6 * * *", unload_at="30 20 * * *", name="m")


def on(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute).astimezone()


def test_a_model_keeps_its_hours_day_by_day() -> None:
    async def work(office: Office) -> None:
        assert office.pool.rest.presence is Presence.SHUT
        assert office.pool.rest.opens.startswith("2026-03-04T06:00")
        assert await office.at(on(4, 5, 59)) is Presence.SHUT
        assert await office.at(on(4, 6)) is Presence.AWAKE
        (replica,) = office.driver.replicas
        office.driver.ready(replica)
        assert office.pool.rest.closes.startswith("2026-03-04T20:30")
        assert await office.at(on(4, 20, 29)) is Presence.AWAKE
        assert await office.at(on(4, 20, 30)) is Presence.SHUT
        assert office.pool.rest.opens.startswith("2026-03-05T06:00")
        assert await office.at(on(5, 12)) is Presence.AWAKE  # it slept until noon

    in_office(DAY, on(4, 1), work)


def test_a_server_that_starts_within_them_loads_at_once() -> None:
    async def work(office: Office) -> None:
        assert await office.at(on(4, 12)) is Presence.AWAKE

    in_office(DAY, on(4, 12), work)


def test_who_sleeps_through_a_whole_day_wakes_as_it_should_be() -> None:
    async def work(office: Office) -> None:
        assert await office.at(on(5, 3)) is Presence.SHUT

    in_office(DAY, on(4, 3), work)


def test_a_refusal_reckons_what_is_left_from_how_far_it_is() -> None:
    async def work(office: Office) -> None:
        await office.at(on(4, 12))
        (replica,) = office.driver.replicas
        office.driver.progress(replica, 1, 4, "weights")
        office.driver.engine.fleet.copies[replica].started_at -= 10.0
        told = office.loader.not_loaded(M, StillLoading("m is still loading"))
        assert str(told) == "m is still loading: weights, 1 of 4"
        assert told.members == {"loading": {"done": 1, "total": 4, "what": "weights"}}
        assert told.retry_after_s == pytest.approx(30.0, abs=1.0)

    in_office(DAY, on(4, 12), work)


def test_news_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work(office: Office) -> None:
        await office.at(on(4, 12))
        (replica,) = office.driver.replicas
        office.driver.gone(replica, Why.SETUP, Serial(0), "OSError: postgres://user:secret@db\n...")
        await office.at(on(4, 12))
        assert office.pool.rest.fault == "its setup raised OSError; the server's log says more"

    with caplog.at_level(logging.INFO, "headrace.runtime"):
        in_office(DAY, on(4, 12), work)
    told = [record.message for record in caplog.records]
    assert told[0] == "m is being loaded"
    assert told[1].startswith("m could not be loaded: its setup raised OSError")
    assert not any("secret" in line for line in told)


def test_figures_are_those_of_other_processes_only() -> None:
    assert figures_of(os.getpid()) is None  # an inline replica: what is its own nobody can tell
    assert figures_of(None) is None
    gone = 2**22 + 1  # beyond every pid
    assert figures_of(gone) is None
    assert peak_bytes(gone) == 0
    parent = figures_of(os.getppid())
    assert parent is not None
    assert parent.peak_rss_bytes >= parent.rss_bytes > 0
    assert parent.pss_bytes is None or parent.pss_bytes <= parent.peak_rss_bytes
    assert parent.threads >= 1
    assert parent.cpu_s <= time.monotonic() * (os.cpu_count() or 1)
