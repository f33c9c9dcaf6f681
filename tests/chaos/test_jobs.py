"""Whatever is killed, each acknowledged job ends exactly once, with the right result."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import httpx2
import psutil
import pytest

from tests.chaos.jobs_storm import (
    Submitting,
    all_ended,
    ends_in_store,
    frozen,
    reborn,
    results,
    thawed,
)
from tests.e2e.serving import PATIENCE_S, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]
WHOM = ("worker", "replica", "arbiter")


def storm(file: Path, *, jobs: int, kills: int, seed: int, step_s: float) -> str:
    """Kill processes while jobs are submitted and run; return the figures."""
    chance = Random(seed)
    began = time.monotonic()
    with reborn(file) as server:
        submitting = [Submitting(server, range(first, jobs, 4), step_s) for first in range(4)]
        for thread in submitting:
            thread.start()
        order = [*WHOM, *chance.choices(WHOM, k=max(0, kills - len(WHOM)))]
        for whom in order:
            time.sleep(chance.uniform(0.3, 1.5))
            server.kill(whom, chance)
        for thread in submitting:
            thread.join(180)
        assert not any(thread.error for thread in submitting), [t.error for t in submitting]
        acknowledged = {job: name for t in submitting for job, name in t.acknowledged.items()}
        assert len(acknowledged) == jobs, "a key means one job"
        told = all_ended(server, acknowledged, 180)
        answers = results(server, acknowledged)
    assert {each["status"] for each in told.values()} == {"succeeded"}
    for job, name in acknowledged.items():
        assert (answers[job]["name"], answers[job]["steps"]) == (name, 2)
    ends = ends_in_store(file)
    assert set(ends) == set(acknowledged), "nothing else is there"
    assert set(ends.values()) == {1}, [job for job, count in ends.items() if count != 1]
    attempts = [each["attempt"] for each in told.values()]
    again, took_s = sum(thread.again for thread in submitting), time.monotonic() - began
    return (
        f"{jobs} jobs, kills: {', '.join(order)}; {again} submissions made again; attempts up to "
        f"{max(attempts)}, {sum(count > 1 for count in attempts)} of over one; {took_s:.1f} s"
    )


@pytest.mark.timeout(240)
def test_a_hundred_jobs_survive_the_deaths_of_worker_replica_and_arbiter(tmp_path: Path) -> None:
    print(storm(tmp_path / "jobs.sqlite3", jobs=100, kills=3, seed=7, step_s=0.005))


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_jobs_survive_ten_deaths(tmp_path: Path, seed: int) -> None:
    print(storm(tmp_path / "jobs.sqlite3", jobs=1000, kills=10, seed=seed, step_s=0.005))


@pytest.mark.timeout(120)
def test_a_worker_that_was_frozen_past_its_lease_ends_its_job_once(tmp_path: Path) -> None:
    """Nobody took it meanwhile: its heartbeat comes before it looks whose lease has lapsed."""
    file = tmp_path / "jobs.sqlite3"
    with reborn(file, "--job-lease-s=1", "--worker-timeout-s=0") as server:
        body = {"name": "slow", "steps": 1, "step_s": 4.0}
        later = {"Prefer": "respond-async"}
        job = httpx2.post(f"{server.url}/work", json=body, headers=later).json()["id"]
        wait_for(lambda: status_of(server.url, job) == "running", "the job to run")
        pid = server.program.worker.pid
        frozen(pid)
        time.sleep(2.5)
        thawed(pid)
        told = all_ended(server, {job: "slow"}, 60)[job]
        assert (told["status"], told["attempt"]) == ("succeeded", 1)
    assert set(ends_in_store(file).values()) == {1}


@pytest.mark.timeout(120)
def test_a_frozen_owner_whose_job_is_anothers_by_now_is_refused(tmp_path: Path) -> None:
    """The lock would keep a second server out: here somebody has removed it."""
    file = tmp_path / "jobs.sqlite3"
    with reborn(file, "--worker-timeout-s=0") as first:
        body = {"name": "slow", "steps": 1, "step_s": 2.0}
        later = {"Prefer": "respond-async"}
        job = httpx2.post(f"{first.url}/work", json=body, headers=later).json()["id"]
        wait_for(lambda: status_of(first.url, job) == "running", "the job to run")
        pid = first.program.worker.pid
        frozen(pid)
        file.with_name(f"{file.name}.lock").unlink()
        with reborn(file) as second:
            told = all_ended(second, {job: "slow"}, 60)[job]
            assert (told["status"], told["attempt"]) == ("succeeded", 2)
            thawed(pid)
            first.program.wait_for_line("counts no more", within_s=3 * PATIENCE_S)
            assert results(second, {job: "slow"})[job]["attempt"] == 2
    assert ends_in_store(file)[job] == 1


@pytest.mark.timeout(60)
def test_a_second_server_on_the_same_file_refuses_to_start(tmp_path: Path) -> None:
    from tests.e2e.serving import program

    file = tmp_path / "jobs.sqlite3"
    with reborn(file) as server:
        body = {"name": "a"}
        httpx2.post(f"{server.url}/work", json=body, headers={"Prefer": "respond-async"})
        words = ("-m", "headrace", "serve", "jobs_http.py", "--port=0", f"--jobs-file={file}")
        with program(*words) as other:
            assert other.exit_code(3 * PATIENCE_S) == 2
            assert "in the hands of" in other.terminal
            assert str(psutil.Process(server.program.worker.pid).pid) in other.terminal


def status_of(url: str, job: str) -> str:
    status: str = httpx2.get(f"{url}/jobs/{job}", timeout=PATIENCE_S).json()["status"]
    return status
