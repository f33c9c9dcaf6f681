"""A stop of a server that a program started itself, or mounted in an application of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from tests.e2e.models import Echo
from tests.e2e.serving import can_bind, wait_for
from tests.e2e.shutdowns import KEY, Audit, shut_down

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("HEADRACE_SHUTDOWN_API_KEY", KEY)
    return Audit(tmp_path)


def test_a_server_in_a_thread_ends_by_a_call(audit: Audit) -> None:
    heard: list[dict[str, Any]] = []
    path = str(audit.path)
    running = hr.start(
        Echo, port=0, enable_shutdown_api=True, on_shutdown=heard.append, audit_log=path
    )
    port = int(running.url.rpartition(":")[2])
    assert shut_down(running.url).status_code == 200
    wait_for(lambda: heard, "its last word")
    wait_for(lambda: "stopped" in repr(running), "its thread's end")
    running.stop()  # no news
    assert can_bind(port)
    assert heard == [audit.stop()]
    assert (heard[0]["why"], heard[0]["cut"]) == ("api", 0)
    assert "exit_code" not in heard[0]  # the program goes on


def test_running_stop_is_a_record_of_the_program(audit: Audit) -> None:
    async def hear(report: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        heard.append(report["why"])

    heard: list[str] = []
    with hr.start(Echo, port=0, on_shutdown=hear, audit_log=str(audit.path)):
        pass
    assert heard == [audit.stop()["why"]] == ["program"]


def test_a_mounted_server_ends_its_own_part(audit: Audit) -> None:
    async def live() -> tuple[list[int], list[str]]:
        heard: list[str] = []
        app = hr.Server(
            Echo,
            enable_shutdown_api=True,
            audit_log=str(audit.path),
            on_shutdown=lambda report: heard.append(report["why"]),
        ).asgi
        async with (
            app.lifespan(),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app), base_url="http://x"
            ) as client,
        ):
            key = {"Authorization": f"Bearer {KEY}"}
            answers = [
                await client.post("/predict", json="Ada"),
                await client.post("/shutdown"),
                await client.post("/shutdown", headers=key),
                await client.post("/predict", json="Ada"),
            ]
        return [one.status_code for one in answers], heard

    statuses, heard = asyncio.run(live())
    assert statuses == [200, 401, 200, 503]
    assert heard == [audit.stop()["why"]] == ["api"]
