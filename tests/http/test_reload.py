"""What the front door does while a reload goes on behind it: over inline models, gate by gate."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.errors import ConfigError, SetupFailed, StartError
from headrace.model.served import describe
from headrace.service import Service
from tests.http.asking import gates, opened, ready, until

KEY = "a-key-of-thirty-two-characters-ok"


@hr.deployment(name="model", executor="inline", route="/model")
class Old(hr.Model):
    async def predict(self, value: Any) -> Any:
        if value == "wait":
            await gates["a"].pass_through()
        return ["old", value]


@hr.deployment(name="model", executor="inline", route="/model")
class New(hr.Model):
    async def setup(self) -> None:
        await gates["setup"].pass_through()

    def predict(self, value: Any) -> Any:
        return ["new", value]


@hr.deployment(name="model", executor="inline", route="/model")
class Streaming(hr.Model):
    def predict(self, value: Any) -> Iterator[str]:
        yield "new "
        yield f"{value}"


@hr.deployment(name="model", executor="inline", route="/elsewhere", api_keys=KEY)
class Moved(hr.Model):
    def predict(self, value: Any) -> Any:
        return ["moved", value]


@hr.deployment(name="model", executor="inline", route="/model")
class Unfit(hr.Model):
    def setup(self) -> None:
        raise OSError("no weights")

    def predict(self, value: Any) -> Any:
        return value


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: Any, **words: Any) -> None:
        asyncio.run(test(*arguments, **words))

    return run


async def post(client: httpx2.AsyncClient, value: Any, path: str = "/model", **words: Any) -> Any:
    answer = await client.post(path, json=value, **words)
    return answer.json() if answer.status_code == 200 else answer.status_code


def told(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.status()["deployments"]["model"]
    return found


@in_a_loop
async def test_the_old_serves_until_the_new_is_ready_and_ends_what_it_has() -> None:
    async with ready(Old) as (service, client):
        waiting = asyncio.create_task(post(client, "wait"))
        await until(lambda: gates["a"].held, "a request under way")
        reloading = asyncio.create_task(service.reload([describe(New)]))
        await until(lambda: gates["setup"].held, "the new one's setup")
        assert told(service)["beside"][0]["state"] == "loading"
        assert (await client.get("/-/health/ready")).status_code == 200
        assert await post(client, 1) == ["old", 1]
        gates["setup"].open()
        await reloading
        assert await post(client, 2) == ["new", 2]
        assert told(service)["beside"] == [
            {"deployment": "model", "state": "leaving", "requests": 1, **_replicas(service)}
        ]
        gates["a"].open()
        assert await waiting == ["old", "wait"]
        await until(lambda: "beside" not in told(service), "the end of the old one")


def _replicas(service: Service) -> dict[str, Any]:
    (beside,) = told(service)["beside"]
    return {"replicas": beside["replicas"]}


@pytest.mark.parametrize("debug", [False, True])
@in_a_loop
async def test_a_body_on_its_way_is_answered_by_what_serves_when_it_is_whole(debug: bool) -> None:  # noqa: FBT001 - both ways
    """Also where the new one streams, or is another class altogether."""
    async with ready(Old, debug=debug) as (service, client):
        gates["setup"].open()
        for target, expected in ((New, '["new",1]'), (Streaming, "new 1"), (New, '["new",1]')):
            half, arrived = asyncio.Event(), asyncio.Event()

            async def body(half: asyncio.Event, arrived: asyncio.Event) -> Any:
                yield b""
                arrived.set()
                await half.wait()
                yield b"1"

            sent = asyncio.create_task(
                client.post(
                    "/model",
                    content=body(half, arrived),
                    headers={"content-type": "application/json"},
                )
            )
            await asyncio.wait_for(arrived.wait(), 5)
            await service.reload([describe(target)])
            await until(lambda: "beside" not in told(service), "the end of the old one")
            half.set()
            assert (await sent).text == expected


@in_a_loop
async def test_routes_and_keys_are_those_of_what_serves() -> None:
    async with ready(Old) as (service, client):
        await service.reload([describe(Moved)])
        assert await post(client, 1) == 404
        assert await post(client, 1, "/elsewhere") == 401
        keys = {"authorization": f"Bearer {KEY}"}
        assert await post(client, 1, "/elsewhere", headers=keys) == ["moved", 1]
        assert "/elsewhere" in (await client.get("/-/openapi.json")).json()["paths"]


@in_a_loop
async def test_what_cannot_be_served_changes_nothing() -> None:
    async with ready(Old) as (service, client):
        with pytest.raises(SetupFailed, match="model could not start: OSError"):
            await service.reload([describe(Unfit)])
        with pytest.raises(ConfigError, match="two deployments"):
            await service.reload([describe(Old), describe(New)])
        assert await post(client, 1) == ["old", 1]
        info = (await client.get("/-/info")).json()
        assert info["generation"]["number"] == 1
        assert "two deployments" in info["generation"]["last_reload_failed"]
        await until(lambda: "beside" not in told(service), "the end of the failed one")
        gates["setup"].open()
        await service.reload([describe(New)])
        assert await post(client, 1) == ["new", 1]
        assert "last_reload_failed" not in (await client.get("/-/info")).json()["generation"]


@in_a_loop
async def test_a_stop_ends_a_reload_and_what_it_had_begun() -> None:
    async with ready(Old) as (service, _):
        reloading = asyncio.create_task(service.reload([describe(New)]))
        await until(lambda: gates["setup"].held, "the new one's setup")
        service.stop(0.0)
        with pytest.raises(StartError, match="is being stopped"):
            await reloading
        with pytest.raises(StartError, match="is being stopped"):
            await service.reload()
        await asyncio.wait_for(service.closed(), 5)
        assert not service.driver.replicas


@in_a_loop
async def test_nothing_is_reloaded_before_the_start_is_over() -> None:
    async with opened(New) as service:
        with pytest.raises(StartError, match="not yet started"):
            await service.reload()
        gates["setup"].open()
        await asyncio.wait_for(service.ready, 5)


@in_a_loop
async def test_a_class_of_this_very_process_comes_as_it_was() -> None:
    async with ready(Old) as (service, client):
        await asyncio.gather(service.reload(), service.reload(), service.reload())
        assert await post(client, 1) == ["old", 1]
        assert (await client.get("/-/info")).json()["generation"]["number"] == 2


@in_a_loop
async def test_stop_first_refuses_while_there_is_no_model() -> None:
    async with ready(Old, reload="stop_first") as (service, client):
        waiting = asyncio.create_task(post(client, "wait"))
        await until(lambda: gates["a"].held, "a request under way")
        reloading = asyncio.create_task(service.reload([describe(New)]))
        await until(lambda: not waiting.done() and service.driver.engine.leaving, "its retirement")
        assert await post(client, 1) == 503
        assert not gates["setup"].held  # no room yet
        gates["a"].open()
        assert await waiting == ["old", "wait"]
        await until(lambda: gates["setup"].held, "the new one's setup")
        refused = await client.post("/model", json=1)
        assert (refused.status_code, refused.json()["code"]) == (503, "loading")
        assert refused.headers["retry-after"]
        assert (await client.get("/-/health/ready")).status_code == 503
        gates["setup"].open()
        await reloading
        assert await post(client, 2) == ["new", 2]
