"""--debug: the developer's debugger and tracebacks, on this machine only."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import headrace as hr
from headrace.errors import ConfigError
from headrace.host.settings import settle
from headrace.testing import Client
from tests.e2e.serving import APPS, ask, program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(30)]


TYPED = "import time; time.sleep(0.1)\np secret\nc\n"  # longer than either deadline


def test_breakpoint_stops_a_request_for_as_long_as_it_takes() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "headrace", "serve", "puzzling.py", "--port=0", "--debug"],
        cwd=APPS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        start_line = server.stderr.readline()
        assert start_line.endswith("; debugging: one replica each, no deadlines\n")
        assert "1 replica " in server.stderr.readline()
        assert server.stdin
        server.stdin.write(TYPED)
        server.stdin.flush()
        url = start_line.split(" at ")[1].split()[0]
        answer = ask(url, "/predict", 6, headers={"X-Request-Timeout-Seconds": "0.05"})
        assert answer.json() == [42, server.pid, True]
    finally:
        server.terminate()
        out, err = server.communicate(timeout=10)
    assert "(Pdb) 42\n" in out
    assert server.returncode == 0
    assert [line.partition("{")[0].split()[1:] for line in err.splitlines()] == [["INFO"]]
    assert '"event":"stop"' in err, "the record of its end, and nothing else"


def test_another_host_is_refused() -> None:
    with program("-m", "headrace", "serve", "puzzling.py", "--debug", "--host=0.0.0.0") as refused:
        assert refused.exit_code() == 2
    assert "host must be 127.0.0.1, not 0.0.0.0" in refused.terminal


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "example.org"])  # noqa: S104
def test_debug_is_for_this_machine_only(host: str) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        settle({"debug": True, "host": host})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_has_many_names(host: str) -> None:
    assert settle({"debug": True, "host": host}).debug


@hr.deployment(timeout_s=0.01)
class Raises(hr.Model):
    def predict(self, value: int) -> int:
        time.sleep(0.02)
        return self.inner(value)

    def inner(self, value: int) -> int:
        raise KeyError(f"no {value} here")


class Fine(hr.Model):
    async def predict_batch(self, values: list[Any]) -> list[Any]:
        return values


def test_an_answer_tells_where_the_hook_raised() -> None:
    with Client(Raises, debug=True) as client:
        told = client.post("/predict", json=7).json()
    assert told["detail"] == "predict raised KeyError: 'no 7 here'"
    lines = told["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyError: 'no 7 here'"
    assert "test_debug.py" in lines[1], "ours are left out"


def test_without_debug_nothing_is_told() -> None:
    with Client(Fine, hr.Server(Raises, max_body_bytes=9)) as client:
        told = client.post("/raises", json=7).json()
    assert "traceback" not in told
    assert "no 7 here" not in str(told)


def test_the_engine_is_checked_after_every_turn(caplog: pytest.LogCaptureFixture) -> None:
    with Client(Fine, debug=True) as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: client.post("/predict", json=n).json(), range(100))
        assert list(answers) == list(range(100))
    assert "a bug in Headrace" not in caplog.text
