"""Models come and go for real: with processes, their memory and their last words."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

import headrace as hr
from headrace.errors import ConfigError
from tests.e2e.apps import loading as app
from tests.e2e.serving import PATIENCE_S, ask, is_alive, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
MIB = 1 << 20


class Guests:
    """A running server, and what its models wrote."""

    def __init__(self, running: hr.Running, journal: Path) -> None:
        self.url, self.running, self._journal = running.url, running, journal

    @property
    def journal(self) -> list[str]:
        return self._journal.read_text().splitlines() if self._journal.exists() else []

    def info(self, name: str) -> dict[str, Any]:
        told = httpx2.get(f"{self.url}/-/info", timeout=PATIENCE_S).json()
        said: dict[str, Any] = told["deployments"][name]
        return said

    def wait_until(self, name: str, state: str) -> None:
        wait_for(lambda: self.info(name)["state"] == state, f"{name} to be {state}")

    def load(self, name: str) -> None:
        """Use it, and wait until it may be evicted: it has served for as long as its load took."""
        assert ask(self.url, f"/{name}", 0.0).status_code == 200
        by_now = self.info(name)["since_s"]
        wait_for(lambda: self.info(name)["since_s"] > 2 * by_now, f"{name} to have served")

    def pids(self, name: str) -> list[int]:
        return [replica["pid"] for replica in self.info(name)["replicas"]]

    def ready(self) -> int:
        return httpx2.get(f"{self.url}/-/health/ready", timeout=PATIENCE_S).status_code


def has_ended(pid: int) -> bool:
    return not is_alive(pid)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNAL", str(tmp_path / "journal"))
    return tmp_path / "journal"


@contextlib.contextmanager
def serving(journal: Path, *targets: type, **settings: Any) -> Iterator[Guests]:
    with hr.start(*targets, port=0, **settings) as running:
        yield Guests(running, journal)


def test_a_lazy_model_is_refused_with_its_progress_until_it_is_there(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", "20")
    with serving(journal, app.Lazy) as server:
        assert server.ready() == 200  # nobody waits for what is asleep
        assert server.info("lazy")["why"] == "lazy is asleep; the next request loads it"
        assert psutil.Process().children() == []
        first = ask(server.url, "/predict", 0.0)
        assert first.status_code == 503
        assert (first.json()["code"], first.json()["detail"]) == (
            "loading",
            "lazy is still loading",
        )
        told = {}

        def progresses() -> bool:
            told.update(ask(server.url, "/predict", 0.0).json())
            return "loading" in told

        wait_for(progresses, "a refusal that tells how far it is")
        done = told["loading"]["done"]
        assert told["detail"] == f"lazy is still loading: weights, {done:g} of 20"
        replica = server.info("lazy")["replicas"][0]
        assert replica["loading"]["what"] == "weights"
        assert server.ready() == 200
        wait_for(lambda: ask(server.url, "/predict", 0.0).status_code == 200, "an answer")
    assert server.journal == ["setup Lazy", "teardown Lazy"]


def test_or_its_first_request_waits_and_an_idle_one_is_unloaded(journal: Path) -> None:
    with serving(journal, app.Brief, while_loading="wait") as server:
        for nth in (1, 2):
            answer = ask(server.url, "/predict", 0.0)
            assert answer.status_code == 200
            pid = answer.json()["pid"]
            resources = server.info("brief")["replicas"][0]["resources"]
            assert resources["rss_bytes"] > MIB
            assert resources["threads"] >= 1
            metrics = httpx2.get(f"{server.url}/-/metrics", timeout=PATIENCE_S).text
            labels = f'deployment="brief",replica="1/{nth}"'
            (held,) = re.findall(
                rf"^headrace_replica_memory_bytes{{{labels}}} (\d+)$", metrics, re.MULTILINE
            )
            assert int(held) > MIB
            server.wait_until("brief", "asleep")
            wait_for(partial(has_ended, pid), "its process to be gone")
            assert server.journal == ["setup Brief", "teardown Brief"] * nth
        assert server.info("brief")["ended"] == {"200": 2}


def test_one_in_the_background_does_not_hold_up_the_start(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", "10")
    with serving(journal, app.Behind) as server:
        assert server.info("behind")["state"] == "loading"
        assert server.ready() == 200
        assert ask(server.url, "/predict", 0.0).status_code == 503
        server.wait_until("behind", "ok")
        assert ask(server.url, "/predict", 0.0).status_code == 200


def test_one_on_a_timetable_names_the_time(journal: Path) -> None:
    late = time.localtime(time.time() + 6 * 3600)
    early = time.localtime(time.time() - 6 * 3600)

    @hr.deployment(load="scheduled", load_at=f"0 {late.tm_hour} * * *")
    class Later(app.Guest):
        pass

    @hr.deployment(
        load="scheduled",
        load_at=f"0 {early.tm_hour} * * *",
        unload_at=f"0 {late.tm_hour} * * *",
    )
    class Now(app.Guest):
        pass

    with serving(journal, Later, Now) as server:
        refused = ask(server.url, "/later", 0.0)
        assert refused.status_code == 503
        at = server.info("later")["next_load_at"]
        assert f"is loaded next at {at}" in refused.json()["detail"]
        assert f"T{late.tm_hour:02}:00" in at
        assert 4 * 3600 < refused.json()["retry_after_s"] <= 6 * 3600
        server.wait_until("now", "ok")  # its time has come already
        assert server.info("now")["next_unload_at"] == at
        assert ask(server.url, "/now", 0.0).status_code == 200


def test_of_three_models_with_room_for_two_the_least_recently_used_goes(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALLAST_BYTES", str(100 * MIB))
    names = ("a", "b", "c")
    with serving(
        journal, app.A, app.B, app.C, while_loading="wait", memory_budget_bytes=300 * MIB
    ) as server:
        for name in names:  # what they take is not known before they were loaded once
            server.load(name)
        server.wait_until("a", "asleep")
        assert 100 * MIB < server.info("a")["memory_needed_bytes"] < 150 * MIB
        assert ask(server.url, "/b", 0.0).status_code == 200
        assert ask(server.url, "/a", 0.0).status_code == 200
        assert [server.info(name)["state"] for name in names] == ["ok", "ok", "asleep"]
        held = sum(psutil.Process(pid).memory_info().rss for n in names for pid in server.pids(n))
        assert held <= 300 * MIB
    setups = ["setup A", "setup B", "setup C", "teardown A"]
    assert server.journal[:6] == [*setups, "teardown C", "setup A"]


def test_budget_eviction_with_sizes_that_were_told(journal: Path) -> None:
    def told(name: str) -> type:
        options: dict[str, Any] = {"load": "lazy", "memory_needed_bytes": 100 * MIB, "name": name}
        return hr.deployment(**options)(type(name, (app.Guest,), {"__module__": __name__}))

    names = ("one", "two", "three")
    with serving(
        journal, *map(told, names), while_loading="wait", memory_budget_bytes=250 * MIB
    ) as server:
        for name in names:
            server.load(name)
        assert server.journal == ["setup one", "setup two", "teardown one", "setup three"]
        assert [server.info(name)["state"] for name in names] == ["asleep", "ok", "ok"]
        assert ask(server.url, "/one", 0.0).status_code == 200
        assert server.journal[4:] == ["teardown two", "setup one"]


def test_a_load_that_fails_is_told_without_its_secrets_and_mended_by_itself(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    monkeypatch.setenv("BROKEN", str(broken))
    with serving(journal, app.Lazy, while_loading="wait") as server:
        refused = ask(server.url, "/predict", 0.0)
        assert refused.status_code == 503
        why = "its setup raised RuntimeError; the server's log says more"
        assert refused.json()["detail"] == f"lazy could not be loaded: {why}"
        assert "Retry-After" in refused.headers
        assert server.journal == ["setup Lazy", "teardown Lazy"]
        broken.unlink()
        wait_for(lambda: ask(server.url, "/predict", 0.0).status_code == 200, "an answer")


@pytest.mark.parametrize("executor", ["process", "inline"])
@pytest.mark.parametrize("end", ["unload", "reload", "shutdown", "a setup that raised"])
def test_teardown_runs_at_every_kind_of_end(
    end: str, executor: str, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if end == "a setup that raised":
        monkeypatch.setenv("BROKEN", str(tmp_path))
    monkeypatch.setattr(app, "JOURNAL", journal)  # inline, it is this module
    idle_s = 0.2 if end == "unload" else None
    options: dict[str, Any] = {"executor": executor, "load": "lazy", "idle_unload_s": idle_s}
    guest = hr.deployment(**options)(type("G", (app.Guest,), {"__module__": __name__}))
    with serving(journal, guest, while_loading="wait") as server:
        status = ask(server.url, "/predict", 0.0).status_code
        assert status == (503 if end == "a setup that raised" else 200)
        if end == "reload":
            server.running.reload(guest)
            wait_for(lambda: server.journal == ["setup G", "setup G", "teardown G"], "its teardown")
            return
        if end != "shutdown":
            wait_for(lambda: server.journal == ["setup G", "teardown G"], "its teardown")
    assert server.journal == ["setup G", "teardown G"]


def test_a_timetable_without_a_time_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match='`load="scheduled"` needs `load_at`'):
        hr.deployment(load="scheduled")
    with pytest.raises(ConfigError, match="it has 2 fields, not five"):
        hr.deployment(load_at="6 *")


@pytest.mark.parametrize(
    ("load", "needed", "told"),
    [
        ("lazy", 600 * MIB, "one needs 629145600 bytes for its 1 replicas, and"),
        (
            "eager",
            400 * MIB,
            'start need 838860800 bytes together, and .*: give some .*load="lazy"',
        ),
    ],
)
def test_what_can_never_fit_is_told_at_the_start(load: Any, needed: int, told: str) -> None:
    def sized(name: str) -> type:
        note = hr.deployment(load=load, memory_needed_bytes=needed, name=name)
        return note(type(name, (app.Guest,), {"__module__": __name__}))

    with pytest.raises(ConfigError, match=told):
        hr.start(sized("one"), sized("two"), port=0, memory_budget_bytes=500 * MIB)
