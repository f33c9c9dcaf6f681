"""A program's own server is reloaded: from its files, by SIGHUP, or with classes it is given."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace as hr
from headrace.errors import SetupFailed, StartError
from tests.e2e.models import Echo, Napper
from tests.e2e.serving import ask, program, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

GREETER = """
import headrace as hr


class Greeter(hr.Model):
    def predict(self, name: str) -> str:
        return f"{WORD}, {name}"

WORD = "Hello"

if __name__ == "__main__":
    hr.run(Greeter, port=0)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "greeter_of_a_test.py"
    path.write_text(GREETER)
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop(path.stem, None)


def test_reload_reads_the_files_anew(module: Path) -> None:
    import greeter_of_a_test as greeter  # type: ignore[import-not-found]

    with hr.start(greeter.Greeter, Echo, port=0) as running:
        assert ask(running.url, "/greeter", "Ada").json() == "Hello, Ada"
        module.write_text(GREETER.replace("Hello", "Good day"))
        running.reload()
        assert ask(running.url, "/greeter", "Ada").json() == "Good day, Ada"
        assert ask(running.url, "/echo", 1).json() == 1
        module.write_text("raise ValueError('not today')")
        with pytest.raises(StartError, match="not today"):
            running.reload()
        assert ask(running.url, "/greeter", "Ada").json() == "Good day, Ada"


def test_other_classes_take_over_and_the_program_hears_of_one_that_fails() -> None:
    class Unfit(hr.Model):
        def setup(self) -> None:
            raise OSError("weights are missing")

        def predict(self, value: int) -> int:
            return value

    with hr.start(Echo, port=0) as running:
        assert ask(running.url, "/predict", 1).json() == 1
        with pytest.raises(SetupFailed, match="weights are missing") as failed:
            running.reload(Unfit)
        assert "in setup" in failed.value.traceback
        assert ask(running.url, "/predict", 2).json() == 2
        running.reload(Echo, Napper)
        assert ask(running.url, "/echo", 3).json() == 3
        assert ask(running.url, "/predict", 3).status_code == 404
        assert set(running.status()["deployments"]) == {"echo", "napper"}


def test_a_session_gives_the_class_that_it_has_defined_anew() -> None:
    def defined(word: str) -> type[hr.Model]:
        class Greeter(hr.Model):
            def predict(self, name: str) -> str:
                return f"{word}, {name}"

        return Greeter

    with hr.start(defined("Hello"), port=0) as running:
        assert ask(running.url, "/predict", "Ada").json() == "Hello, Ada"
        running.reload(defined("Good day"))
        assert ask(running.url, "/predict", "Ada").json() == "Good day, Ada"
        running.reload()  # in no file: it comes as it was
        assert ask(running.url, "/predict", "Ada").json() == "Good day, Ada"


def test_reloads_from_many_threads_end_well() -> None:
    with hr.start(Echo, port=0) as running:
        threads = [threading.Thread(target=running.reload) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert ask(running.url, "/predict", 1).json() == 1


def test_a_stopped_server_is_not_reloaded() -> None:
    with hr.start(Echo, port=0) as running:
        pass
    with pytest.raises(RuntimeError, match="stopped"):
        running.reload()


def test_a_script_is_reloaded_by_a_signal(module: Path) -> None:
    with program(str(module)) as server:
        server.wait_until_serving()
        module.write_text(GREETER.replace("Hello", "Good day"))
        server.signal(signal.SIGHUP)
        server.wait_for_line("the new code serves")
        assert ask(server, "/predict", "Ada").json() == "Good day, Ada"
        module.write_text("this is no Python")
        server.signal(signal.SIGHUP)
        server.wait_for_line("reload failed")
        assert ask(server, "/predict", "Ada").json() == "Good day, Ada"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    wait_for(lambda: "SyntaxError" in server.terminal, "the reason")
