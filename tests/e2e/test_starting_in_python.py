"""hr.start and Server.asgi: a server within a program, a test, another application."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import headrace as hr
from headrace.errors import AddressError, ConfigError, SetupFailed
from tests.e2e.models import (
    DiesLoading,
    Echo,
    Inline,
    LoadsForEver,
    Napper,
    TearsDown,
    Unready,
)
from tests.e2e.serving import ask, can_bind, is_alive, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(20)]


def replica_pids(running: hr.Running) -> list[int]:
    deployments = running.status()["deployments"].values()
    return [copy["pid"] for each in deployments for copy in each["replicas"]]


def test_a_started_server_serves_until_its_block_ends() -> None:
    with hr.start(Echo, Napper, port=0) as running:
        assert ask(running.url, "/echo", {"a": [1, None]}).json() == {"a": [1, None]}
        assert ask(running.url, "/napper", 0.01).json() == 0.01
        assert running.status()["status"] == "ok"
        pids, port = replica_pids(running), int(running.url.rpartition(":")[2])
        assert all(map(is_alive, pids))
    assert not any(map(psutil.pid_exists, pids))
    assert can_bind(port)
    with pytest.raises(RuntimeError, match="stopped"):
        running.status()
    running.stop()


def test_stop_waits_for_requests_and_tears_down(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    running = hr.start(Napper, TearsDown, port=0)
    ask(running.url, "/tears-down", str(mark))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, running.url, "/napper", 0.5)
        wait_for(lambda: _running(running, "napper"), "the request to run")
        running.stop()
        assert answer.result().json() == 0.5
    assert mark.read_text() == "torn down"


def _running(running: hr.Running, name: str) -> int:
    copies = running.status()["deployments"][name]["replicas"]
    return sum(copy["running"] for copy in copies)


def test_two_servers_live_side_by_side() -> None:
    with hr.start(Echo, port=0) as one, hr.start(Echo, port=0) as two:
        assert one.url != two.url
        assert ask(one.url, "/predict", 1).json() == 1
        one.stop()
        assert ask(two.url, "/predict", 2).json() == 2


def test_start_raises_what_setup_raised() -> None:
    with pytest.raises(SetupFailed, match="no weights here") as caught:
        hr.start(Echo, Unready, port=0)
    assert "in setup" in caught.value.traceback
    assert not psutil.Process().children()


def test_start_raises_when_a_replica_ends_while_it_loads() -> None:
    with pytest.raises(SetupFailed, match="exited with code 9"):
        hr.start(DiesLoading, port=0)
    assert not psutil.Process().children()


def test_a_setup_that_never_ends_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(SetupFailed, match="startup_timeout_s"):
        hr.start(LoadsForEver, port=0)
    assert time.monotonic() - began < 5


def test_mistakes_are_raised_before_anything_starts() -> None:
    with pytest.raises(ConfigError):
        hr.start(port=0)
    with pytest.raises(ConfigError, match="did you mean `port`"):
        hr.start(Echo, prot=0)  # type: ignore[call-arg]
    with hr.start(Echo, port=0) as first, pytest.raises(AddressError):
        hr.start(Napper, port=int(first.url.rpartition(":")[2]))


def test_an_inline_model_runs_in_the_server() -> None:
    with hr.start(Inline, port=0) as running:
        assert ask(running.url, "/predict", 1).json() == os.getpid()


def test_a_server_is_an_asgi_application_for_others_to_mount() -> None:
    async def home(_: Request) -> PlainTextResponse:
        return PlainTextResponse("home")

    async def main() -> list[int]:
        models = hr.Server(Echo, Inline).asgi
        routes = [Route("/", home), Mount("/models", models)]
        outer = Starlette(routes=routes, lifespan=models.lifespan)
        transport = httpx2.ASGITransport(outer)
        async with (
            outer.router.lifespan_context(outer),
            httpx2.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            assert (await client.get("/")).text == "home"
            assert (await client.post("/models/echo", json=[1])).json() == [1]
            assert (await client.get("/models/-/health/ready")).status_code == 200
            assert (await client.post("/models/nowhere", json=1)).status_code == 404
            return [child.pid for child in psutil.Process().children()]

    pids = asyncio.run(main())
    assert len(pids) == 1
    assert not any(map(psutil.pid_exists, pids))


def test_a_mounted_server_starts_with_its_first_request() -> None:
    async def main() -> None:
        models = hr.Server(Inline).asgi
        transport = httpx2.ASGITransport(Starlette(routes=[Mount("/m", models)]))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            answers = await asyncio.gather(*(client.post("/m/predict", json=1) for _ in range(5)))
            assert {answer.json() for answer in answers} == {os.getpid()}

    asyncio.run(main())


def test_a_server_follows_the_lifespan_it_is_given() -> None:
    async def main() -> list[str]:
        models = hr.Server(Unready).asgi
        said: list[str] = []

        async def receive() -> dict[str, str]:
            return {"type": "lifespan.startup"}

        async def send(message: dict[str, str]) -> None:
            said.append(f"{message['type']}: {message.get('message')}")

        await models({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]
        return said

    (told,) = asyncio.run(main())
    assert told.startswith("lifespan.startup.failed: ")
    assert "no weights here" in told
