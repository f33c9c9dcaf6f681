"""What the server tells about itself: probes, figures, pages; at `/-/x` and at its alias `/x`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser

from tests.http.asking import Gated, Loading, Raising, Typed, client_of, gates, opened, ready, until

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


@pytest.mark.parametrize("prefix", ["/-", ""])
def test_probes_follow_a_servers_life(prefix: str) -> None:
    async def main() -> None:
        async with opened(Loading) as service, client_of(service) as client:

            async def statuses() -> list[int]:
                names = ("live", "ready", "startup")
                answers = [await client.get(f"{prefix}/health/{name}") for name in names]
                return [answer.status_code for answer in answers]

            await until(lambda: gates["setup"].held, "the setup to begin")
            assert await statuses() == [200, 503, 503]
            gates["setup"].open()
            await asyncio.wait_for(service.ready, 5)
            assert await statuses() == [200, 200, 200]
            under_way = asyncio.create_task(client.post("/loading", json=1))
            await under_way
            service.driver.stop(1.0)
            assert await statuses() == [200, 503, 200]

    asyncio.run(main())


def test_health_tells_every_replica() -> None:
    async def main() -> None:
        async with ready(Typed, Gated) as (_, client):
            told = (await client.get("/-/health")).json()
            assert told["status"] == "ok"
            assert set(told["deployments"]) == {"typed", "gated"}
            (copy,) = told["deployments"]["typed"]["replicas"]
            assert (copy["name"], copy["state"], copy["running"]) == ("typed/1", "ready", 0)
            assert isinstance(copy["pid"], int)

    asyncio.run(main())


def test_info_tells_routes_and_endings() -> None:
    async def main() -> None:
        async with ready(Typed, Raising) as (_, client):
            await client.post("/typed", json={"name": "a"})
            await client.post("/typed", json=[])
            for path in ("/-/info", "/info", "/"):
                told = (await client.get(path)).json()
                assert told["server"] == "headrace"
                assert told["deployments"]["typed"]["routes"] == ["/typed"]
                assert told["deployments"]["typed"]["ended"] == {"200": 1, "422": 1}
            routes = (await client.get("/-/routes")).json()
            assert routes == {"/typed": "typed", "/raising": "raising"}

    asyncio.run(main())


def test_our_endpoints_take_get_and_head() -> None:
    async def main() -> None:
        async with ready(Typed) as (_, client):
            for path in ("/-/health", "/-/health/live", "/-/info", "/-/metrics", "/-/routes"):
                head = await client.head(path)
                assert head.status_code == 200
                answer = await client.get(path)
                assert answer.headers["x-request-id"]
                refused = await client.post(path)
                assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")

    asyncio.run(main())


def figures(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read a page as Prometheus does."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_what_prometheus_reads() -> None:
    async def main() -> tuple[str, str]:
        async with ready(Typed, Gated) as (service, client):
            for _ in range(3):
                await client.post("/typed", json={"name": "a"})
            await client.post("/typed", content=b"{")
            under_way = asyncio.create_task(client.post("/gated", json="a"))
            behind = asyncio.create_task(client.post("/gated", json="a"))
            await until(lambda: gates["a"].held and _queued(service), "one to run, one to wait")
            answer = await client.get("/-/metrics")
            gates["a"].open()
            await under_way
            await behind
            return answer.text, answer.headers["content-type"]

    text, media = asyncio.run(main())
    assert media.startswith("text/plain; version=0.0.4")
    found = figures(text)

    def value(name: str, **labels: str) -> float:
        return found[f"headrace_{name}", frozenset(labels.items())]

    assert value("requests_total", deployment="typed", status="200") == 3
    assert value("requests_total", deployment="typed", status="400") == 1
    assert value("request_duration_seconds_count", deployment="typed") == 4
    assert value("request_duration_seconds_bucket", deployment="typed", le="+Inf") == 4
    assert value("replicas_ready", deployment="typed") == 1
    assert value("replicas_wanted", deployment="gated") == 1
    assert value("running_requests", deployment="gated") == 1
    assert value("queued_requests", deployment="gated") == 1
    assert value("calls_total", deployment="typed") == 4


def _queued(service: Any) -> int:
    return int(service.status()["deployments"]["gated"]["queued"])


def test_every_metric_has_help_and_a_type() -> None:
    async def main() -> str:
        async with ready(Typed) as (_, client):
            await client.post("/typed", json={"name": "a"})
            return (await client.get("/metrics")).text

    families = list(parser.text_string_to_metric_families(asyncio.run(main())))
    assert len(families) >= 8
    for family in families:
        assert family.name.startswith("headrace_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")


def test_every_metric_is_in_the_reference() -> None:
    async def main() -> str:
        async with ready(Typed) as (_, client):
            return (await client.get("/metrics")).text

    told = set(re.findall(r"^# TYPE (\S+)", asyncio.run(main()), re.MULTILINE))
    assert told == set(re.findall(r"`(headrace_\w+)`", REFERENCE.read_text()))


def test_buckets_only_grow() -> None:
    async def main() -> str:
        async with ready(Typed) as (_, client):
            for _ in range(20):
                await client.post("/typed", json={"name": "a"})
            return (await client.get("/metrics")).text

    (family,) = [
        family
        for family in parser.text_string_to_metric_families(asyncio.run(main()))
        if family.name == "headrace_request_duration_seconds"
    ]
    buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 20
