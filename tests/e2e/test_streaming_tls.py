"""Streams over https: as they come, with their ends, and closed when their clients leave."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.listening import CutOff, Line, events
from tests.e2e.serving import PATIENCE_S, Program, served, status, wait_for
from tests.e2e.test_tls import Papers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

EVENTS, LINES = "text/event-stream", "application/x-ndjson"
BOTH = pytest.mark.parametrize("route", ["/sync", "/async"])


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(papers: Papers) -> Iterator[Program]:
    flags = (f"--tls-certfile={papers.certificate}", f"--tls-keyfile={papers.key}")
    with served("telling.py", *flags) as started:
        assert started.url.startswith("https://")
        yield started


@pytest.fixture(scope="module")
def trust(papers: Papers) -> ssl.SSLContext:
    return papers.trust


def asked(server: Program, trust: ssl.SSLContext, path: str, accept: str, **body: Any) -> Line:
    return Line(server.port, tls=trust).ask(path, body, accept=accept)


@BOTH
def test_each_form_is_the_same_as_without_tls(
    server: Program, trust: ssl.SSLContext, route: str
) -> None:
    items = ["one", "two\nlines", {"a": 1}]
    with asked(server, trust, route, EVENTS, items=items) as line:
        assert events(line.whole().decode()) == [
            *(("message", told) for told in ("one", "two\nlines", '{"a":1}')),
            ("done", ""),
        ]
    with asked(server, trust, route, LINES, items=items) as line:
        assert [json.loads(told) for told in line.whole().splitlines()] == items


def test_each_item_leaves_before_the_next_is_there(
    server: Program, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("one", "two", "three")]
    with Line(server.port, tls=trust) as line:
        line.send("/gated", [str(path) for path in paths])
        paths[0].touch()
        parts = line.read_head().parts()
        assert next(parts) == b"one"
        for path in paths[1:]:
            path.touch()
            assert next(parts).decode() == path.name
        assert list(parts) == []


def test_a_large_stream_arrives_whole_at_a_slow_reader(
    server: Program, trust: ssl.SSLContext
) -> None:
    with asked(server, trust, "/steady", "", size=1 << 16, count=100) as line:
        time.sleep(1.0)  # three times what the model has from item to item
        assert len(line.whole()) == 100 << 16


@BOTH
def test_a_failure_is_told_or_seen_never_a_clean_end(
    server: Program, trust: ssl.SSLContext, route: str
) -> None:
    with asked(server, trust, route, EVENTS, items=["one"], fails=True) as line:
        kind, data = events(line.whole().decode())[-1]
    assert (kind, json.loads(data)["code"]) == ("error", "hook_failed")
    with asked(server, trust, route, "", items=["one"], fails=True) as line:
        parts = line.parts()
        assert next(parts) == b"one"
        with pytest.raises((CutOff, ssl.SSLError)):
            next(parts)


@BOTH
def test_a_generator_is_closed_when_its_client_leaves(
    server: Program, trust: ssl.SSLContext, route: str, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    body = {"items": [1] * 1000, "every_s": 0.05, "closed": str(closed)}
    with asked(server, trust, route, "", **body) as line:
        assert next(line.parts())
    wait_for(closed.exists, "the end of the generator", 1.0)

    def idle() -> bool:
        (copy,) = status(server)["deployments"][route[1:]]["replicas"]
        return int(copy["running"]) == 0

    wait_for(idle, "the slot to be free", PATIENCE_S)


def test_a_connection_serves_another_request_after_a_stream(
    server: Program, trust: ssl.SSLContext
) -> None:
    with Line(server.port, tls=trust) as line:
        for items in (["a", "b"], ["c"]):
            assert line.ask("/sync", {"items": items}).whole().decode() == "".join(items)
