"""Replicas come and go with the load, with real processes, and nobody's request is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import headrace as hr
from tests.e2e.apps import caring as app
from tests.e2e.load import Crowd
from tests.e2e.serving import PATIENCE_S, ask, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]
LONG_S = 20.0


def info(url: str, name: str) -> dict[str, Any]:
    told = httpx2.get(f"{url}/-/info", timeout=PATIENCE_S).json()
    said: dict[str, Any] = told["deployments"][name]
    return said


def ready(url: str, name: str) -> int:
    return sum(replica["state"] == "ready" for replica in info(url, name)["replicas"])


def said(url: str, name: str, nonce: str) -> str:
    answer: str = ask(url, f"/{name}", {"nonce": nonce}).json()["predicted"]
    return answer


@contextlib.contextmanager
def serving(*targets: type, **settings: Any) -> Iterator[str]:
    with hr.start(*targets, port=0, **settings) as running:
        yield running.url


async def under_load(url: str, name: str, replicas: int, clients: int) -> Crowd:
    """Let a crowd ask until there are so many replicas, and a little longer."""
    crowd = Crowd(int(url.rpartition(":")[2]), f"/{name}", clients)
    asking = asyncio.create_task(crowd.ask_until_stopped())
    try:
        for _ in range(int(LONG_S / 0.05)):
            if await asyncio.to_thread(ready, url, name) == replicas:
                break
            await asyncio.sleep(0.05)
        await crowd.answered(50)
    finally:
        crowd.stop()
        await asking
    return crowd


def test_replicas_come_with_the_load_and_go_when_it_is_gone() -> None:
    with serving(app.Elastic, app.Leaf) as url:
        assert ready(url, "elastic") == 1
        crowd = asyncio.run(under_load(url, "elastic", 4, clients=12))
        assert crowd.tally.is_clean, crowd.tally
        assert len(crowd.tally.pids) >= 2
        grown = info(url, "elastic")
        assert grown["scaling"]["why"].startswith("load "), grown
        wait_for(lambda: info(url, "elastic")["replicas_wanted"] == 1, "fewer wanted", LONG_S)
        wait_for(lambda: len(info(url, "elastic")["replicas"]) == 1, "the others gone", LONG_S)
        assert info(url, "elastic")["state"] == "ok"
        assert said(url, "elastic", "again") == "again"


def test_shrinking_under_traffic_loses_nothing() -> None:
    async def fewer(url: str) -> Crowd:
        await under_load(url, "elastic", 4, clients=12)
        crowd = Crowd(int(url.rpartition(":")[2]), "/elastic", 1)
        asking = asyncio.create_task(crowd.ask_until_stopped())
        for _ in range(int(LONG_S / 0.05)):
            if len((await asyncio.to_thread(info, url, "elastic"))["replicas"]) == 1:
                break
            await asyncio.sleep(0.05)
        crowd.stop()
        await asking
        return crowd

    with serving(app.Elastic, app.Leaf) as url:
        crowd = asyncio.run(fewer(url))
        assert len(info(url, "elastic")["replicas"]) == 1
    assert crowd.tally.is_clean, crowd.tally


def test_from_zero_and_back_to_zero() -> None:
    with serving(app.Sleepy, app.Leaf, while_loading="wait") as url:
        asleep = info(url, "sleepy")
        assert (asleep["state"], asleep["replicas"]) == ("asleep", [])
        assert httpx2.get(f"{url}/-/health/ready").status_code == 200
        assert said(url, "sleepy", "first") == "first"
        assert ready(url, "sleepy") == 1
        crowd = asyncio.run(under_load(url, "sleepy", 3, clients=12))
        assert crowd.tally.is_clean, crowd.tally
        wait_for(lambda: info(url, "sleepy")["state"] == "asleep", "it to sleep", LONG_S)
        wait_for(lambda: info(url, "sleepy")["replicas"] == [], "all to be gone")
        assert said(url, "sleepy", "second") == "second"
        assert len(info(url, "sleepy")["replicas"]) == 1, "who is woken begins with few"


def test_what_memory_has_no_room_for_is_not_started_and_said() -> None:
    elastic = hr.bind(app.Elastic).options(memory_needed_bytes=100 << 20, max_queued_requests=500)
    with serving(elastic, memory_budget_bytes=250 << 20) as url:  # type: ignore[arg-type]
        crowd = asyncio.run(_crowded(url))
        assert crowd.tally.is_clean, crowd.tally


async def _crowded(url: str) -> Crowd:
    crowd = Crowd(int(url.rpartition(":")[2]), "/predict", 12)
    asking = asyncio.create_task(crowd.ask_until_stopped())
    try:
        for _ in range(int(LONG_S / 0.05)):
            said = await asyncio.to_thread(info, url, "elastic")
            if said["scaling"].get("lacking"):
                break
            await asyncio.sleep(0.05)
        assert said["replicas_wanted"] == 2
        assert said["scaling"]["lacking"] >= 1
    finally:
        crowd.stop()
        await asking
    return crowd


def test_the_scale_is_in_the_metrics() -> None:
    with serving(app.Elastic, app.Leaf) as url:
        text = httpx2.get(f"{url}/-/metrics").text
    assert 'headrace_replicas_most{deployment="elastic"} 4' in text
    assert 'headrace_ongoing_requests_wanted{deployment="elastic"} 2' in text


def test_a_reload_begins_with_as_many_as_there_are() -> None:
    patient = hr.bind(app.Elastic).options(downscale_delay_s=60, route="/elastic")
    with hr.start(patient, port=0) as running:
        asyncio.run(under_load(running.url, "elastic", 4, clients=12))
        running.reload()
        copies = [copy["name"] for copy in info(running.url, "elastic")["replicas"]]
        assert sorted(copies)[:4] == [f"elastic@2/{number}" for number in (1, 2, 3, 4)]
