"""Streams that are made together, over real sockets: batches in step, crowds that come and go."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.listening import Line, events
from tests.e2e.serving import Program, ask, served, status, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

EVENTS, LINES = "text/event-stream", "application/x-ndjson"
BATCHES, CROWDS = ("/batch", "/batch-async"), ("/crowd", "/crowd-async")
each_batch = pytest.mark.parametrize("route", BATCHES)
each_crowd = pytest.mark.parametrize("route", CROWDS)
each_way = pytest.mark.parametrize("route", [*BATCHES, *CROWDS])
each_form = pytest.mark.parametrize("accept", [EVENTS, LINES])


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with served("crowding.py") as started:
        yield started


@contextlib.contextmanager
def sent(server: Program, route: str, *wishes: dict[str, Any], accept: str) -> Iterator[list[Line]]:
    """Send wishes on a connection each, all before the first answer is read."""
    with contextlib.ExitStack() as opened:
        lines = [opened.enter_context(Line(server.port)) for _ in wishes]
        for line, wish in zip(lines, wishes, strict=True):
            line.send(route, wish, accept=accept)
        yield lines


def heard(line: Line, accept: str) -> tuple[list[Any], dict[str, Any] | None]:
    """Read an answer to its end; return its items, and its problem if it ended in one."""
    return told(line.read_head().whole(), line, accept)


def told(body: bytes, line: Line, accept: str) -> tuple[list[Any], dict[str, Any] | None]:
    if line.headers["content-type"] == "application/problem+json":
        return [], json.loads(body)
    if accept == LINES:
        values = [json.loads(each) for each in body.splitlines()]
        if values and "error" in values[-1]:
            return values[:-1], values[-1]["error"]
        return values, None
    *items, (kind, last) = events(body.decode())
    assert kind in {"done", "error"}, "an end is told"
    found = [json.loads(data) for kind, data in items if kind == "message"]
    return found, json.loads(last) if kind == "error" else None


def counted(items: list[Any]) -> list[tuple[str, int]]:
    return [(item["name"], item["n"]) for item in items]


def wish(name: str, count: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "count": count, **more}


def running(server: Program, route: str) -> int:
    (copy,) = status(server)["deployments"][route.strip("/")]["replicas"]
    return int(copy["running"])


# --- everybody gets what is theirs ----------------------------------------------------------


@each_way
@each_form
def test_each_client_gets_its_own_items_and_its_own_end(
    server: Program, route: str, accept: str
) -> None:
    wishes = [wish("a", 5), wish("b", 2), wish("c", 0)]
    with sent(server, route, *wishes, accept=accept) as lines:
        answers = [heard(line, accept) for line in lines]
    for asked, (items, problem) in zip(wishes, answers, strict=True):
        assert problem is None
        assert counted(items) == [(asked["name"], n) for n in range(asked["count"])]


@each_batch
def test_a_batch_goes_in_step(server: Program, route: str) -> None:
    with sent(server, route, wish("a", 2), wish("b", 1), wish("c", 1), accept=LINES) as lines:
        items, _ = heard(lines[0], LINES)
    assert [item["mates"] for item in items] == [["a", "b", "c"], ["a", "b", "c"]]


@each_way
@each_form
def test_an_error_of_one_leaves_its_mates_alone(server: Program, route: str, accept: str) -> None:
    wishes = [wish("a", 6), wish("b", 6, fails_at=2), wish("c", 6, fails_at=0)]
    with sent(server, route, *wishes, accept=accept) as lines:
        (whole, none), (some, late), (nothing, early) = [heard(line, accept) for line in lines]
        assert [line.status for line in lines] == [200, 200, 500]
    assert (counted(whole), none) == ([("a", n) for n in range(6)], None)
    assert counted(some) == [("b", 0), ("b", 1)]
    assert nothing == []
    for problem, line in ((late, lines[1]), (early, lines[2])):
        assert problem is not None
        assert (problem["status"], problem["code"]) == (500, "hook_failed")
        assert problem["request_id"] == line.headers["x-request-id"]
        assert "secret" not in str(problem)


@each_way
@each_form
def test_one_bad_request_never_fails_its_mates(server: Program, route: str, accept: str) -> None:
    wishes = [wish("a", 3), wish("poison", 3), wish("c", 3)]
    with sent(server, route, *wishes, accept=accept) as lines:
        answers = [heard(line, accept) for line in lines]
    for place, name in ((0, "a"), (2, "c")):
        items, problem = answers[place]
        assert (counted(items), problem) == ([(name, n) for n in range(3)], None)
    items, problem = answers[1]
    assert problem is not None
    assert (items, problem["code"]) == ([], "hook_failed")


@each_way
def test_a_request_that_cannot_be_read_is_told_before_it_joins(server: Program, route: str) -> None:
    wishes = [wish("a", 3), {"name": 1}, wish("c", 3)]
    with sent(server, route, *wishes, accept=LINES) as lines:
        answers = [heard(line, LINES) for line in lines]
        assert [line.status for line in lines] == [200, 422, 200]
    assert [len(items) for items, _ in answers] == [3, 0, 3]


# --- who leaves, who comes --------------------------------------------------------------------


@each_way
@each_form
def test_a_client_that_leaves_on_the_way_leaves_its_mates_alone(
    server: Program, route: str, accept: str, tmp_path: Path
) -> None:
    slow = {"every_s": 0.02, "trace": str(tmp_path)}
    wishes = [wish("a", 60, **slow), wish("b", 500, **slow), wish("c", 60, **slow)]
    with sent(server, route, *wishes, accept=accept) as lines:
        assert next(lines[1].read_head().parts())
        lines[1].leave()
        gone = tmp_path / ("b.left" if route in CROWDS else "b.cancelled")
        wait_for(gone.exists, "the model to see that one has left", 1.0)
        answers = [heard(line, accept) for line in (lines[0], lines[2])]
    for name, (items, problem) in zip("ac", answers, strict=True):
        assert (counted(items), problem) == ([(name, n) for n in range(60)], None)
    if route in CROWDS:
        assert "b" not in answers[0][0][-1]["mates"]
    wait_for(lambda: running(server, route) == 0, "the slots to be free")


@each_batch
def test_a_batch_is_closed_when_all_have_left(server: Program, route: str, tmp_path: Path) -> None:
    slow = {"every_s": 0.05, "trace": str(tmp_path)}
    with sent(server, route, *(wish(n, 500, **slow) for n in "abc"), accept=LINES) as lines:
        for line in lines:
            assert next(line.read_head().parts())
    wait_for((tmp_path / "a.closed").exists, "the end of the generator", 1.0)
    wait_for(lambda: running(server, route) == 0, "the slots to be free", 1.0)


@each_crowd
@each_form
def test_who_comes_later_joins_and_need_not_wait(server: Program, route: str, accept: str) -> None:
    with sent(server, route, wish("first", 400, every_s=0.01), accept=accept) as (first,):
        parts = first.read_head().parts()
        begun = next(parts)
        with sent(server, route, wish("second", 3), accept=accept) as (second,):
            items, problem = heard(second, accept)
        assert (counted(items), problem) == ([("second", n) for n in range(3)], None)
        assert items[0]["mates"] == ["first", "second"]
        assert running(server, route) == 1, "the first one is still there"
        items, problem = told(begun + b"".join(parts), first, accept)
    assert (counted(items), problem) == ([("first", n) for n in range(400)], None)


@each_way
@each_form
def test_one_that_does_not_read_is_ended_and_told_so(
    server: Program, route: str, accept: str
) -> None:
    wishes = [wish("slow", 2000, size=50_000), wish("b", 2000), wish("c", 2000)]
    with sent(server, route, *wishes, accept=accept) as (slow, *quick):
        for name, line in zip("bc", quick, strict=True):
            items, problem = heard(line, accept)
            assert (counted(items), problem) == ([(name, n) for n in range(2000)], None)
        items, problem = heard(slow, accept)
    assert problem is not None
    assert (problem["status"], problem["code"]) == (503, "slow_reader")
    assert counted(items) == [("slow", n) for n in range(len(items))]
    assert len(items) < 1000, "what it did not read was not all made"


@each_way
def test_many_clients_each_hear_their_own(server: Program, route: str) -> None:
    wrong: list[str] = []

    def listen(name: str) -> None:
        for number in range(5):
            count = (number * 7 + len(name)) % 11
            response = ask(server, route, wish(name, count), headers={"Accept": LINES})
            found = counted([json.loads(line) for line in response.text.splitlines()])
            if found != [(name, n) for n in range(count)]:
                wrong.append(f"{name}: {response.text[:200]}")

    threads = [threading.Thread(target=listen, args=("x" * n,)) for n in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- steps that hang ----------------------------------------------------------------------------


@pytest.mark.parametrize("route", BATCHES)
def test_a_step_that_hangs_ends_with_its_last_client(
    server: Program, route: str, tmp_path: Path
) -> None:
    hanging = wish("a", 5, hangs_at=2, trace=str(tmp_path))
    before = pid(server, route)
    with sent(server, route, hanging, wish("b", 5), wish("c", 5), accept=LINES) as lines:
        wait_for((tmp_path / "a.hangs").exists, "the step to hang")
        assert running(server, route) >= 1, "the others may be in its next batch"
        for line in lines:
            line.leave()
        wait_for(lambda: running(server, route) == 0, "the slots to be free", 0.5)
    assert ask(server, route, wish("d", 2), headers={"Accept": LINES}).text.count("\n") == 2
    assert pid(server, route) == before, "the replica is the same one"


def pid(server: Program, route: str) -> int:
    (copy,) = status(server)["deployments"][route.strip("/")]["replicas"]
    return int(copy["pid"])
