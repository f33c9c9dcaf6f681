"""A line of the access log says what Gunicorn's would, and no client can forge one."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import ConfigError
from headrace.host.access_format import GUNICORN, Exchange, compiled
from headrace.host.access_log import AccessLog
from headrace.host.lines import blocks
from tests.support.waiting import until

COMBINED = re.compile(
    r"(\S+) - (\S+) \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"\n'
)


def exchange(**changed: Any) -> Exchange:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"x=1",
        "http_version": "1.1",
        "scheme": "http",
        "client": ("10.0.0.7", 4242),
        "server": ("10.0.0.1", 80),
        "headers": [
            (b"host", b"here"),
            (b"referer", b"http://there/"),
            (b"user-agent", b"curl/8"),
            (b"authorization", b"Basic YWRhOnNlY3JldA=="),
        ],
    }
    status = changed.pop("status", 200)
    told = [(b"content-type", b"text/plain"), (b"x-request-id", b"abc")]
    return Exchange({**scope, **changed}, status, 13, 1.234567, told)


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        ("%(h)s", "10.0.0.7"),
        ("%(l)s", "-"),
        ("%(u)s", "ada"),
        ("%(r)s", "GET /a%20b?x=1 HTTP/1.1"),
        ("%(m)s", "GET"),
        ("%(U)s", "/a%20b"),
        ("%(q)s", "x=1"),
        ("%(H)s", "HTTP/1.1"),
        ("%(s)s", "200"),
        ("%(B)s", "13"),
        ("%(b)s", "13"),
        ("%(f)s", "http://there/"),
        ("%(a)s", "curl/8"),
        ("%(T)s", "1"),
        ("%(M)s", "1234"),
        ("%(D)s", "1234567"),
        ("%(L)s", "1.234567"),
        ("%(p)s", "<PID>"),
        ("%({Host}i)s", "here"),
        ("%({X-Missing}i)s", "-"),
        ("%({Content-Type}o)s", "text/plain"),
        ("%({REQUEST_METHOD}e)s", "GET"),
        ("%({HTTP_HOST}e)s", "here"),
        ("%({wsgi.url_scheme}e)s", "http"),
        ("100%%", "100%"),
    ],
)
def test_every_atom_has_gunicorns_meaning(atom: str, text: str) -> None:
    said = compiled(atom)(exchange()).decode()
    assert said.replace(f"<{os.getpid()}>", "<PID>") == text + "\n"


@pytest.mark.parametrize("words", ["%(Z)s", "%(h)d", "%s", "%", "%({x}y)s"])
def test_what_is_no_atom_is_refused_by_name_with_those_there_are(words: str) -> None:
    with pytest.raises(ConfigError, match=r"`access_log_format`.*is no atom; there are %\(h\)s"):
        compiled(words)


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_no_client_can_end_a_line_or_a_quoted_text(path: bytes, agent: bytes, name: bytes) -> None:
    headers = [(b"user-agent", agent), (b"referer", name), (b"authorization", b"Basic " + name)]
    line = compiled(GUNICORN)(exchange(raw_path=b"/" + path, headers=headers)).decode()
    found = COMBINED.fullmatch(line)
    assert found is not None, line
    assert found[4].startswith("GET /")
    assert found[4].endswith(" HTTP/1.1")
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in line[:-1])


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_json_line_is_one_object_on_one_line(path: bytes, agent: bytes) -> None:
    headers = [(b"user-agent", agent)]
    line = compiled("json")(exchange(raw_path=b"/" + path, headers=headers))
    assert line.count(b"\n") == 1
    told = json.loads(line)
    assert told["path"] == "/" + path.decode("latin-1")
    assert told["user_agent"] == agent.decode("latin-1")
    assert (told["status"], told["bytes"], told["request_id"]) == (200, 13, "abc")


@given(st.lists(st.binary(min_size=1, max_size=30)), st.integers(1, 60))
def test_blocks_hold_every_line_once_in_order_and_whole(lines: list[bytes], most: int) -> None:
    made = list(blocks(lines, most))
    assert b"".join(made) == b"".join(lines)
    assert all(len(block) <= most or block in lines for block in made)


def test_lines_of_many_threads_are_all_there_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "%({N}i)s")

    def write(name: int) -> None:
        for number in range(500):
            log.write(exchange(headers=[(b"n", b"%d-%d" % (name, number))]))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    log.close()
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(f"{name}-{number}" for name in range(4) for number in range(500))


def test_after_a_rotation_lines_go_to_a_new_file_and_none_is_lost(tmp_path: Path) -> None:
    path, old = tmp_path / "access.log", tmp_path / "access.log.1"
    log = AccessLog(str(path), "%(s)s")
    log.write(exchange(status=201))
    assert until(lambda: path.read_text() == "201\n")
    path.rename(old)
    log.write(exchange(status=202))  # before it is told: to the file as it is named now
    assert until(lambda: old.read_text() == "201\n202\n")
    log.reopen()
    assert until(path.exists)
    log.write(exchange(status=203))
    log.close()
    assert (old.read_text(), path.read_text()) == ("201\n202\n", "203\n")


def test_a_missing_folder_is_told_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`access_log`.*mkdir -p .*/nowhere"):
        AccessLog(str(tmp_path / "nowhere" / "access.log"), GUNICORN)
