"""Every way of starting works; a start that fails says why, with its own exit code."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.serving import APPS, ask, is_alive, program, served, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(20)]

OURS = "src/headrace"
FAILURES = [
    # target, exit code, what the message must say, whether the user's own traceback belongs there
    ("nowhere.py", 4, "there is no file nowhere.py", False),
    ("nowhere:Model", 4, "there is no module nowhere", False),
    ("hello:Hallo", 4, "has no Hallo", False),
    ("hello.py:Helo", 4, "did you mean", False),
    ("hello:__name__", 2, "cannot serve", False),
    ("no_predict.py", 2, "predict", False),
    ("broken_import.py", 4, "No module named 'no_such_library'", True),
    ("broken_setup.py", 3, "weights.bin is missing", True),
]


@pytest.mark.parametrize(("target", "code", "words", "traced"), FAILURES)
def test_a_failed_start_tells_why_once(target: str, code: int, words: str, *, traced: bool) -> None:
    with program("-m", "headrace", "serve", target, "--port=0") as server:
        assert server.exit_code() == code, server.terminal
    messages = [line for line in server.lines if line.startswith("headrace: ")]
    assert len(messages) == 1, server.terminal
    assert words in messages[0]
    assert server.lines[-1] == messages[0]
    assert ("Traceback" in server.terminal) is traced
    assert OURS not in server.terminal
    if traced:
        assert target in server.terminal


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with program("-m", "headrace", "serve", "hello.py", f"--port={port}") as server:
            assert server.exit_code() == 5
        assert server.lines[0].startswith(f"headrace: port {port} on 127.0.0.1 is in use")
        assert len(server.lines) == 1


def test_an_unknown_flag_is_told() -> None:
    with program("-m", "headrace", "serve", "hello.py", "--prot=1") as server:
        assert server.exit_code() == 2
    assert "--port" in server.terminal


SPELLINGS = ["hello.py", "hello.py:Hello", "hello:Hello", str(APPS / "hello.py")]


@pytest.mark.parametrize("target", SPELLINGS)
def test_every_spelling_of_a_target_serves(target: str) -> None:
    with served(target) as server:
        answer = ask(server, "/predict", "Ada")
        assert (answer.status_code, answer.json()) == (200, "Hello, Ada!")


@pytest.mark.parametrize("script", ["guarded", "unguarded"])
def test_a_script_serves_its_own_class(script: str) -> None:
    with program(f"{script}.py") as server:
        server.wait_until_serving()
        assert ask(server, "/predict", "x").json() == f"{script} x"
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0
        assert ("returned" in server.lines) is (script == "guarded")


@pytest.mark.parametrize("script", ["guarded", "unguarded"])
def test_a_script_is_served_by_the_command_too(script: str) -> None:
    with served(f"{script}.py") as server:
        assert ask(server, "/predict", "x").json() == f"{script} x"


def test_a_script_whose_port_is_taken_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code = f"import headrace as hr, hello\nhr.run(hello.Hello, port={taken.getsockname()[1]})\n"
        with program("-c", code) as server:
            assert server.exit_code() == 5
    assert server.lines[0].startswith("headrace: port")
    assert "Traceback" not in server.terminal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_it_loads_ends_it(number: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    env = {"MARK": str(mark)}
    with program("-m", "headrace", "serve", "slow_start.py", "--port=0", env=env) as server:
        wait_for(lambda: mark.exists() and mark.read_text(), "the setup to begin")
        server.signal(number)
        assert server.exit_code(3) == 0
        assert not is_alive(int(mark.read_text()))
    assert OURS not in server.terminal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stop_while_it_imports_leaves_no_process(number: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    env = {"MARK": str(mark), "SLOW": "import"}
    with program("-m", "headrace", "serve", "slow_start.py", "--port=0", env=env) as server:
        wait_for(lambda: mark.exists() and mark.read_text(), "the import to begin")
        server.signal(number)
        server.exit_code()
        wait_for(lambda: not is_alive(int(mark.read_text())), "the end of the importing child", 1.0)
    assert OURS not in server.terminal
