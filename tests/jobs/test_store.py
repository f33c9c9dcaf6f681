"""What a store promises while nothing goes wrong: jobs in, jobs out, each seen by its owner."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from headrace.core.attempts import LEASE_S, Pulse, Said
from headrace.core.jobs import Cause, Job, JobId, Status, Tenant, Terms
from headrace.core.submitting import Bounds
from headrace.errors import (
    BadRequest,
    Draining,
    KeyReused,
    NoSuchJob,
    QueueFull,
    ResultGone,
    StaleAttempt,
    TooLarge,
    Unprocessable,
    WrongStatus,
)
from headrace.interfaces import Change, Content, Hold, JobEvent, Progress, Receipt, Timed
from headrace.jobs import events
from headrace.jobs.sqlite import Options, SqliteJobs
from tests.jobs.stores import (
    LARGE,
    SOON_S,
    Clock,
    claimed,
    files_of,
    finished,
    store_in,
    submission,
    submitted,
)
from tests.support.waiting import until

ALICE, BOB = Tenant("alice"), Tenant("bob")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteJobs]:
    with store_in(tmp_path, Options(clock=clock, chance=lambda: 0.5)) as opened:
        yield opened


def all_events(store: SqliteJobs, job: Job) -> list[JobEvent]:
    got: list[JobEvent] = []
    while more := store.events(None, job.id, got[-1].number if got else 0).result(SOON_S):
        got += more
    return got


# --- a job's way -------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"small", LARGE])
def test_what_is_given_and_what_is_answered_come_back_as_they_were(
    store: SqliteJobs, data: bytes
) -> None:
    job = submitted(store, data)
    (claim,) = claimed(store)
    assert store.read(claim.content).result(SOON_S) == data
    assert (claim.content.head, claim.content.size_bytes) == (b"head", len(data))
    finished(store, claim, Said.SUCCEEDED, Content(b"200 OK", data[::-1]))
    found = store.result(job.tenant, job.id).result(SOON_S)
    assert (found.head, store.read(found).result(SOON_S)) == (b"200 OK", data[::-1])


def test_a_view_of_memory_may_be_overwritten_after_the_answer(store: SqliteJobs) -> None:
    for size in (100, len(LARGE)):
        memory = bytearray(b"a" * size)
        given = replace(submission(), content=Content(b"", memoryview(memory)))
        store.submit(given).result(SOON_S)
        memory[:] = b"b" * size
        (claim,) = claimed(store)
        assert store.read(claim.content).result(SOON_S) == b"a" * size


def test_a_job_tells_where_it_is(store: SqliteJobs, clock: Clock) -> None:
    first, second = submitted(store), submitted(store)
    assert store.show(first.tenant, second.id).result(SOON_S).position == 1
    (claim,) = claimed(store)
    assert store.show(first.tenant, second.id).result(SOON_S).position == 0
    store.progress(claim.hold, Progress(3, 10, "halfway")).result(SOON_S)
    clock.move(5)
    seen = store.show(first.tenant, first.id).result(SOON_S)
    assert (seen.position, seen.progress) == (None, Progress(3.0, 10.0, "halfway"))
    assert seen.job.status is Status.RUNNING
    assert seen.job.started_at == clock.now - 5
    finished(store, claim, Said.REFUSED, Content(b"422", b"wrong shape"))
    seen = store.show(first.tenant, first.id).result(SOON_S)
    assert (seen.job.status, seen.job.cause) == (Status.FAILED, Cause.FAULT)
    assert seen.output is not None
    assert seen.output.data == b"wrong shape"


def test_the_lowest_priority_goes_first_then_the_eldest_and_nobody_before_its_time(
    store: SqliteJobs, clock: Clock
) -> None:
    late = submitted(store, terms=Terms(priority=-9, delay_s=60))
    low = submitted(store, terms=Terms(priority=5))
    first, second = submitted(store), submitted(store)
    other = submitted(store, endpoint="other", terms=Terms(priority=-100))
    assert [claim.job.id for claim in claimed(store, 10)] == [first.id, second.id, low.id]
    clock.move(60)
    both = store.claim(["embed", "other"], 10).result(SOON_S)
    assert [claim.job.id for claim in both] == [other.id, late.id]


def test_a_failure_waits_and_is_tried_again_and_its_last_fault_is_kept(
    store: SqliteJobs, clock: Clock
) -> None:
    job = submitted(store, terms=Terms(max_attempts=2, first_delay_s=10))
    (claim,) = claimed(store)
    finished(store, claim, Said.FAILED, Content(b"500", b"first"))
    assert claimed(store) == []
    assert store.sweep().result(SOON_S).due_at == clock.now + 10
    with pytest.raises(WrongStatus, match="queued: there is no result yet"):
        store.result(job.tenant, job.id).result(SOON_S)
    clock.move(10)
    (claim,) = claimed(store)
    assert claim.job.attempt == 2
    assert finished(store, claim, Said.FAILED, Content(b"500", b"second")).status is Status.FAILED
    assert store.result(job.tenant, job.id).result(SOON_S).data == b"second"


def test_a_success_without_words_shows_no_fault_of_before(store: SqliteJobs, clock: Clock) -> None:
    job = submitted(store, terms=Terms(first_delay_s=0))
    finished(store, claimed(store)[0], Said.FAILED, Content(b"500", b"first"))
    finished(store, claimed(store)[0], Said.SUCCEEDED)
    assert store.show(job.tenant, job.id).result(SOON_S).output is None
    with pytest.raises(WrongStatus, match="left no result"):
        store.result(job.tenant, job.id).result(SOON_S)


def test_a_job_that_waits_is_canceled_at_once_and_one_that_runs_by_its_worker(
    store: SqliteJobs,
) -> None:
    waits, runs = submitted(store, terms=Terms(priority=1)), submitted(store)
    (claim,) = claimed(store)
    assert claim.job.id == runs.id
    assert store.cancel(waits.tenant, waits.id).result(SOON_S).status is Status.CANCELED
    for _ in range(2):
        assert store.cancel(runs.tenant, runs.id).result(SOON_S).status is Status.CANCELING
    assert store.beat([claim.hold]).result(SOON_S) == {claim.hold: Pulse.CANCELING}
    assert finished(store, claim, Said.STOPPED).status is Status.CANCELED
    assert store.beat([claim.hold]).result(SOON_S) == {claim.hold: Pulse.STALE}


def test_a_retry_forgets_the_fault_and_keeps_what_it_was_given(store: SqliteJobs) -> None:
    job = submitted(store, LARGE)
    (claim,) = claimed(store)
    store.progress(claim.hold, Progress(1, 2)).result(SOON_S)
    finished(store, claim, Said.REFUSED, Content(b"422", b"no"))
    assert store.retry(job.tenant, job.id).result(SOON_S).retries == 1
    seen = store.show(job.tenant, job.id).result(SOON_S)
    assert (seen.output, seen.progress, seen.position) == (None, None, 0)
    (claim,) = claimed(store)
    assert (claim.job.attempt, store.read(claim.content).result(SOON_S)) == (2, LARGE)


def test_a_stale_word_changes_nothing(store: SqliteJobs, clock: Clock) -> None:
    submitted(store)
    (stale,) = claimed(store)
    clock.move(LEASE_S)
    assert store.sweep().result(SOON_S).lost == 1
    (claim,) = claimed(store)
    with pytest.raises(StaleAttempt, match="attempt 2 runs"):
        finished(store, stale, Said.SUCCEEDED, Content(b"", LARGE))
    assert store.progress(stale.hold, Progress(9, 9)).result(SOON_S) is Pulse.STALE
    assert store.emit(stale.hold, "item", [b"x"]).result(SOON_S) is Pulse.STALE
    finished(store, claim, Said.SUCCEEDED, Content(b"", b"right"))
    with pytest.raises(StaleAttempt, match="it is succeeded"):
        finished(store, stale, Said.SUCCEEDED, Content(b"", b"wrong"))
    assert store.result(None, claim.job.id).result(SOON_S).data == b"right"
    until(lambda: not files_of(store))
    with pytest.raises(StaleAttempt, match="deleted"):
        store.finish(Hold(claim.job.number.__class__(99), 1), Said.SUCCEEDED).result(SOON_S)


# --- the same again ----------------------------------------------------------------------------


def test_the_same_key_is_the_same_job_also_after_its_end(store: SqliteJobs) -> None:
    first = store.submit(submission(key="k")).result(SOON_S)
    again = store.submit(submission(key="k")).result(SOON_S)
    assert (first.is_new, again.is_new, again.job.id) == (True, False, first.job.id)
    finished(store, claimed(store)[0], Said.SUCCEEDED)
    last = store.submit(submission(key="k")).result(SOON_S)
    assert (last.is_new, last.job.status) == (False, Status.SUCCEEDED)
    assert claimed(store) == []


def test_the_same_key_or_id_for_another_request_is_refused(store: SqliteJobs) -> None:
    store.submit(submission(key="k", id=JobId("mine"))).result(SOON_S)
    for wrong in (
        submission(b"y", key="k"),
        submission(b"y", id=JobId("mine")),
        submission(key="k", endpoint="other"),
    ):
        with pytest.raises(KeyReused):
            store.submit(wrong).result(SOON_S)
    store.submit(submission(key="k2", id=JobId("other"))).result(SOON_S)
    with pytest.raises(KeyReused, match="another job"):
        store.submit(submission(key="k", id=JobId("other"))).result(SOON_S)
    assert len(store.page(None).result(SOON_S).jobs) == 2


def test_a_hundred_threads_with_one_key_make_one_job(store: SqliteJobs) -> None:
    got: list[Receipt] = []
    start = threading.Barrier(20)

    def submit() -> None:
        start.wait()
        got.extend(store.submit(submission(key="k")).result(SOON_S) for _ in range(5))

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt.is_new for receipt in got) == 1
    assert len({receipt.job.id for receipt in got}) == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (submission(id=JobId("a/b")), BadRequest),
        (submission(key=""), BadRequest),
        (submission(terms=Terms(max_attempts=0)), Unprocessable),
    ],
)
def test_what_cannot_be_kept_is_refused(
    store: SqliteJobs, wrong: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        store.submit(wrong).result(SOON_S)  # type: ignore[arg-type] # a Submission, drawn
    assert store.page(None).result(SOON_S).jobs == []


# --- whose ---------------------------------------------------------------------------------------


def test_a_tenant_sees_its_own_jobs_only_and_the_operator_all(store: SqliteJobs) -> None:
    hers = submitted(store, tenant=ALICE, id=JobId("order"), key="k")
    his = submitted(store, b"other", tenant=BOB, id=JobId("order"), key="k")
    assert hers.number != his.number
    assert store.show(ALICE, hers.id).result(SOON_S).job == hers
    assert store.show(BOB, hers.id).result(SOON_S).job == his
    private = submitted(store, tenant=ALICE)
    for ask in (store.show, store.cancel, store.retry, store.delete, store.result, store.events):
        with pytest.raises(NoSuchJob, match=private.id):
            ask(BOB, private.id).result(SOON_S)
    assert [job.number for job in store.page(BOB).result(SOON_S).jobs] == [his.number]
    assert len(store.page(None).result(SOON_S).jobs) == 3
    assert store.show(None, private.id).result(SOON_S).job == private


def test_a_list_is_read_page_by_page_while_it_grows(store: SqliteJobs) -> None:
    every = [submitted(store).number for _ in range(7)]
    page = store.page(None, at_most=3).result(SOON_S)
    got = [job.number for job in page.jobs]
    while page.cursor is not None:
        submitted(store)  # comes in at the front, and shifts nobody
        page = store.page(None, cursor=page.cursor, at_most=3).result(SOON_S)
        got += [job.number for job in page.jobs]
    assert got == every[::-1]


def test_a_list_may_be_of_one_status_and_endpoint(store: SqliteJobs) -> None:
    for endpoint in ("embed", "other", "embed"):
        submitted(store, endpoint=endpoint)
    (claim,) = claimed(store)
    queued = store.page(None, Status.QUEUED, "embed").result(SOON_S)
    assert [job.number for job in queued.jobs] == [3]
    running = store.page(None, Status.RUNNING).result(SOON_S)
    assert [job.number for job in running.jobs] == [claim.job.number]
    counted = store.counts().result(SOON_S)
    assert counted == {
        "embed": {Status.QUEUED: 1, Status.RUNNING: 1},
        "other": {Status.QUEUED: 1},
    }


@pytest.mark.parametrize("cursor", ["", "x", "am9iOg", "äö", "am9iOi01", "eyJhIjoxfQ"])
def test_a_cursor_of_others_is_refused(store: SqliteJobs, cursor: str) -> None:
    with pytest.raises(BadRequest, match="none of ours"):
        store.page(None, cursor=cursor).result(SOON_S)


# --- events ------------------------------------------------------------------------------------


def test_what_happened_can_be_replayed_from_anywhere(store: SqliteJobs) -> None:
    job = submitted(store)
    (claim,) = claimed(store)
    store.emit(claim.hold, "item", [b"one", b"two"]).result(SOON_S)
    finished(store, claim, Said.SUCCEEDED)
    every = store.events(job.tenant, job.id).result(SOON_S)
    assert [event.number for event in every] == [1, 2, 3, 4, 5]
    assert [event.kind for event in every] == ["state", "state", "item", "item", "state"]
    assert [event.data for event in every[2:4]] == [b"one", b"two"]
    assert msgspec.json.decode(every[4].data) == {"status": "succeeded", "attempt": 1}
    assert store.events(job.tenant, job.id, after=3).result(SOON_S) == every[3:]
    assert store.events(job.tenant, job.id, 1, at_most=2).result(SOON_S) == every[1:3]
    assert store.show(job.tenant, job.id).result(SOON_S).last_event == 5


def test_of_too_many_events_the_latest_stay_and_keep_their_numbers(
    store: SqliteJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 20_000)
    job = submitted(store)
    (claim,) = claimed(store)
    for number in range(40):
        store.emit(claim.hold, "item", [b"%d" % number] * 50).result(SOON_S)
    every = all_events(store, job)
    numbers = [event.number for event in every]
    assert numbers == list(range(numbers[0], 2003))
    assert len(every) <= events.MOST_EVENTS + events.LOOK_EVERY
    store.emit(claim.hold, "item", [b"x" * 1000] * 50).result(SOON_S)
    kept = all_events(store, job)
    assert sum(len(event.data) for event in kept) <= 20_000 + 50_000


def test_an_event_that_is_too_large_is_refused_with_all_of_its_group(store: SqliteJobs) -> None:
    job = submitted(store)
    (claim,) = claimed(store)
    with pytest.raises(TooLarge, match="result"):
        store.emit(claim.hold, "item", [b"small", b"x" * 70_000]).result(SOON_S)
    assert store.show(job.tenant, job.id).result(SOON_S).last_event == 2


# --- time --------------------------------------------------------------------------------------


def test_a_sweep_expires_what_is_late_and_its_worker_hears_of_it(
    store: SqliteJobs, clock: Clock
) -> None:
    for _ in range(2):
        submitted(store, terms=Terms(deadline_s=20))
    (claim,) = claimed(store)
    swept = store.sweep().result(SOON_S)
    assert (swept.expired, swept.again_at) == (0, clock.now + 20)
    clock.move(20)
    assert claimed(store) == [], "late, though nobody has swept yet"
    assert store.sweep().result(SOON_S).expired == 2
    assert store.beat([claim.hold]).result(SOON_S) == {claim.hold: Pulse.STALE}
    assert [job.status for job in store.page(None).result(SOON_S).jobs] == [Status.EXPIRED] * 2


def test_a_result_goes_after_its_retention_and_is_remembered_as_gone(
    store: SqliteJobs, clock: Clock
) -> None:
    job = submitted(store, LARGE, terms=Terms(retention_s=100), key="k")
    finished(store, claimed(store)[0], Said.REFUSED, Content(b"", LARGE * 2))
    assert len(files_of(store)) == 2
    clock.move(100)
    swept = store.sweep().result(SOON_S)
    assert (swept.purged, swept.forgotten) == (1, 0)
    assert files_of(store) == []
    with pytest.raises(ResultGone, match="as long as it was to be"):
        store.result(job.tenant, job.id).result(SOON_S)
    with pytest.raises(ResultGone, match="submit it again"):
        store.retry(job.tenant, job.id).result(SOON_S)
    assert store.show(job.tenant, job.id).result(SOON_S).is_gone
    again = store.submit(submission(LARGE, key="k")).result(SOON_S)
    assert (again.is_new, again.job.number) == (False, job.number)
    clock.move(7 * 86_400)
    assert store.sweep().result(SOON_S).forgotten == 1
    with pytest.raises(NoSuchJob):
        store.show(job.tenant, job.id).result(SOON_S)


def test_a_sweep_is_small_and_says_that_there_is_more(store: SqliteJobs, clock: Clock) -> None:
    answers = [store.submit(submission(terms=Terms(deadline_s=5))) for _ in range(250)]
    for answer in answers:
        answer.result(SOON_S)
    clock.move(5)
    steps = []
    while (swept := store.sweep().result(SOON_S)).again_at <= clock.now or swept.expired:
        steps.append(swept.expired)
    assert steps == [100, 100, 50]


def test_a_timetable_submits_once_a_turn_and_survives_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    options = Options(clock=clock)
    timed = Timed("tidy", "*/10 * * * *", submission(b"config", terms=Terms(max_attempts=7)))
    with store_in(tmp_path, options) as store:
        store.schedule([timed]).result(SOON_S)
        due = store.sweep().result(SOON_S).again_at
        assert clock.now < due <= clock.now + 600
        clock.move(due - clock.now)
        assert store.sweep().result(SOON_S).submitted == 1
        assert store.sweep().result(SOON_S).submitted == 0
    with store_in(tmp_path, options) as store:
        store.schedule([timed]).result(SOON_S)
        (claim,) = claimed(store)
        assert claim.job.id == f"tidy-{int(due)}"
        assert store.read(claim.content).result(SOON_S) == b"config"
        assert claim.job.terms == Terms(max_attempts=7)
        clock.move(6000)  # ten turns, of which the forerunner's life leaves out the first
        assert store.sweep().result(SOON_S).submitted == 0
        (claim,) = claimed(store)  # its first worker was silent all that time
        finished(store, claim, Said.SUCCEEDED)
        clock.move(6000)
        assert store.sweep().result(SOON_S).submitted == 1
        store.schedule([]).result(SOON_S)
        clock.move(6000)
        assert store.sweep().result(SOON_S).submitted == 0


# --- bounds --------------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_counts_right_after_a_restart(tmp_path: Path) -> None:
    options = Options(bounds=Bounds(jobs=2))
    with store_in(tmp_path, options) as store:
        first = submitted(store, key="k")
        submitted(store)
        with pytest.raises(QueueFull, match="2 jobs already wait for embed"):
            submitted(store)
        assert submitted(store, key="k") == first, "the same again needs no room"
    with store_in(tmp_path, options) as store:
        with pytest.raises(QueueFull):
            submitted(store)
        (claim,) = claimed(store)
        submitted(store)
        with pytest.raises(QueueFull):
            submitted(store)
        finished(store, claim, Said.REFUSED)
        with pytest.raises(QueueFull):
            store.retry(None, claim.job.id).result(SOON_S)


# --- large contents ------------------------------------------------------------------------------


def test_two_jobs_with_one_large_content_share_its_file_until_the_last_goes(
    store: SqliteJobs,
) -> None:
    jobs = [submitted(store, LARGE) for _ in range(2)]
    assert len(files_of(store)) == 1
    for job in jobs:
        store.cancel(job.tenant, job.id).result(SOON_S)
    store.delete(None, jobs[0].id).result(SOON_S)
    assert len(files_of(store)) == 1
    store.delete(None, jobs[1].id).result(SOON_S)
    assert files_of(store) == []


def test_a_large_content_that_was_refused_leaves_no_file(tmp_path: Path) -> None:
    with store_in(tmp_path, Options(bounds=Bounds(jobs=1))) as store:
        submitted(store)
        with pytest.raises(QueueFull):
            submitted(store, LARGE)
        claimed(store)  # whatever is written next takes it along
        assert files_of(store) == []


def test_bytes_that_changed_on_the_disk_are_not_taken_for_a_result(store: SqliteJobs) -> None:
    submitted(store, LARGE)
    (claim,) = claimed(store)
    assert claim.content.file is not None
    claim.content.file.write_bytes(b"someone else's")
    with pytest.raises(Exception, match="damaged"):
        store.read(claim.content).result(SOON_S)
    claim.content.file.unlink()
    with pytest.raises(ResultGone):
        store.read(claim.content).result(SOON_S)


def test_only_the_owner_of_the_store_can_read_it(store: SqliteJobs) -> None:
    submitted(store, LARGE)
    for path in (store.path.parent).rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


# --- threads and loops ---------------------------------------------------------------------------


def test_on_an_event_loop_answers_are_awaited_and_changes_heard_there(store: SqliteJobs) -> None:
    async def main() -> None:
        heard: list[Change] = []
        threads: set[str] = set()

        def hear(changes: Sequence[Change]) -> None:
            heard.extend(changes)
            threads.add(threading.current_thread().name)

        stop = store.listen(hear)
        receipts = await asyncio.gather(*(store.submit(submission()) for _ in range(50)))
        with pytest.raises(RuntimeError, match="await it"):
            store.counts().result()
        assert len({receipt.job.number for receipt in receipts}) == 50
        assert [change.number for change in heard] == list(range(1, 51))
        stop()
        await store.submit(submission())
        assert len(heard) == 50
        assert threads == {threading.current_thread().name}

    asyncio.run(main())


def test_whoever_left_is_not_missed(store: SqliteJobs) -> None:
    async def main() -> None:
        answers = [asyncio.ensure_future(_awaited(store)) for _ in range(20)]
        await asyncio.sleep(0)
        for answer in answers[::2]:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)

    async def _awaited(store: SqliteJobs) -> object:
        return await store.submit(submission())

    asyncio.run(main())
    assert len(store.page(None, at_most=100).result(SOON_S).jobs) == 20


def test_a_listener_that_raises_stops_nobody(
    store: SqliteJobs, caplog: pytest.LogCaptureFixture
) -> None:
    def hear(changes: Sequence[Change]) -> None:
        raise ValueError(f"cannot hear {len(changes)}")

    store.listen(hear)
    assert submitted(store).number == 1
    assert submitted(store).number == 2
    assert "cannot hear" in caplog.text


def test_a_deed_with_a_fault_of_ours_takes_no_other_along(store: SqliteJobs) -> None:
    gate = threading.Event()
    blocked = store._writes.ask(gate.wait)
    wrong = submission(fingerprint=object())
    answers = [store.submit(each) for each in (submission(), wrong, submission())]
    gate.set()
    blocked.result(SOON_S)
    assert answers[0].result(SOON_S).is_new
    assert answers[2].result(SOON_S).is_new
    with pytest.raises(Exception, match=r"(?i)binding|type"):
        answers[1].result(SOON_S)
    assert len(store.page(None).result(SOON_S).jobs) == 2


def test_all_that_waits_is_one_transaction(store: SqliteJobs) -> None:
    said: list[str] = []
    gate = threading.Event()
    blocked = store._writes.ask(gate.wait)
    answers = [store.submit(submission()) for _ in range(20)]
    store._written.set_trace_callback(said.append)
    gate.set()
    blocked.result(SOON_S)
    receipts = [answer.result(SOON_S) for answer in answers]
    assert len(receipts) == 20
    store._written.set_trace_callback(None)
    assert said.count("BEGIN IMMEDIATE") == 1
    assert said[-1] == "COMMIT"
    assert store._written.execute("PRAGMA synchronous").fetchone() == (2,), "not synced in full"


def test_after_its_end_a_store_refuses_and_lets_go_of_all(tmp_path: Path) -> None:
    store = SqliteJobs(tmp_path / "jobs.db")
    answers = [store.submit(submission(LARGE)) for _ in range(3)]
    store.close()
    store.close()
    assert all(answer.result(SOON_S).is_new for answer in answers), "asked for before the end"
    for ask in (store.submit(submission()), store.submit(submission(LARGE)), store.counts()):
        with pytest.raises(Draining, match="closed"):
            ask.result(SOON_S)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "jobs.db",
        "jobs.db.files",
        "jobs.db.lock",
    ]
    with sqlite3.connect(tmp_path / "jobs.db") as after:
        assert after.execute("SELECT count(*) FROM jobs").fetchone() == (3,)
    after.close()
