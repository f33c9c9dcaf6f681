"""A program elsewhere has its jobs run once and hears how they end, whatever breaks in between."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace as hr
from headrace.client import patience
from headrace.client.records import Event
from headrace.core.attempts import Said
from headrace.core.jobs import Status
from headrace.errors import (
    ConfigError,
    JobFailed,
    KeyReused,
    NoSuchJob,
    RemoteError,
    Unprocessable,
    Unreachable,
    WrongStatus,
)
from headrace.http.keys import Keys
from headrace.interfaces import Progress
from headrace.jobs.orders import failure
from tests.client.rig import Rig, Scripted, response, rig, scripted, stream
from tests.http.asking import PATIENCE_S
from tests.http.jobs_desk import endpoint

KEY = "k" * 20


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Rig]:
    with rig(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(there: Rig) -> Iterator[hr.JobsClient]:
    with hr.JobsClient(there.url, patience_s=5.0) as opened:
        yield opened


def test_a_job_is_submitted_followed_and_fetched(there: Rig, client: hr.JobsClient) -> None:
    job = client.submit("/typed", {"name": "a"}, priority=3, max_attempts=2, retention_s=60)
    assert (job.status, job.priority, job.max_attempts) == (Status.QUEUED, 3, 2)
    assert not job.is_over
    claim = there.do(there.desk.claim())
    assert there.do(there.desk.order(claim)).body == b'{"name":"a"}'
    there.do(there.desk.tell(claim, 4, 10, "fourth"))
    seen = client.get(job.id)
    assert (seen.status, seen.progress) == (Status.RUNNING, Progress(4, 10, "fourth"))
    there.do(there.desk.answer(claim, {"is": "so"}, status=201))
    assert client.result(job.id) == {"is": "so"}
    answer = client.response(job.id)
    assert (answer.status, answer.headers["x-headrace-job"]) == (201, job.id)
    assert client.wait(job.id).is_over


def test_bodies_of_any_type_go_and_come(there: Rig, client: hr.JobsClient) -> None:
    job = client.submit("/typed", content=b"\x00\x01", content_type="image/x", headers={"X-A": "b"})
    claim = there.do(there.desk.claim())
    order = there.do(there.desk.order(claim))
    assert (order.body, order.content_type) == (b"\x00\x01", "image/x")
    there.do(there.desk.answer(claim, body="né".encode(), content_type="text/plain"))
    assert client.result(job.id) == "né"
    raw = client.submit("/typed", content=b"x" * 300_000)
    claim = there.do(there.desk.claim())
    there.do(there.desk.answer(claim, body=b"y" * 300_000, content_type="image/x"))
    assert client.result(raw.id) == b"y" * 300_000
    with pytest.raises(TypeError, match="one body"):
        client.submit("/typed", 1, content=b"2")


def test_the_same_key_and_the_same_id_are_the_same_job(there: Rig, client: hr.JobsClient) -> None:
    one = client.submit("/typed", 1, idempotency_key="k")
    assert client.submit("/typed", 1, idempotency_key="k").id == one.id
    with pytest.raises(KeyReused):
        client.submit("/typed", 2, idempotency_key="k")
    assert client.put("mine", "/typed", 1).id == "mine" == client.put("mine", "/typed", 1).id
    assert client.submit("/typed", 1).id != client.submit("/typed", 1).id
    assert [job.id for job in client.list(route="/typed", limit=2)][-1] == one.id
    assert len(list(client.list(Status.QUEUED, limit=2))) == 4
    assert list(client.list("failed")) == []


def test_a_job_that_did_not_end_well_is_an_error_with_its_problem(
    there: Rig, client: hr.JobsClient
) -> None:
    job = client.submit("/typed", 1)
    claim = there.do(there.desk.claim())
    fault = failure(Unprocessable("Expected `object`", path="$")).fault
    there.do(there.desk.answer(claim, said=Said.REFUSED, status=422, fault=fault, body=b""))
    with pytest.raises(JobFailed, match="Expected `object`") as caught:
        client.result(job.id)
    assert (caught.value.status, caught.value.code) == (422, "validation_error")
    assert caught.value.members["path"] == "$"
    assert client.retry(job.id).status is Status.QUEUED
    assert client.cancel(job.id).status is Status.CANCELED
    assert client.cancel(job.id).status is Status.CANCELED
    with pytest.raises(JobFailed, match="canceled"):
        client.result(job.id)
    client.delete(job.id)
    for deed in (client.get, client.cancel, client.retry, client.delete, client.result):
        with pytest.raises(NoSuchJob):
            deed(job.id)
    with pytest.raises(NoSuchJob):
        list(client.events(job.id))


def test_what_cannot_be_done_says_why(there: Rig, client: hr.JobsClient) -> None:
    job = client.submit("/typed", 1)
    with pytest.raises(WrongStatus, match="cancel it"):
        client.delete(job.id)
    with pytest.raises(WrongStatus):
        client.retry(job.id)
    with pytest.raises(RemoteError, match="Priority"):
        client.submit("/typed", 1, priority=1000)
    with pytest.raises(RemoteError, match="nothing is at"):
        client.submit("/nowhere", 1)
    with pytest.raises(TimeoutError, match="queued after"):
        client.wait(job.id, 0.05)


def test_who_waits_is_told_of_the_end_and_of_the_way(there: Rig, client: hr.JobsClient) -> None:
    job = client.submit("/typed", 1)
    seen: list[Any] = []
    heard: list[Event] = []
    waiting = threading.Thread(
        target=lambda: client.wait(job.id, PATIENCE_S, every_s=0.02, seen=seen.append)
    )
    following = threading.Thread(target=lambda: heard.extend(client.events(job.id)))
    for thread in (waiting, following):
        thread.start()
    claim = there.do(there.desk.claim())
    there.do(there.desk.tell(claim, 1))
    there.do(there.desk.store_items(claim, b'{"a":1}', b"not json"))
    there.do(there.desk.answer(claim))
    for thread in (waiting, following):
        thread.join(PATIENCE_S)
    assert seen[-1].status is Status.SUCCEEDED
    assert [event.number for event in heard] == [1, 2, 3, 4, 5, 6]
    assert [event.data for event in heard if event.kind == "item"] == [{"a": 1}, "not json"]
    assert [event.number for event in client.events(job.id, after=4)] == [5, 6]


def test_a_key_opens_what_it_opens(tmp_path: Path) -> None:
    locked = endpoint("/typed", keys=Keys([KEY], "test"))
    with rig(tmp_path, endpoints=[locked]) as there:
        with hr.JobsClient(there.url, KEY) as client:
            assert client.submit("/typed", 1).id
            assert len(list(client.list())) == 1
        with hr.JobsClient(there.url) as client, pytest.raises(RemoteError, match="needs a key"):
            client.submit("/typed", 1)


def test_a_route_that_answers_at_once_is_no_success() -> None:
    refused = pytest.raises(RemoteError, match="no jobs")
    with asking(response(200, b'"done"')) as (client, _), refused:
        client.submit("/predict", 1)


# --- breaks ------------------------------------------------------------------------------------

JOB = json.dumps({"id": "j", "status": "queued", "endpoint": "/p", "attempt": 0, "created_at": 1.0})
ACCEPTED = response(202, JOB.encode(), "X-Headrace-Job: j")
AWAY = response(503, b"{}", "Retry-After: 0")


@contextlib.contextmanager
def asking(*answers: bytes, patience_s: float = 10.0) -> Iterator[tuple[hr.JobsClient, Scripted]]:
    """Give a client of a server that says these."""
    with scripted(*answers) as server, hr.JobsClient(server.url, patience_s=patience_s) as client:
        yield client, server


def test_a_submission_is_sent_again_under_the_same_key() -> None:
    cut = ACCEPTED.partition(b"X-Headrace-Job: j")[0]
    with asking(b"", AWAY, b"HTTP/1.1 202 Acc", cut, ACCEPTED) as (client, server):
        assert client.submit("/p", 1).id == "j"
    keys = {line for said in server.asked for line in said.splitlines() if b"Idempot" in line}
    assert len(server.asked) == 5
    assert len(keys) == 1


def test_events_go_on_behind_the_last_one_that_was_heard_whole() -> None:
    first = b"retry: 1000\n\nid: 1\nevent: state\ndata: {}\n\nid: 2\nevent: item\ndata: cut o"
    second = b":\n\nid: 2\nevent: item\ndata: whole\ndata: two\n\n"
    with asking(stream(first), AWAY, stream(second), response(204)) as (client, server):
        events = [(event.number, event.data) for event in client.events("j")]
    assert events == [(1, {}), (2, "whole\ntwo")]
    lines = [line for said in server.asked for line in said.splitlines() if b"Last-Event" in line]
    assert lines == [b"Last-Event-ID: %d" % number for number in (0, 1, 1, 2)]


def test_a_deed_that_was_done_before_its_answer_was_lost_is_no_error() -> None:
    conflict = response(409, b'{"code":"wrong_status","detail":"it is queued"}')
    unknown = response(404, b'{"code":"no_such_job","detail":"there is no job j"}')
    with asking(b"", conflict, response(200, JOB.encode()), b"", unknown) as (client, _):
        assert client.retry("j").status is Status.QUEUED
        client.delete("j")


def test_a_server_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_S", 0.02)
    with hr.JobsClient("http://127.0.0.1:1", patience_s=0.1) as client:
        with pytest.raises(Unreachable, match=r"http://127.0.0.1:1: .*refused"):
            client.get("j")
        with pytest.raises(Unreachable, match="refused"):
            list(client.events("j"))
    with pytest.raises(Unreachable, match="closed"):
        client.get("j")


def test_a_server_that_stays_full_says_so() -> None:
    full = response(503, b'{"code":"queue_full","detail":"9 jobs wait"}', "Retry-After: 30")
    refused = pytest.raises(RemoteError, match="9 jobs wait")
    with asking(full, patience_s=1.0) as (client, _), refused as caught:
        client.submit("/p", 1)
    assert (caught.value.status, caught.value.code) == (503, "queue_full")


def test_a_result_that_looks_like_a_full_server_is_a_result() -> None:
    over = JOB.replace("queued", "failed")
    problem = response(503, b'{"detail":"its own"}', "X-Headrace-Job: j")
    refused = pytest.raises(JobFailed, match="its own")
    with asking(response(200, over.encode()), problem) as (client, _), refused:
        client.result("j")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "", "http://"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match="http://host:port"):
        hr.JobsClient(url)
