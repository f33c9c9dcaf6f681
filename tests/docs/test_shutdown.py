"""The page on stopping tells the truth: its example, its answer and its record."""

from __future__ import annotations

import json
import re
import threading

import httpx2
import pytest

from headrace.http.shutdown import REASONS
from tests.docs.test_examples import EXAMPLES, ROOT
from tests.e2e.serving import PATIENCE_S, served, wait_for
from tests.e2e.shutdowns import ENV, shut_down

pytestmark = pytest.mark.e2e
PAGE = (ROOT / "docs" / "shutdown.md").read_text()
TOLD, RECORD = (json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", PAGE))


def test_the_example_finishes_its_work_and_tells_what_the_page_says() -> None:
    with served(str(EXAMPLES / "shutdown.py"), env=ENV) as server:
        worked: list[str] = []

        def work() -> None:
            worked.append(httpx2.post(f"{server.url}/predict", json=2, timeout=PATIENCE_S).json())

        working = threading.Thread(target=work)
        working.start()
        health = f"{server.url}/-/health"
        wait_for(lambda: '"running":1' in httpx2.get(health).text, "the work")
        told = shut_down(server, path="/shutdown").json()
        assert server.exit_code() == 0
        working.join()
        assert worked == ["worked for 2 s"]
        assert told.keys() == TOLD.keys()
        (line,) = [line for line in server.lines if '"event":"stop"' in line]
        record = json.loads(line[line.index("{") :])
        assert list(record) == list(RECORD)
        assert server.terminal.count("released") == 2
        assert server.lines[-1] == "stopped by api: 1 finished, 0 cut off"


def test_the_page_has_every_reason_of_a_refusal() -> None:
    for status, reason in REASONS.items():
        assert f"| {status} " in PAGE
        assert f"`{reason}`" in PAGE
