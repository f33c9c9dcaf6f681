"""What goes in and out of applications in replicas: bodies of any length, and every kind of end."""

from __future__ import annotations

import socket as sockets
import time
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from tests.e2e.graphs import curl, get, graph
from tests.e2e.serving import PATIENCE_S, Program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
MB = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with graph("graph_odd.py") as started:
        yield started


@pytest.fixture(scope="module")
def plain() -> Iterator[Program]:
    with graph("graph_plain.py") as started:
        yield started


class EnoughError(Exception):
    """The client breaks off."""


def memory(server: Program) -> int:
    """How much all processes of a server have, those that run nothing left out."""
    ours = psutil.Process(server.process.pid)
    return sum(each.memory_info().rss for each in [ours, *ours.children(recursive=True)])


# --- uploads ----------------------------------------------------------------------------------


def test_large_uploads_are_streamed_with_flat_memory(server: Program) -> None:
    def some() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(MB)
            most.append(memory(server))

    most: list[int] = []
    assert get(server, "/app/count", "POST", content=some()).json()["size"] == 50 * MB
    before, most = memory(server), []
    answer = get(server, "/app/count", "POST", content=some())
    assert answer.json()["size"] == 50 * MB
    assert answer.json()["pieces"] > 50
    assert max(most) - before < 10 * MB


def test_an_upload_of_known_length_is_streamed_too(server: Program) -> None:
    assert get(server, "/app/count", "POST", content=bytes(5 * MB)).json()["size"] == 5 * MB
    assert get(server, "/app/count", "POST", content=b"small").json()["size"] == 5
    chunked = get(server, "/app/count", "POST", content=iter([b"a", b"b"])).json()
    assert chunked["size"] == 2


def test_who_sends_faster_than_it_is_read_is_held_up(server: Program) -> None:
    taken = 0

    def some() -> Iterator[bytes]:
        nonlocal taken
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            yield bytes(MB)
            taken += MB
        raise EnoughError

    with pytest.raises(EnoughError):
        get(server, "/app/slowly", "POST", content=some())
    assert taken < 40 * MB  # 20 pieces a second of at most some 256 KiB, and what sockets hold
    server.wait_for_line("cancelled after")


def test_a_body_over_the_limit_is_refused_as_soon_as_that_is_known(server: Program) -> None:
    known = get(server, "/small/count", "POST", content=bytes(200_000))
    unknown = get(server, "/small/count", "POST", content=iter([bytes(50_000)] * 4))
    for answer in (known, unknown):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert get(server, "/small/count", "POST", content=bytes(90_000)).json()["size"] == 90_000


def test_an_upload_that_is_broken_off_cancels_who_reads_it(server: Program) -> None:
    before = server.terminal.count("cancelled after")
    with sockets.create_connection(("127.0.0.1", server.port)) as line:
        head = b"POST /app/slowly HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"
        line.sendall(head + bytes(100_000))
        time.sleep(0.2)
    wait_for(lambda: server.terminal.count("cancelled after") > before, "the cancellation")


def test_a_body_that_nobody_reads_is_no_hindrance(server: Program) -> None:
    assert get(server, "/app/unread", "POST", content=bytes(3 * MB)).json() == "nobody read it"
    with httpx2.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        for _ in range(3):
            assert client.post("/app/unread", content=bytes(70_000)).status_code == 200


# --- responses --------------------------------------------------------------------------------


def test_lifespan_state_and_root_path_reach_requests(server: Program) -> None:
    told = get(server, "/app/state").json()
    assert (told["colour"], told["root"]) == ("red", "/app")
    ours = [line for line in server.lines if line.startswith("[app/1]")]
    assert ours[:2] == ["[app/1] set up on cpu", "[app/1] it starts"]


def test_responses_are_what_the_application_made_of_them(server: Program) -> None:
    whole = get(server, "/app/file")
    assert whole.headers["etag"]
    assert len(whole.content) == int(whole.headers["content-length"])
    head = get(server, "/app/file", "HEAD")
    assert (head.content, head.headers["content-length"]) == (b"", whole.headers["content-length"])
    part = get(server, "/app/file", headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, whole.content[:10])
    empty = get(server, "/app/empty")
    assert (empty.status_code, "content-length" in empty.headers) == (204, False)
    unchanged = get(server, "/app/unchanged")
    assert (unchanged.status_code, unchanged.headers["etag"]) == (304, "abc")
    assert get(server, "/app/cookies").headers.get_list("set-cookie")[1].startswith("b=2")
    assert get(server, "/app/refuses").headers["x-pot"] == "tea"
    large = get(server, f"/app/large?size={10 * MB}")
    assert len(large.content) == 10 * MB
    assert curl("-I", f"{server.url}/app/file").startswith("HTTP/1.1 200")


def test_work_behind_a_response_does_not_hold_it_up(server: Program) -> None:
    with httpx2.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        assert client.get("/app/behind").text == "at once"
        assert "the work behind it is done" not in server.terminal
        assert client.get("/app/state").status_code == 200  # on the same connection
    server.wait_for_line("the work behind it is done")


def test_what_an_application_raises_is_in_the_log_alone(server: Program) -> None:
    answer = get(server, "/app/raises")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    line = server.wait_for_line(f"request {answer.headers['x-request-id']}: the application raised")
    assert line.startswith("[app/")
    assert "ValueError: a secret of the application" in server.terminal


def test_a_response_that_fails_half_way_is_cut(server: Program) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        get(server, "/app/halfway")
    server.wait_for_line("ValueError: the second half is missing")


def test_a_crash_is_tried_again_only_where_that_is_safe() -> None:
    with graph("graph_odd.py") as server:
        for method, deaths in (("GET", 2), ("POST", 1)):
            wait_for(lambda: get(server, "/app/state").status_code == 200, "a replica")
            before = server.terminal.count("exited with code 7")
            answer = get(server, "/app/dies", method)
            assert (answer.status_code, answer.json()["code"]) == (500, "replica_lost")
            assert server.terminal.count("exited with code 7") - before == deaths


def test_a_start_up_that_fails_is_told_with_its_reason() -> None:
    from tests.e2e.serving import program

    with program(
        "-m", "headrace", "serve", "graph_odd.py", "--port=0", env={"BROKEN_START": "1"}
    ) as server:
        assert server.exit_code(60) == 3
    assert "the application could not start" in server.terminal
    assert "ValueError: the weights are not there" in server.terminal
    assert "torn down" in server.terminal


# --- plain handlers ---------------------------------------------------------------------------


def test_generators_stream_as_the_client_asks(plain: Program) -> None:
    text = get(plain, "/numbers")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text == "number 0number 1number 2"
    events = get(plain, "/numbers", headers={"accept": "text/event-stream"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.headers["cache-control"] == "no-cache"
    assert events.text.startswith("data: number 0\n\ndata: number 1\n\n")
    assert events.text.endswith("event: done\ndata:\n\n")
    lines = get(plain, "/things")
    assert lines.text.splitlines() == ['{"number":0}', '{"number":1}', '{"number":2}']
    with pytest.raises(httpx2.RemoteProtocolError):
        get(plain, "/breaks")
    told = get(plain, "/breaks", headers={"accept": "text/event-stream"}).text
    assert "event: error" in told
    assert "event: done" not in told


def test_annotations_read_bodies_and_contexts_write_heads(plain: Program) -> None:
    assert get(plain, "/parsed", "POST", content=b"a,b,c").json() == 3
    assert get(plain, "/parsed", "POST", content=b"a," * 50_000).json() == 50_001
    answer = get(plain, "/context")
    assert (answer.status_code, answer.headers["x-mine"]) == (201, "yes")
    told = answer.json()
    assert told["id"] == told["seen"] == answer.headers["x-request-id"]
    assert told["fresh"]
    refused = get(plain, "/raised")
    assert (refused.status_code, refused.headers["x-when"]) == (409, "later")
    assert refused.json()["detail"] == "not now"


def test_what_has_no_call_says_so(plain: Program) -> None:
    answer = get(plain, "/by-handle")
    assert answer.status_code == 501
    assert "ByHandle takes calls through handles only" in answer.json()["detail"]
