"""The admin socket: who asks is answered, whatever is asked, and however that ends."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from headrace.core.workers import WorkerId
from headrace.errors import ConfigError, StartError
from headrace.host.admin import (
    Answer,
    Delete,
    Deploy,
    Reception,
    Request,
    Status,
    asked,
    listening,
    path_of,
)
from headrace.host.control import Done, Order, StatusIs
from headrace.host.errands import Errands
from headrace.host.origin import Origin
from headrace.host.origins import Origins
from headrace.host.settings import settle
from headrace.host.telling import table


async def answered(folder: Path, *requests: Request | bytes) -> list[Answer | bytes]:
    """Ask a reception in a folder whose path is too long for a socket."""
    pidfile = folder / ("long" * 20) / ("folder" * 20) / "server.pid"
    pidfile.parent.mkdir(parents=True)
    heard: list[Request] = []

    async def ask(request: Request) -> Answer:
        heard.append(request)
        if isinstance(request, Delete):
            raise ConfigError("there is no such")
        return Answer(told=["done"])

    def raw(words: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"/proc/self/fd/{folder_fd}/server.pid.sock")
            sock.sendall(words)
            sock.shutdown(socket.SHUT_WR)
            return sock.makefile("rb").readline()

    folder_fd = os.open(pidfile.parent, os.O_RDONLY)
    try:
        with listening(settle({"pidfile": str(pidfile)})) as sock:
            assert sock is not None
            reception = Reception(sock, ask)
            await reception.open()
            found = [
                await asyncio.to_thread(raw, each)
                if isinstance(each, bytes)
                else await asyncio.to_thread(asked, str(pidfile), each, 5.0)
                for each in requests
            ]
            await reception.close()
        assert not path_of(str(pidfile)).exists()
        return found
    finally:
        os.close(folder_fd)


def test_who_asks_is_answered(tmp_path: Path) -> None:
    found = asyncio.run(
        answered(tmp_path, Deploy([Origin("a:b")]), Delete(["x"]), b"no json\n", b"", Status())
    )
    done = Answer(told=["done"])
    assert found[:2] == [done, Answer(kind="ConfigError", message="there is no such")]
    assert isinstance(found[2], bytes)
    assert b"does not know what is asked" in found[2]
    assert found[3:] == [b"", done]


class Worker:
    """A worker that hears orders, and says nothing."""

    def __init__(self, number: int) -> None:
        self.id, self.orders = WorkerId(number), list[Order]()

    def say(self, order: Order) -> None:
        self.orders.append(order)


def test_a_worker_s_words_reach_who_waits_for_them() -> None:
    async def run() -> None:
        worker = Worker(1)
        errands = Errands(lambda: worker)  # type: ignore[arg-type,return-value] # as far as it goes
        waiting = [
            asyncio.create_task(errands.run(each))
            for each in (Status(), Delete(["a"]), Deploy([]), Status())
        ]
        await asyncio.sleep(0)
        numbers = [getattr(order, "number", 0) for order in worker.orders]
        assert numbers == [1, 2, 3, 4]
        errands.heard(Done(2, kind="ConfigError", message="no"))
        errands.heard(StatusIs(1, {"status": "ok"}))
        errands.heard(Done(99))  # nobody's
        waiting[3].cancel()
        errands.lost(WorkerId(2), "fell")
        errands.lost(WorkerId(1), "fell")
        assert await waiting[0] == Answer(status={"status": "ok"})
        assert await waiting[1] == Answer(kind="ConfigError", message="no")
        with pytest.raises(StartError, match="the worker fell before it was done"):
            await waiting[2]
        nobody = Errands(lambda: None)
        assert (await nobody.run(Status())).status == {"status": "loading"}
        with pytest.raises(StartError, match="no worker just now"):
            await nobody.run(Delete(["a"]))

    asyncio.run(run())


def test_it_is_known_where_each_application_comes_from() -> None:
    origins = Origins([Origin("a", names=["x", "y"]), Origin("b", names=["z"])], lambda _: None)
    origins.add(Origin("c"), ["y"])
    origins.leave(["z"])
    told = [(each.target, each.names, each.without) for each in origins.present]
    assert told == [("a", ["x", "y"], ["y"]), ("c", ["y"], [])]
    origins.leave(["x"])
    origins.add(Origin("d"), ["y"])
    assert [each.target for each in origins.present] == ["d"]


def test_a_table_tells_applications_deployments_replicas_and_why() -> None:
    replica = {"name": "text.embed/1", "pid": 7, "state": "ready", "running": 2}
    loading = {**replica, "name": "text.embed@2/1", "state": "loading"}
    loading["loading"] = {"done": 1, "total": 4, "what": "weights"}
    told = {
        "status": "degraded",
        "applications": {
            "text": {
                "state": "degraded",
                "route_prefix": "/text",
                "deployments": ["text.embed"],
                "coming": {"generation": 2, "loading": ["text.embed"]},
                "last_deploy_failed": "text.embed could not start\nTraceback",
            },
            "new": {"state": "failed", "last_deploy_failed": "no weights"},
        },
        "deployments": {
            "text.embed": {
                "state": "down",
                "why": "it fell",
                "queued": 3,
                "replicas_wanted": 2,
                "replicas": [replica],
                "beside": [
                    {
                        "deployment": "text.embed@2",
                        "state": "loading",
                        "requests": 0,
                        "replicas": [loading],
                    }
                ],
            },
        },
    }
    assert table(told).splitlines() == [
        "server: degraded",
        "WHAT                STATE     REPLICAS  REQUESTS     WHY",
        (
            "text at /text       degraded                         generation 2 is coming: loads "
            "text.embed; the last deploy failed: text.embed could not start"
        ),
        "  text.embed        down      1 of 2    3 wait       it fell",
        "    text.embed/1    ready     pid 7     2 run",
        "  text.embed@2      loading             0 under way",
        "    text.embed@2/1  loading   pid 7     2 run        weights: 1 of 4",
        "new                 failed                           the last deploy failed: no weights",
    ]
    assert table({"status": "ok"}) == "server: ok"
