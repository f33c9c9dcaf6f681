"""A replica that is not well is replaced, one that does not answer is ended; no work is lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from tests.e2e.apps import caring as app
from tests.e2e.serving import PATIENCE_S, ask, wait_for
from tests.e2e.test_scaling import info

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return tmp_path


@contextlib.contextmanager
def serving(*targets: type) -> Iterator[str]:
    with hr.start(*targets, app.Switch, port=0) as running:

        def all_ready() -> bool:
            told = httpx2.get(f"{running.url}/-/info").json()["deployments"].values()
            return all(
                [copy["state"] for copy in each["replicas"]] == ["ready"] * each["replicas_wanted"]
                for each in told
            )

        wait_for(all_ready, "every replica to be ready", 3 * PATIENCE_S)
        yield running.url


def pids(url: str, name: str) -> set[int]:
    return {copy["pid"] for copy in info(url, name)["replicas"] if copy["state"] == "ready"}


def test_health_is_asked_from_time_to_time(folder: Path) -> None:
    del folder
    with serving(app.Leaf, app.Tasks) as url:
        for name in ("leaf", "tasks"):
            before = pids(url, name)
            wait_for(lambda n=name: info(url, n)["health"]["answers"] > 4, "answers")  # type: ignore[misc]
            assert pids(url, name) == before
            assert info(url, name)["health"]["unwell"] == 0
        assert info(url, "switch")["health"] is None
        text = httpx2.get(f"{url}/-/metrics").text
    assert 'headrace_health_unwell_total{deployment="leaf"} 0' in text


@pytest.mark.parametrize("name", ["leaf", "tasks"])
@pytest.mark.parametrize("mood", ["ill", "raises"])
def test_one_that_is_not_well_ends_its_calls_and_is_replaced(
    folder: Path, name: str, mood: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(app.Leaf, app.Tasks) as url:
        before = pids(url, name)
        ill = min(before)
        (folder / str(ill)).write_text(mood)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(url, f"/{name}", 0.3), range(8)))
        assert {answer.status_code for answer in answers} == {200}
        wait_for(lambda: ill not in pids(url, name), "the one that is ill to go")
        wait_for(lambda: len(pids(url, name)) == len(before), "another one", 3 * PATIENCE_S)
        assert info(url, name)["health"]["unwell"] == 1
        assert info(url, name)["health"]["silent"] == 0
    why = "health() returned False" if mood == "ill" else "health() raised ValueError"
    assert f"is not well, and another one takes its place: {why}" in caplog.text


def test_a_long_call_is_not_unhealthy(folder: Path) -> None:
    del folder
    with serving(app.Leaf) as url:
        before = pids(url, "leaf")
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda _: ask(url, "/leaf", 4.5), range(2)))
        assert {answer.json() for answer in answers} == before
        assert info(url, "leaf")["health"]["silent"] == 0
        assert pids(url, "leaf") == before


@pytest.mark.parametrize("name", ["leaf", "tasks"])
def test_one_that_does_not_answer_is_ended_and_what_it_had_runs_elsewhere(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(app.Leaf, app.Tasks) as url:
        before = pids(url, name)
        stuck = min(before)
        (folder / str(stuck)).write_text("hangs")
        wait_for(lambda: stuck not in pids(url, name), "it to be given no more calls", 15.0)
        wait_for(lambda: len(pids(url, name)) == len(before), "another one", 15.0)
        assert info(url, name)["health"]["silent"] == 1
        assert ask(url, f"/{name}", 0.0).status_code == 200
    assert "has not answered how it is, and is ended" in caplog.text


def test_a_loop_that_stands_still_is_ended_and_its_other_calls_run_again(folder: Path) -> None:
    del folder
    with serving(app.Tasks) as url:
        (stuck,) = pids(url, "tasks")
        answers: list[Any] = []
        crowd = [
            threading.Thread(target=lambda: answers.append(ask(url, "/tasks", 2.0)))
            for _ in range(3)
        ]
        for thread in crowd:
            thread.start()
        wait_for(lambda: info(url, "tasks")["replicas"][0]["running"] == 3, "the calls to run")
        with contextlib.suppress(httpx2.TimeoutException):
            httpx2.post(f"{url}/tasks", json=-600.0, timeout=0.5)  # nobody waits for that one
        for thread in crowd:
            thread.join(30.0)
        assert [answer.status_code for answer in answers] == [200] * 3
        assert all(answer.json() != stuck for answer in answers)


def test_an_async_health_that_takes_too_long_is_an_answer_of_its_own(folder: Path) -> None:
    with serving(app.Tasks) as url:
        (slow,) = pids(url, "tasks")
        (folder / str(slow)).write_text("waits")
        wait_for(lambda: info(url, "tasks")["health"]["unwell"] == 1, "the verdict")
        wait_for(lambda: pids(url, "tasks") - {slow}, "another one")
        assert info(url, "tasks")["health"]["silent"] == 0
