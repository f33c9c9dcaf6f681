"""A streamed answer leaves as it comes, ends so that everybody can see how, and is counted once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headrace.core import credit
from headrace.core.messages import Serial, Why
from headrace.core.records import Policy
from headrace.http.endpoints import Limits
from headrace.http.hangup import Cut
from headrace.http.messages import App, Message, Receive, Scope, Send
from headrace.model.envelope import Closed, Fault, Opened
from headrace.runtime.metrics import render
from tests.http.asking import until
from tests.http.scripted import EVENTS, LINES, NAME, Line, Listener, Stage, staged

RAISED = Fault(500, "hook_failed", "predict raised ValueError")
TOLD = {
    EVENTS: (b"event: error\ndata: ", b"\n\n"),
    LINES: (b'{"error": ', b"}\n"),
    "application/jsonl": (b'{"error": ', b"}\n"),
}
UNTOLD = ["text/plain; charset=utf-8", "application/octet-stream", "audio/wav"]
LINE = pytest.mark.parametrize("line", [Line, lambda: None], ids=["ours", "foreign"])


def play(scene: Callable[[Stage], Awaitable[None]], **words: Any) -> None:
    async def main() -> None:
        async with staged(**words) as stage:
            await scene(stage)

    asyncio.run(main())


def problem_in(form: str, body: bytes) -> dict[str, Any]:
    """Read the problem behind the items of a form."""
    before, after = TOLD[form]
    assert body.startswith(before), body
    assert body.endswith(after), body
    problem: dict[str, Any] = json.loads(body.removeprefix(before).removesuffix(after))
    assert problem["request_id"]
    return problem


# --- as it comes ----------------------------------------------------------------------------


@LINE
def test_each_part_leaves_before_the_next_is_made(line: Callable[[], Line | None]) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(line())
        for number in range(3):
            stage.script.say(b"%d" % number)
            await listener.heard(3 + number)
        stage.script.end()
        await listener.task
        assert listener.bodies == [b"first", b"0", b"1", b"2", b""]
        assert listener.is_whole
        assert stage.endings.statuses == {200: 1}

    play(scene)


def test_what_comes_in_one_turn_leaves_in_one_message() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask()
        stage.script.say(Opened(200, LINES), b"1\n")
        stage.script.say(b"2\n", b"3\n")
        stage.script.end()
        await listener.task
        assert listener.bodies == [b"1\n2\n3\n", b""]

    play(scene)


def test_the_head_says_what_it_is_and_that_it_is_not_to_wait_anywhere() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask(headers={"X-Request-Id": "mine"})
        own = [("X-Own", "1"), ("Content-Length", "7"), ("Transfer-Encoding", "chunked")]
        stage.script.say(Opened(201, EVENTS, own), b"data: 1\n\n")
        stage.script.end()
        await listener.task
        assert listener.status == 201
        assert listener.headers == {
            "x-own": "1",
            "content-type": EVENTS,
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
            "x-request-id": "mine",
        }
        assert stage.endings.statuses == {201: 1}

    play(scene)


def test_a_models_own_word_on_caching_stands() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask()
        own = [("Cache-Control", "max-age=5"), ("X-Accel-Buffering", "yes")]
        stage.script.say(Opened(200, EVENTS, own))
        stage.script.end()
        await listener.task
        assert listener.headers["cache-control"] == "max-age=5"
        assert listener.headers["x-accel-buffering"] == "yes"

    play(scene)


def test_a_stream_without_a_part_is_an_empty_answer() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask()
        stage.script.say(Opened(200, LINES))
        stage.script.end()
        await listener.task
        assert (listener.status, listener.bodies, listener.is_whole) == (200, [b""], True)

    play(scene)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_has_no_body_gets_none(status: int) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask()
        stage.script.say(Opened(status, LINES), b"1\n")
        stage.script.end()
        await listener.task
        assert (listener.status, listener.bodies) == (status, [b""])

    play(scene)


def test_a_failure_behind_a_status_that_has_no_body_cannot_be_told() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask(Line())
        stage.script.say(Opened(204, EVENTS), b"data: 1\n\n")
        stage.script.end(RAISED)
        await listener.task
        assert (listener.bodies, listener.is_whole) == ([], False)

    play(scene)


# --- slow readers ---------------------------------------------------------------------------


def test_credit_is_given_when_the_parts_have_left_and_not_before() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun()
        assert stage.script.granted == 0
        listener.reads.clear()
        stage.script.say(*[b"x"] * credit.WINDOW)
        for _ in range(20):
            await asyncio.sleep(0)
        assert stage.script.granted == 0
        listener.reads.set()
        await listener.heard(3)
        await until(lambda: stage.script.granted, "credit")
        assert stage.script.granted == credit.WINDOW + 2  # its head and the first item too
        stage.script.end()
        await listener.task

    play(scene)


def test_a_stream_that_ends_while_its_reader_dawdles_loses_nothing() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun()
        listener.reads.clear()
        stage.script.say(b"1")
        await asyncio.sleep(0)
        stage.script.say(b"2")
        stage.script.end()
        await asyncio.sleep(0)
        listener.reads.set()
        await listener.task
        assert b"".join(listener.bodies) == b"first12"

    play(scene)


# --- failures -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [RAISED, Fault(422, "validation_error", "no", "$.a")])
def test_what_fails_before_the_first_part_is_an_ordinary_response(fault: Fault) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask(headers={"Accept": "text/event-stream"})
        stage.script.end(fault)
        await listener.task
        assert listener.status == fault.status
        assert listener.headers["content-type"] == "application/problem+json"
        (body,) = listener.bodies
        assert json.loads(body)["code"] == fault.code
        assert int(listener.headers["content-length"]) == len(body)
        assert stage.endings.statuses == {fault.status: 1}

    play(scene)


@LINE
@pytest.mark.parametrize("form", TOLD)
def test_what_fails_behind_the_first_part_is_told_in_the_stream(
    form: str, line: Callable[[], Line | None]
) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(line(), form, headers={"X-Request-Id": "mine"})
        stage.script.end(RAISED)
        await listener.task
        problem = problem_in(form, listener.bodies[-1])
        assert (problem["status"], problem["code"]) == (500, "hook_failed")
        assert problem["request_id"] == "mine"
        assert listener.is_whole
        assert listener.line is None or not listener.line.aborted
        assert stage.endings.statuses == {500: 1}

    play(scene)


@pytest.mark.parametrize("form", UNTOLD)
def test_a_form_without_a_word_for_it_is_cut_off(form: str) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(Line(), form)
        stage.script.say(b"second")
        stage.script.end(RAISED)
        await listener.task
        assert listener.bodies == [b"first", b"second"]
        assert not listener.is_whole
        assert listener.line is not None
        assert listener.line.aborted
        assert listener.line.lost, "whoever stands around finds it so"
        assert stage.endings.statuses == {500: 1}

    play(scene)


@pytest.mark.parametrize("form", UNTOLD)
def test_a_foreign_server_hears_that_it_is_to_close_the_connection(form: str) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(None, form)
        stage.script.end(RAISED)
        with pytest.raises(Cut):
            await listener.task
        assert not listener.is_whole
        assert stage.endings.statuses == {500: 1}

    play(scene)


def fall_silent(stage: Stage) -> None:
    """Nothing comes, for longer than is allowed."""


def die(stage: Stage) -> None:
    stage.script.die(Why.KILLED)


def drain(stage: Stage) -> None:
    stage.driver.stop(0.0)


OTHERS = [
    (fall_silent, 504, "deadline_exceeded"),
    (die, 500, "replica_lost"),
    (drain, 503, "draining"),
]


@pytest.mark.parametrize("form", [EVENTS, LINES])
@pytest.mark.parametrize(("end", "status", "code"), OTHERS)
def test_an_ending_of_the_servers_own_is_told_likewise(
    end: Callable[[Stage], None], status: int, code: str, form: str
) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(Line(), form)
        end(stage)
        await listener.task
        problem = problem_in(form, listener.bodies[-1])
        assert (problem["status"], problem["code"]) == (status, code)
        assert stage.endings.statuses == {status: 1}

    play(scene, policy=Policy(slots=16, item_timeout_s=0.1))


@pytest.mark.parametrize(("end", "status", "code"), OTHERS)
def test_it_cuts_off_the_other_forms(end: Callable[[Stage], None], status: int, code: str) -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(Line(), "text/plain")
        end(stage)
        await listener.task
        assert not listener.is_whole
        assert stage.endings.statuses == {status: 1}

    play(scene, policy=Policy(slots=16, item_timeout_s=0.1))


@pytest.mark.parametrize("given", ["0.1", None])
def test_a_stream_is_bounded_as_a_whole(given: str | None) -> None:
    async def scene(stage: Stage) -> None:
        headers = {} if given is None else {"X-Request-Timeout-Seconds": given}
        listener = await stage.begun(Line(), headers=headers)
        async with asyncio.timeout(2):
            while not listener.task.done():
                stage.script.say(b"x")
                await asyncio.sleep(0.01)
        assert problem_in(EVENTS, listener.bodies[-1])["status"] == 504
        assert len(listener.bodies) > 4

    play(scene, limits=Limits(60.0 if given else 0.1))


def test_a_header_that_cannot_be_sent_is_an_ordinary_500() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.ask()
        stage.script.say(Opened(200, LINES, [("X-Own", "\N{SNOWMAN}")]), b"1\n")
        await listener.task
        assert listener.status == 500
        assert "Latin-1" in json.loads(listener.bodies[0])["detail"]
        assert stage.script.stopped == [1]

    play(scene)


def test_a_full_queue_refuses_a_stream_like_anything_else() -> None:
    async def scene(stage: Stage) -> None:
        first = await stage.begun()
        waiting = Listener(stage.door)
        await until(lambda: stage.driver.engine.pools[NAME].queued == 1, "one to wait")
        refused = Listener(stage.door)
        await refused.task
        assert refused.status == 503
        assert "retry-after" in refused.headers
        stage.script.end()
        await first.task
        stage.script.say(Opened(200, LINES), serial=2)
        stage.script.end(serial=2)
        await waiting.task
        assert stage.endings.statuses == {503: 1, 200: 2}

    play(scene, policy=Policy(slots=1, max_queued=1))


# --- leaving --------------------------------------------------------------------------------


@LINE
@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_leaves_ends_its_stream(
    line: Callable[[], Line | None], *, begun: bool
) -> None:
    async def scene(stage: Stage) -> None:
        listener = await (stage.begun(line()) if begun else stage.ask(line()))
        sent = len(listener.sent)
        listener.leave()
        await listener.task
        assert stage.script.stopped == [1]
        assert len(listener.sent) == sent
        assert stage.endings.statuses == {499: 1}

    play(scene)


def test_a_client_that_left_while_it_was_read_is_not_asked_for() -> None:
    async def scene(stage: Stage) -> None:
        line = Line()
        line.lost = True
        listener = Listener(stage.door, line)
        await listener.task
        assert listener.sent == []
        assert stage.endings.statuses == {499: 1}

    play(scene)


def test_what_came_for_a_client_that_leaves_is_dropped() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(Line())
        stage.script.say(b"too late")
        listener.leave()
        await listener.task
        assert listener.bodies == [b"first"]

    play(scene)


def test_a_client_that_leaves_before_the_last_word_is_counted_so() -> None:
    async def scene(stage: Stage) -> None:
        listener = await stage.begun(Line())
        listener.reads.clear()
        stage.script.end()
        await asyncio.sleep(0.01)
        listener.leave()
        listener.reads.set()
        await listener.task
        assert stage.endings.statuses == {499: 1}

    play(scene)


def test_a_way_out_that_fails_ends_the_stream() -> None:
    class Broken:
        def __init__(self, app: App) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def fail(message: Message) -> None:
                if message.get("body") == b"second":
                    raise OSError("no way out")
                await send(message)

            await self._app(scope, receive, fail)

    async def scene(stage: Stage) -> None:
        listener = await stage.begun()
        stage.script.say(b"second")
        await asyncio.wait([listener.task])
        assert stage.script.stopped == [1]

    play(scene, around=Broken)


# --- the request, the counts ------------------------------------------------------------------


def test_a_body_in_pieces_is_read_as_a_whole() -> None:
    async def scene(stage: Stage) -> None:
        pieces = [b"x" * 50_000] * 10
        listener = await stage.ask(body=pieces)
        assert stage.script.calls[Serial(1)][0].payload == b"".join(pieces)
        stage.script.end(Closed())
        await listener.task
        assert (listener.status, listener.bodies) == (200, [b""])

    play(scene)


def test_streams_and_their_parts_are_counted() -> None:
    def lines(stage: Stage) -> list[str]:
        text = render(stage.driver, {"tell": stage.endings})
        return [line for line in text.splitlines() if line.startswith("headrace_stream")]

    async def scene(stage: Stage) -> None:
        one, two = await stage.begun(), await stage.begun()
        label = '{deployment="tell"}'
        assert lines(stage) == [
            f"headrace_streams_open{label} 2",
            f"headrace_stream_parts_total{label} 2",
        ]
        stage.script.say(b"1", b"2")
        await one.heard(3)
        stage.script.end()
        two.leave()
        await asyncio.gather(one.task, two.task)
        assert lines(stage) == [
            f"headrace_streams_open{label} 0",
            f"headrace_stream_parts_total{label} 4",
        ]

    play(scene)
