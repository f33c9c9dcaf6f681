"""Streams over real sockets: as they come, to whom they go, and how everybody sees their end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import uvicorn

import headrace as hr
from headrace.host.sockets import bind
from tests.e2e.apps import telling
from tests.e2e.listening import CutOff, Line, events
from tests.e2e.serving import PATIENCE_S, Program, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

EVENTS, LINES = "text/event-stream", "application/x-ndjson"
BOTH = pytest.mark.parametrize("route", ["/sync", "/async"])
DONE = ("done", "")


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with served("telling.py") as started:
        yield started


def asked(server: Program, path: str, accept: str = "", body: Any = None, **fields: Any) -> Line:
    """Ask on a connection of its own, and read the head of the answer."""
    return Line(server.port).ask(path, fields if body is None else body, accept=accept)


def problem_of(
    server: Program, path: str, accept: str, body: Any = None, **fields: Any
) -> tuple[bytes, dict[str, Any]]:
    """Hear a stream that fails; return what came before the problem, and the problem."""
    with asked(server, path, accept, body, **fields) as line:
        whole = line.whole()
    if accept == EVENTS:
        *before, (kind, last) = events(whole.decode())
        assert kind == "error"
        problem = json.loads(last)
        items = "".join(data for _, data in before).encode()
    else:
        *lines, last_line = whole.splitlines()
        problem = json.loads(last_line)["error"]
        items = b"".join(lines)
    assert problem["request_id"] == line.headers["x-request-id"]
    return items, problem


# --- forms ----------------------------------------------------------------------------------


@BOTH
def test_a_stream_of_text_is_text(server: Program, route: str) -> None:
    with asked(server, route, items=["Once", " upon", " a time\N{SNOWMAN}"]) as line:
        assert line.status == 200
        assert line.headers["content-type"] == "text/plain; charset=utf-8"
        assert line.headers["x-accel-buffering"] == "no"
        assert line.whole().decode() == "Once upon a time\N{SNOWMAN}"


@BOTH
def test_a_stream_of_values_is_a_line_for_each(server: Program, route: str) -> None:
    items = [{"a": 1}, [2, "x\ny"], None, 4.5]
    with asked(server, route, items=items) as line:
        assert line.headers["content-type"] == LINES
        assert [json.loads(told) for told in line.whole().splitlines()] == items


@BOTH
def test_a_stream_of_events_is_what_a_browser_reads(server: Program, route: str) -> None:
    with asked(server, route, EVENTS, items=["one", "two\nlines", {"a": 1}, ""]) as line:
        assert line.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert line.headers["cache-control"] == "no-cache"
        told = events(line.whole().decode())
    assert told == [
        ("message", "one"),
        ("message", "two\nlines"),
        ("message", '{"a":1}'),
        ("message", ""),
        DONE,
    ]


@BOTH
def test_lines_are_sent_to_who_asks_for_lines(server: Program, route: str) -> None:
    with asked(server, route, LINES, items=["one", "two"]) as line:
        assert line.headers["content-type"] == LINES
        assert line.whole() == b'"one"\n"two"\n'


@BOTH
@pytest.mark.parametrize("accept", ["", EVENTS, LINES])
def test_an_empty_stream_is_a_good_answer(server: Program, route: str, accept: str) -> None:
    with asked(server, route, accept, items=[]) as line:
        assert line.status == 200
        assert line.whole() in (b"", b"event: done\ndata:\n\n", b"event: done\ndata: \n\n")


def test_each_item_leaves_before_the_next_is_there(server: Program, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two", "three")]
    with Line(server.port) as line:
        line.send("/gated", [str(path) for path in paths])
        for path in paths:
            path.touch()
            if path is paths[0]:
                line.read_head()
                parts = line.parts()
            assert next(parts).decode() == path.name
        assert list(parts) == []


def test_a_connection_serves_another_request_after_a_stream(server: Program) -> None:
    with Line(server.port) as line:
        for items in (["a", "b"], ["c"]):
            assert line.ask("/sync", {"items": items}).whole().decode() == "".join(items)
        assert line.ask("/sync", {}).status == 422
        line.whole()
        assert line.ask("/sync", {"items": ["d"]}).whole() == b"d"


def test_a_large_request_is_streamed_back(server: Program) -> None:
    items = ["x" * 50_000] * 100
    with asked(server, "/sync", items=items) as line:
        assert len(line.whole()) == 5_000_000


# --- failures -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("accept", [EVENTS, LINES])
def test_a_failure_before_the_first_item_is_a_500(server: Program, route: str, accept: str) -> None:
    with asked(server, route, accept, items=[], fails=True) as line:
        assert line.status == 500
        assert line.headers["content-type"] == "application/problem+json"
        problem = json.loads(line.whole())
    assert problem["code"] == "hook_failed"
    assert "secret" not in str(problem)


@BOTH
@pytest.mark.parametrize("accept", [EVENTS, LINES])
def test_a_failure_behind_an_item_is_told_in_the_stream(
    server: Program, route: str, accept: str
) -> None:
    items, problem = problem_of(server, route, accept, items=["one"], fails=True)
    assert items in (b"one", b'"one"')
    assert (problem["status"], problem["code"]) == (500, "hook_failed")
    assert "secret" not in str(problem)


@BOTH
def test_a_failure_behind_text_never_looks_like_an_end(server: Program, route: str) -> None:
    with asked(server, route, items=["one"], fails=True) as line:
        assert line.status == 200
        parts = line.parts()
        assert next(parts) == b"one"
        with pytest.raises(CutOff):
            next(parts)


@pytest.mark.parametrize("accept", [EVENTS, LINES, ""])
def test_the_death_of_a_replica_is_seen_in_every_form(accept: str) -> None:
    with (
        served("telling.py") as server,
        asked(server, "/async", accept, items=["1"] * 9, every_s=1) as line,
    ):
        parts = line.parts()
        assert next(parts)
        (copy,) = status(server)["deployments"]["async"]["replicas"]
        os.kill(copy["pid"], signal.SIGKILL)
        if not accept:
            with pytest.raises(CutOff):
                list(parts)
            return
        rest = b"".join(parts)
    assert b'"replica_lost"' in rest
    assert b"event: error" in rest or rest.startswith(b'{"error": ')


@pytest.mark.parametrize("accept", [EVENTS, LINES])
def test_the_time_is_counted_from_item_to_item(server: Program, accept: str) -> None:
    with asked(server, "/hasty", accept, body=[0.2] * 4) as line:
        assert b"error" not in line.whole()
    _, problem = problem_of(server, "/hasty", accept, body=[0.1, 0.1, 5.0])
    assert (problem["status"], problem["code"]) == (504, "deadline_exceeded")


def test_the_first_item_has_a_time_too(server: Program) -> None:
    with asked(server, "/hasty", EVENTS, body=[5.0]) as line:
        assert line.status == 504


@pytest.mark.parametrize(
    ("route", "given"), [("/bounded", {}), ("/async", {"X_Request_Timeout_Seconds": "0.3"})]
)
def test_a_stream_is_bounded_as_a_whole(server: Program, route: str, given: dict[str, str]) -> None:
    body: Any = 0.05 if route == "/bounded" else {"items": [1] * 200, "every_s": 0.05}
    began = time.monotonic()
    with Line(server.port).ask(route, body, accept=EVENTS, **given) as line:
        told = events(line.whole().decode())
    assert time.monotonic() - began < 2
    assert len(told) > 3
    assert json.loads(told[-1][1])["status"] == 504


def test_a_stop_lets_streams_end_and_a_second_one_tells_them() -> None:
    with (
        served("telling.py") as server,
        asked(server, "/async", EVENTS, items=[1] * 5, every_s=0.1) as ends,
        asked(server, "/async", EVENTS, items=[1] * 500, every_s=0.1) as goes_on,
    ):
        server.signal(signal.SIGTERM)
        assert events(ends.whole().decode())[-1] == DONE
        server.signal(signal.SIGTERM)
        kind, data = events(goes_on.whole().decode())[-1]
        assert (kind, json.loads(data)["code"]) == ("error", "draining")
        assert server.exit_code() == 0


# --- HTTP/1.0 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [EVENTS, LINES, ""])
def test_http_1_0_gets_no_chunks_and_the_end_of_the_connection(
    server: Program, accept: str
) -> None:
    with Line(server.port) as line:
        body = {"items": ["one", "two"], "every_s": 0.1}
        line.ask("/async", body, accept=accept, version="1.0", Connection="keep-alive")
        assert line.status == 200
        assert line.headers["connection"] == "close"
        assert not {"transfer-encoding", "content-length"} & set(line.headers)
        parts = [part for part in line.parts() if part]
    assert len(parts) > 1, "it comes as it is made"
    end = {EVENTS: b"event: done\ndata:\n\n", LINES: b'"two"\n', "": b"two"}[accept]
    assert b"".join(parts).endswith(end)


def test_a_failure_never_looks_like_an_end_to_http_1_0(server: Program) -> None:
    with Line(server.port) as line:
        line.ask("/async", {"items": ["one"], "every_s": 0.1, "fails": True}, version="1.0")
        with pytest.raises(CutOff):
            line.whole()


# --- leaving --------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("begun", [True, False])
def test_a_generator_is_closed_when_its_client_leaves(
    server: Program, route: str, tmp_path: Path, *, begun: bool
) -> None:
    closed = tmp_path / "closed"
    body = {"items": [1] * 1000, "every_s": 0.05, "closed": str(closed)}
    with Line(server.port) as line:
        if begun:
            assert next(line.ask(route, body).parts())
        else:
            line.send(route, body)
            wait_for(lambda: running(server, route[1:]) == 1, "it to run")
    wait_for(closed.exists, "the end of the generator", 0.5)
    wait_for(lambda: running(server, route[1:]) == 0, "the slot to be free", 1.0)


def test_a_generator_that_waits_for_its_reader_is_closed_too(
    server: Program, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    with Line(server.port) as line:
        line.ask("/endless", {"size": 10_000, "closed": str(closed)})
        settled(lambda: parts_sent(server))
    wait_for(closed.exists, "the end of the generator", 0.5)


def running(server: Program, name: str) -> int:
    (copy,) = status(server)["deployments"][name]["replicas"]
    return int(copy["running"])


def parts_sent(server: Program) -> float:
    text = httpx2.get(f"{server.url}/-/metrics", timeout=PATIENCE_S).text
    (line,) = [
        each
        for each in text.splitlines()
        if each.startswith('headrace_stream_parts_total{deployment="endless"}')
    ]
    return float(line.split()[-1])


def settled(figure: Any) -> float:
    """Wait until a figure no longer changes; return it."""
    before = -1.0

    def is_still() -> bool:
        nonlocal before
        time.sleep(0.1)
        last, before = before, figure()
        return bool(last == before)

    wait_for(is_still, "a figure that stays")
    return before


# --- slow readers ---------------------------------------------------------------------------

READERS = 63
ITEMS, SIZE = 50, 1000


def test_one_that_never_reads_slows_nobody_and_fills_no_memory(server: Program) -> None:
    assert read_by_many(server) > 0  # warm
    before = min(read_by_many(server) for _ in range(3))
    with Line(server.port) as stalled:
        stalled.send("/endless", {"size": 10_000})
        sent = settled(lambda: parts_sent(server))
        held = memory(server)
        during = min(read_by_many(server) for _ in range(3))
        others = 3 * READERS * ITEMS
        assert settled(lambda: parts_sent(server)) == sent + others, "what nobody reads is not made"
        assert memory(server) - held < 10_000_000
    print(f"{before:.3f} s without, {during:.3f} s with one that never reads")
    assert during < 2 * max(before, 0.1)


def test_a_reader_may_pause_for_longer_than_its_model(server: Program) -> None:
    with asked(server, "/steady", size=1 << 16, count=300) as line:
        time.sleep(1.0)  # three times what the model has
        assert len(line.whole()) == 300 << 16


def read_by_many(server: Program) -> float:
    """Let all readers hear their streams at once; return the seconds until the last has."""
    wrong: list[int] = []

    def read() -> None:
        with asked(server, "/endless", size=SIZE, count=ITEMS) as line:
            if (length := len(line.whole())) != SIZE * ITEMS:
                wrong.append(length)

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    return time.monotonic() - began


def memory(server: Program) -> int:
    """Return the bytes that the server and its replicas hold for themselves."""
    everyone = [psutil.Process(server.process.pid), *server.children]
    return sum(int(each.memory_full_info().uss) for each in everyone)


# --- what stands around -------------------------------------------------------------------------


class Marks:
    """A middleware that looks at every message."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-mark", b"1")]}
            await send(message)

        await self._app(scope, receive, marked)


@pytest.fixture(scope="module")
def surrounded() -> Iterator[int]:
    with hr.start(telling.Sync, port=0, gzip=True, middleware=[(Marks, {})]) as started:
        yield int(started.url.rpartition(":")[2])


def test_events_are_never_compressed(surrounded: int) -> None:
    with Line(surrounded) as line:
        line.ask("/sync", {"items": ["x" * 5000]}, accept=EVENTS, Accept_Encoding="gzip")
        assert "content-encoding" not in line.headers
        assert line.headers["x-mark"] == "1"
        assert events(line.whole().decode()) == [("message", "x" * 5000), DONE]


def test_lines_are_compressed_one_by_one(surrounded: int) -> None:
    with Line(surrounded) as line:
        body = {"items": [{"n": 1}, {"n": 2}], "every_s": 0.1}
        line.ask("/sync", body, Accept_Encoding="gzip")
        assert line.headers["content-encoding"] == "gzip"
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        told = [unpacker.decompress(part) for part in line.parts()]
    assert [each for each in told if each] == [b'{"n":1}\n', b'{"n":2}\n']


def test_a_failure_is_seen_through_what_stands_around(
    surrounded: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Line(surrounded) as line:
        line.ask("/sync", {"items": ["x"], "fails": True})
        with pytest.raises(CutOff):
            line.whole()
    with Line(surrounded) as line:
        line.ask("/sync", {"items": ["x"], "fails": True}, accept=EVENTS)
        assert events(line.whole().decode())[-1][0] == "error"
    assert [log for log in caplog.records if log.name == "headrace.http"] == []


def test_a_client_that_leaves_is_noticed_through_what_stands_around(
    surrounded: int, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    with Line(surrounded) as line:
        body = {"items": [1] * 1000, "every_s": 0.05, "closed": str(closed)}
        assert next(line.ask("/sync", body).parts())
    wait_for(closed.exists, "the end of the generator", 0.5)


# --- under another server -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign() -> Iterator[int]:
    models = hr.Server(telling.Sync).asgi
    server = uvicorn.Server(uvicorn.Config(models, log_config=None, lifespan="on"))
    with contextlib.closing(bind("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            wait_for(lambda: server.started, "the other server")
            yield int(sock.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def test_another_server_streams_and_shows_a_failure(foreign: int) -> None:
    with Line(foreign) as line:
        told = line.ask("/sync", {"items": ["a", "b"], "every_s": 0.1}).parts()
        assert list(told) == [b"a", b"b"]
    with Line(foreign) as line:
        line.ask("/sync", {"items": ["a"], "fails": True}, accept=EVENTS)
        assert [kind for kind, _ in events(line.whole().decode())] == ["message", "error"]
    with Line(foreign) as line:
        line.ask("/sync", {"items": ["a"], "fails": True})
        with pytest.raises(CutOff):
            line.whole()


def test_another_server_tells_of_a_client_that_leaves(foreign: int, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with Line(foreign) as line:
        body = {"items": [1] * 1000, "every_s": 0.05, "closed": str(closed)}
        assert next(line.ask("/sync", body).parts())
    wait_for(closed.exists, "the end of the generator", 0.5)
