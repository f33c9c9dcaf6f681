"""Who follows a job hears all that happens to it once, in order, also after a break."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.core.attempts import Said
from headrace.core.jobs import UnixS
from headrace.http import jobs_events
from headrace.http.jobs_events import framed
from headrace.interfaces import JobEvent
from tests.http.asking import Typed, until
from tests.http.jobs_desk import Office, Reader, office
from tests.support.loops import on_a_loop


async def submitted(there: Office) -> str:
    return str((await there.submit()).json()["id"])


def read(there: Office, job: str, **headers: str) -> Reader:
    return Reader(there.service, f"/jobs/{job}/events", headers)


@on_a_loop
async def test_a_job_is_followed_from_its_first_event_to_its_last(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        reader = read(there, job)
        first = (await reader.heard(1))[0]
        assert (first["id"], first["event"]) == ("1", "state")
        assert json.loads(first["data"]) == {"status": "queued", "attempt": 0}
        claim = await there.desk.claim()
        await reader.heard(2)
        await there.desk.tell(claim, 3, 10, "third")
        await reader.heard(3)
        await there.desk.store.emit(claim.hold, "item", [b'"one"', b"two\nlines"])
        await reader.heard(5)
        assert not reader.task.done()
        await there.desk.answer(claim)
        events = await reader.ended()
        assert [event["id"] for event in events] == ["1", "2", "3", "4", "5", "6"]
        kinds = [event["event"] for event in events]
        assert kinds == ["state", "state", "progress", "item", "item", "state"]
        assert json.loads(events[2]["data"]) == {"done": 3, "total": 10, "note": "third"}
        assert events[4]["data"] == "two\nlines"
        assert json.loads(events[5]["data"])["status"] == "succeeded"
        head = reader.sent[0]
        assert dict(head["headers"])[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert reader.sent[-1] == {"type": "http.response.body", "body": b""}
        assert reader.text.startswith("retry: 1000\n\n")


@on_a_loop
async def test_a_reader_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        claim = await there.desk.claim()
        await there.desk.tell(claim, 1)
        first = read(there, job)
        heard = await first.heard(3)
        first.leave()
        await first.ended()
        await there.desk.tell(claim, 2)
        await there.desk.answer(claim)
        second = read(there, job, **{"Last-Event-ID": heard[-1]["id"]})
        assert [event["id"] for event in await second.ended()] == ["4", "5"]
        by_query = Reader(there.service, f"/jobs/{job}/events?after=3")
        assert [event["id"] for event in await by_query.ended()] == ["4", "5"]
        over = read(there, job, **{"Last-Event-ID": "5"})
        assert await over.ended() == []
        assert over.sent[0]["status"] == 204


@on_a_loop
async def test_a_job_that_was_tried_again_is_followed_past_its_first_end(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        claim = await there.desk.claim()
        await there.desk.answer(claim, said=Said.REFUSED)
        await there.client.post(f"/jobs/{job}/retry")
        reader = read(there, job)
        await reader.heard(4)
        await there.desk.run_next()
        states = [json.loads(event["data"])["status"] for event in await reader.ended()]
        assert states == ["queued", "running", "failed", "queued", "running", "succeeded"]


@on_a_loop
async def test_more_events_than_are_read_at_once_all_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_events, "AT_ONCE", 7)
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        claim = await there.desk.claim()
        await there.desk.store.emit(claim.hold, "item", [b"%d" % n for n in range(40)])
        await there.desk.answer(claim)
        events = await read(there, job).ended()
        assert [int(event["id"]) for event in events] == list(range(1, 44))


@on_a_loop
async def test_a_silent_job_gives_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_events, "HEARTBEAT_S", 0.01)
    async with office(tmp_path, Typed) as there:
        reader = read(there, await submitted(there))
        await until(lambda: reader.text.count(":\n\n") >= 2, "two heartbeats")
        reader.leave()
        await reader.ended()


@on_a_loop
async def test_nothing_is_left_of_readers_that_leave_or_of_a_server_that_stops(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        readers = [read(there, job) for _ in range(3)]
        for reader in readers:
            await reader.heard(1)
        readers[0].leave()
        await readers[0].ended()
        there.doors.let_go()
        for reader in readers[1:]:
            await reader.ended()
            assert reader.sent[-1] == {"type": "http.response.body", "body": b""}
        assert there.doors._watch._waiting == {}
        assert there.doors._watch._stop_listening is None


@on_a_loop
async def test_a_job_that_is_deleted_ends_its_readers(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        claim = await there.desk.claim()
        reader = read(there, job)
        await reader.heard(2)
        reader.takes.clear()
        await there.desk.tell(claim, 1)
        await reader.heard(3)  # and is stuck with it
        await there.desk.answer(claim)
        await there.client.delete(f"/jobs/{job}")
        reader.takes.set()
        assert len(await reader.ended()) == 3
        unknown = read(there, job)
        await unknown.ended()
        assert unknown.sent[0]["status"] == 404


@on_a_loop
async def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    async with office(tmp_path, Typed) as there:
        job = await submitted(there)
        for given in ("x", "-1", "1.5"):
            reader = read(there, job, **{"Last-Event-ID": given})
            await reader.ended()
            assert reader.sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"", b"data: \n"),
        (b"a\r\nb\rc\nd", b"data: a\ndata: b\ndata: c\ndata: d\n"),
        (b"ends\n", b"data: ends\ndata: \n"),
        ("é".encode(), "data: é\n".encode()),
        (b"a\xff", "data: a\N{REPLACEMENT CHARACTER}\n".encode()),
    ],
)
def test_no_data_breaks_the_frame(data: bytes, sent: bytes) -> None:
    event = JobEvent(7, UnixS(0.0), "item", data)
    assert framed(event) == b"id: 7\nevent: item\n%s\n" % sent
