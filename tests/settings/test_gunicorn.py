"""A Gunicorn configuration is imported loudly: each line has its effect, or its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.errors import ConfigError
from headrace.settings.gunicorn import HOOKS, KNOWN, NAMES, WITHOUT_MEANING
from headrace.settings.imported import interpret
from headrace.settings.layers import settle_layers
from headrace.settings.python_file import run_file
from headrace.settings.table import TABLE
from headrace.settings.toml import FileSaid

REAL = """\
import os
PORT_ENV = "APP_PORT"
port = os.environ.get(PORT_ENV, "5000")
cores = 2
web_concurrency = cores * 2 + 1
bind = "0.0.0.0%s" % port
workers = 2
threads = 4
keep_alive = 5
daemon = 'false'
timeout = 100000
limit_request_field_size = 0
"""
"""As found in the world; its log files stand in test_configuring.py."""


def read(folder: Path, text: str, *, lenient: bool = False) -> FileSaid:
    file = folder / "conf.py"
    file.write_text(text)
    try:
        said = interpret("conf.py", run_file(str(file)), lenient=lenient)
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(file), "conf.py")) from None
    return said


def test_the_faults_of_a_real_file_are_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, REAL)
    colon, keep_alive = str(error.value).splitlines()
    assert colon.startswith("conf.py:6: `bind` must be host:port")
    assert "0.0.0.0:5000" in colon
    assert keep_alive.startswith(
        "conf.py:9: there is no setting `keep_alive`; did you mean `keepalive`?"
    )


def test_with_these_mended_it_is_taken_with_two_warnings(tmp_path: Path) -> None:
    mended = REAL.replace("0.0.0.0%s", "0.0.0.0:%s").replace("keep_alive", "keepalive")
    found = read(tmp_path, mended)
    timeout, field_size = found.notes
    assert timeout.startswith("conf.py:11: timeout = 100000: ")
    assert field_size.startswith("conf.py:12: limit_request_field_size = 0: ")
    settings = settle_layers(found.settings).settings
    assert settings.bind == ("0.0.0.0:5000",)
    assert (settings.workers, settings.threads, settings.daemon) == (2, 4, False)
    assert (settings.keep_alive_timeout_s, settings.worker_timeout_s) == (5, 100000)


def test_lenient_makes_a_near_miss_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, "keep_alive = 5\n", lenient=True)
    assert found.settings == {}
    assert "did you mean `keepalive`" in found.notes[0]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("bind = '127.0.0.1'", "bind", ("127.0.0.1:8000",)),
        ("bind = ':9000'", "bind", (":9000",)),
        ("bind = ['unix:/run/a', 'fd://3']", "bind", ("unix:/run/a", "fd://3")),
        ("bind = '127.0.0.1:1,[::1]:2'", "bind", ("127.0.0.1:1", "[::1]:2")),
        ("raw_env = ['A=1', 'B=x=y']", "env", {"A": "1", "B": "x=y"}),
        ("workers = '3'", "workers", 3),
        ("umask = '022'", "umask", 0o22),
        ("umask = 0o22", "umask", 0o22),
        ("reload = True", "dev", True),
        ("reload = 'stop_first'", "reload", "stop_first"),
        ("user = 33", "user", "33"),
        ("forwarded_allow_ips = '10.0.0.1,10.0.0.2'", "trusted_proxies", ("10.0.0.1", "10.0.0.2")),
        ("limit_request_line = 8190", "max_url_bytes", 8190),
        ("max_body_bytes = '8 MiB'", "max_body_bytes", 8 << 20),
        ("loglevel = 'debug'", "log_level", "debug"),
    ],
)
def test_its_values_become_ours(tmp_path: Path, line: str, name: str, value: object) -> None:
    found = read(tmp_path, line)
    assert {key: one.value for key, one in found.settings.items()} == {name: value}
    assert found.settings[name].source == "conf.py:1"
    assert found.notes == ()


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_told_not_to_run_and_what_to_do(tmp_path: Path, hook: str) -> None:
    (note,) = read(tmp_path, f"def {hook}(*args):\n    raise AssertionError\n").notes
    assert note == f"conf.py:1: the hook `{hook}` is not run; {HOOKS[hook]}"


@pytest.mark.parametrize("name", WITHOUT_MEANING)
def test_a_setting_without_meaning_is_told(tmp_path: Path, name: str) -> None:
    (note,) = read(tmp_path, f"{name} = 1\n").notes
    assert note.startswith(f"conf.py:1: `{name}` has no effect; ")


@pytest.mark.parametrize(
    "text",
    [
        "import multiprocessing as worker",
        "for worker in (): pass",
        "WORKERS = 4",
        "_worker = 4",
        "path = object()",
    ],
)
def test_a_users_own_name_is_nobodys_business(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == FileSaid()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workers = \n", "conf.py:1: invalid syntax"),
        ("a = 1\nb = a / 0\n", "conf.py:2: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "conf.py:1: SystemExit: 3"),
        ("workers = object()\n", "conf.py:1: `workers` must be plain data"),
        ("workers = 'many'\n", "conf.py:1: `workers` must be a whole number, not 'many'"),
        ("def post_frok(server, worker): pass\n", "did you mean `post_fork`?"),
        ("if True:\n    worker = 3\n", "conf.py:2: there is no setting `worker`"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert words in str(error.value)


def test_every_name_has_one_meaning() -> None:
    assert not set(HOOKS) & set(WITHOUT_MEANING)
    assert not (set(HOOKS) | set(WITHOUT_MEANING)) & (set(TABLE) | set(NAMES))
    assert len(set(NAMES.values())) == len(NAMES)
    assert set(NAMES) <= set(KNOWN)
