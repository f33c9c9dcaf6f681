"""Deployments that call one another through handles, in every layout, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.errors import CallToAncestor, QueueFull
from tests.e2e.handed import Between, Odd, Sums, Waits
from tests.e2e.handing import LAYOUTS, graph
from tests.e2e.serving import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
everywhere = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture(scope="module")
def running() -> Iterator[hr.Running]:
    """One server of all of them; each test leaves it as it was."""
    with hr.start(graph(), port=0) as started:
        yield started


def wish(running: hr.Running, layout: str, wish: str, value: Any = None, **headers: str) -> Any:
    """Let a caller do something, and return what it answers."""
    answer = post(running, layout, wish, value, **headers)
    assert answer.status_code == 200, answer.text
    if layout == "streamer":
        return json.loads(answer.text.splitlines()[0])["answer"]
    return answer.json()


def post(
    running: hr.Running, layout: str, wish: str, value: Any = None, **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = {"wish": wish, "value": value}
    return httpx2.post(f"{running.url}/{layout}", json=body, headers=named, timeout=30.0)


def leave(running: hr.Running, layout: str, wish: str, value: Any) -> socket.socket:
    """Send a request; closing the socket is leaving."""
    content = json.dumps({"wish": wish, "value": value}).encode()
    host, _, port = running.url.rpartition("/")[2].partition(":")
    sock = socket.create_connection((host, int(port)))
    head = f"POST /{layout} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    sock.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + content)
    return sock


def marked(mark: Path, suffix: str) -> bool:
    return mark.with_name(mark.name + suffix).exists()


# --- values ----------------------------------------------------------------------------------


@everywhere
def test_responses_are_waited_for_and_given_on_unawaited(running: hr.Running, layout: str) -> None:
    assert wish(running, layout, "many") == [2, 20, 30, 30]


@everywhere
def test_streams_are_read_side_by_side(running: hr.Running, layout: str) -> None:
    assert wish(running, layout, "items", 100) == [[each, each] for each in range(100)]


@everywhere
def test_a_callee_has_the_id_of_the_request_it_is_called_for(
    running: hr.Running, layout: str
) -> None:
    found = wish(running, layout, "method", 4, X_Request_Id="of-the-client")
    assert found == {"twice": 8, "id": "of-the-client", "attempt": 1}


@everywhere
def test_a_handle_is_found_by_name_and_by_class(running: hr.Running, layout: str) -> None:
    assert wish(running, layout, "dynamic", 4) == [5, 5]


@everywhere
def test_large_arrays_arrive_whole(running: hr.Running, layout: str) -> None:
    total, wanted, is_same = wish(running, layout, "large", 10_000_000)
    assert total == wanted
    assert is_same


@everywhere
def test_every_thread_of_a_caller_may_call(running: hr.Running, layout: str) -> None:
    assert wish(running, layout, "in_threads", 4) == [0, 1, 2, 3, 80, 119]


def test_calls_share_batches_with_http_and_skip_its_codecs(running: hr.Running) -> None:
    def by_http(n: int) -> Any:
        return httpx2.post(f"{running.url}/tens", json={"n": n}, timeout=30.0).json()

    tens = running.handle("tens")
    with ThreadPoolExecutor(8) as pool:
        bodies = pool.map(by_http, range(40))
        called = [tens(n) for n in range(40)]
        assert [each.result() for each in called] == [10 * n for n in range(40)]
        assert list(bodies) == [{"tens": 10 * n} for n in range(40)]
    mixed = [tens(n) for n in (1, -1, 2)]
    assert mixed[0].result() == 10
    with pytest.raises(ValueError, match="-1 is below 0"):
        mixed[1].result()
    assert mixed[2].result() == 20


# --- exceptions ------------------------------------------------------------------------------


@everywhere
def test_an_exception_arrives_as_its_own_type_with_its_traceback(
    running: hr.Running, layout: str
) -> None:
    assert wish(running, layout, "caught", "odd") == ["Odd", "('of its own type', 7)", 7, True]
    assert wish(running, layout, "caught", "x") == ["KeyError", "'x'", None, True]
    assert wish(running, layout, "caught", "http") == ["HTTPError", "418 a teapot", 418, True]
    found = wish(running, layout, "caught", "sealed")
    assert found == ["CalleeFailed", "Sealed: kept", 500, True]


WRONG = {
    "value of a stream": "WrongUse: numbers streams its answer",
    "items of a value": "WrongUse: sums answers with one value",
    "private": "AttributeError: Sums._secret is private",
    "hook": "AttributeError: Sums.setup is a hook",
    "unknown": "NoSuchDeployment: no deployment is named 'sum'; did you mean 'sums'?",
    "two for a batch": "TypeError: predict_batch takes one input",
    "not to be pickled": "TypeError: an argument of sums cannot be pickled",
}


@everywhere
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_use_says_what_to_do(running: hr.Running, layout: str, what: str) -> None:
    assert wish(running, layout, "wrong", what).startswith(WRONG[what])


@pytest.mark.parametrize("layout", ["on-loop", "in-worker"])
def test_a_result_on_the_loop_would_block_it(running: hr.Running, layout: str) -> None:
    found = wish(running, layout, "wrong", "result on the loop")
    assert "`await` it" in found


def test_what_a_hook_raised_tells_a_client_nothing(running: hr.Running) -> None:
    answer = post(running, "leaf", "no_such_wish")
    assert answer.status_code == 500
    assert "headrace" not in answer.text
    assert "no attribute" not in answer.text


# --- time ------------------------------------------------------------------------------------


@everywhere
def test_a_callee_has_no_more_time_than_its_caller(running: hr.Running, layout: str) -> None:
    whole, wished = wish(running, layout, "left_s", X_Request_Timeout_Seconds="5")
    assert 3.0 < whole <= 5.0
    assert 1.0 < wished <= 1.5


def test_a_deadline_ends_the_whole_chain(running: hr.Running, tmp_path: Path) -> None:
    mark = tmp_path / "late"
    answer = post(running, "leaf", "wait", str(mark), X_Request_Timeout_Seconds="0.5")
    assert answer.status_code == 504
    wait_for(lambda: marked(mark, ".cancelled"), "the last callee to hear of it")


@pytest.mark.parametrize("layout", ["leaf", "threads", "on-loop", "in-worker", "streamer"])
def test_a_client_that_leaves_ends_what_was_asked_for_its_sake(
    running: hr.Running, layout: str, tmp_path: Path
) -> None:
    mark = tmp_path / "left"
    sock = leave(running, layout, "wait", str(mark))
    wait_for(lambda: marked(mark, ".begun"), "the last callee to begin")
    sock.close()
    wait_for(lambda: marked(mark, ".cancelled"), "the last callee to hear of it")
    wait_for(lambda: marked(mark, ".between"), "the one between to hear of it")
    if layout in ("on-loop", "in-worker"):
        wait_for(lambda: marked(mark, ".front"), "the first one to hear of it")
    assert wish(running, layout, "many") == [2, 20, 30, 30]


def test_a_shield_keeps_a_piece_of_ones_own_and_no_call(
    running: hr.Running, tmp_path: Path
) -> None:
    mark = tmp_path / "shielded"
    sock = leave(running, "on-loop", "shielded", str(mark))
    wait_for(lambda: marked(mark, ".begun"), "the callee to begin")
    sock.close()
    wait_for(lambda: marked(mark, ".cancelled"), "the callee to hear of it")
    wait_for(lambda: marked(mark, ".piece"), "the piece to go on to its end")


@everywhere
def test_whoever_gives_up_a_call_stops_its_work(
    running: hr.Running, layout: str, tmp_path: Path
) -> None:
    mark = tmp_path / "given-up"
    assert wish(running, layout, "late", str(mark)) == "timed out"
    wait_for(lambda: marked(mark, ".cancelled"), "the callee to hear of it")


@everywhere
def test_whoever_leaves_a_stream_early_stops_it(
    running: hr.Running, layout: str, tmp_path: Path
) -> None:
    mark = tmp_path / "early"
    assert wish(running, layout, "early", str(mark)) == 3
    wait_for(mark.exists, "the stream to be closed")


@everywhere
def test_what_is_detached_goes_on(running: hr.Running, layout: str, tmp_path: Path) -> None:
    mark = tmp_path / "detached"
    assert wish(running, layout, "detached", str(mark)) == "left"
    wait_for(lambda: marked(mark, ".begun"), "it to begin")
    assert not marked(mark, ".cancelled")


# --- the program that runs the server --------------------------------------------------------


def test_a_program_calls_from_any_thread(running: hr.Running) -> None:
    sums = running.handle("sums")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda x: sums(x).result(), range(200))) == list(range(1, 201))
    with pytest.raises(Odd) as raised:
        sums.fail("odd").result()
    assert raised.value.number == 7
    assert "in fail" in "".join(raised.value.__notes__)
    assert list(running.handle("numbers")(40)) == list(range(40))


def test_a_program_calls_from_a_loop_of_its_own(running: hr.Running) -> None:
    async def ask() -> list[Any]:
        sums, numbers = running.handle("sums"), running.handle("numbers-async")
        found = await asyncio.gather(*(sums(x) for x in range(50)))
        return [found, [each async for each in numbers(40)], await numbers.plain(3)]

    assert asyncio.run(ask()) == [list(range(1, 51)), list(range(40)), -3]


def test_a_stream_that_fails_gives_what_came_before(running: hr.Running) -> None:
    for name in ("numbers", "numbers-async"):
        items = iter(running.handle(name)(10, fail_at=5))
        assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(Odd, match="in the middle"):
            next(items)
        assert next(items, "over") == "over"


def test_a_result_that_takes_too_long_is_no_end(running: hr.Running, tmp_path: Path) -> None:
    waiting = running.handle("waits")(str(tmp_path / "w"), 0.5)
    with pytest.raises(TimeoutError, match="waits has not answered"):
        waiting.result(timeout_s=0.05)
    assert waiting.result(timeout_s=10.0) == "waited"


def test_a_cancelled_call_is_cancelled_for_all_who_wait(
    running: hr.Running, tmp_path: Path
) -> None:
    mark = tmp_path / "w"
    waiting = running.handle("waits")(str(mark))
    wait_for(lambda: marked(mark, ".begun"), "it to begin")
    heard = threading.Event()

    def wait() -> None:
        with pytest.raises(hr.Cancelled):
            waiting.result()
        heard.set()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.cancel()
    thread.join()
    assert heard.is_set()
    wait_for(lambda: marked(mark, ".cancelled"), "the callee to hear of it")


# --- what can go wrong with a graph ----------------------------------------------------------


class Ring(hr.Model):
    """Calls itself, so many times."""

    def predict(self, n: int) -> int:
        return 1 + int(hr.handle(Ring)(n - 1).result()) if n else 0


class WideRing(hr.Model):
    """Calls itself, so many times, where there is room."""

    async def predict(self, n: int) -> int:
        return 1 + int(await hr.handle(WideRing)(n - 1)) if n else 0


def test_a_call_that_would_wait_for_itself_says_so_at_once() -> None:
    with hr.start(Ring, WideRing, port=0) as running:
        assert running.handle(Ring)(0).result() == 0
        with pytest.raises(CallToAncestor, match="ring calls ring"):
            running.handle(Ring)(1).result(timeout_s=10.0)
        assert running.handle(WideRing)(10).result() == 10
        with pytest.raises(CallToAncestor, match="max_ongoing_requests"):
            running.handle(WideRing)(20).result(timeout_s=10.0)


@hr.deployment(replicas=2)
class Middle(hr.Model):
    """Stands in the middle of a graph, until it is killed."""

    def __init__(self, sums: hr.Handle) -> None:
        self.sums = sums

    def predict(self, x: int) -> int:
        return int(self.sums(x).result())


class Front(hr.Model):
    """Begins a graph."""

    def __init__(self, middle: hr.Handle) -> None:
        self.middle = middle

    async def predict(self, x: int) -> int:
        return int(await self.middle(x))


def test_a_replica_killed_in_the_middle_loses_nothing() -> None:
    with hr.start(hr.bind(Front, hr.bind(Middle, hr.bind(Sums))), port=0) as running:
        over = threading.Event()

        def ask(first: int) -> list[Any]:
            found: list[Any] = []
            with httpx2.Client(timeout=30.0) as client:
                while not over.is_set():
                    answer = client.post(f"{running.url}/predict", json=first)
                    found.append(answer.json() if answer.status_code == 200 else answer.text)
            assert found
            return [each for each in found if each != first + 1]

        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(ask, first) for first in range(8)]
            for _ in range(3):
                copies = running.status()["deployments"]["middle"]["replicas"]
                victim = next(copy["pid"] for copy in copies if copy["state"] == "ready")
                os.kill(victim, signal.SIGKILL)
                wait_for(lambda pid=victim: is_replaced(running, pid), "another one")  # type: ignore[misc]
            over.set()
            assert [answer.result() for answer in answers] == [[]] * 8


def is_replaced(running: hr.Running, pid: int) -> bool:
    copies = running.status()["deployments"]["middle"]["replicas"]
    return [copy["state"] for copy in copies if copy["pid"] != pid] == ["ready", "ready"]


def test_a_callee_that_is_full_tells_when_to_come_again(tmp_path: Path) -> None:
    waits = hr.bind(Waits).options(max_ongoing_requests=1, max_queued_requests=1)
    with hr.start(hr.bind(Between, waits), port=0) as running:
        held = running.handle("waits")(str(tmp_path / "held"))
        wait_for(lambda: marked(tmp_path / "held", ".begun"), "it to begin")
        queued = running.handle("waits")(str(tmp_path / "queued"))
        with pytest.raises(QueueFull) as full:
            running.handle("waits")(str(tmp_path / "full")).result()
        assert full.value.retry_after_s is not None
        answer = httpx2.post(f"{running.url}/predict", json=str(tmp_path / "x"), timeout=30.0)
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
        assert "waits" not in answer.text
        for each in (held, queued):
            each.cancel()
