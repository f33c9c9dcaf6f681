from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from headrace.host.systemd import Notifier, inherited


def test_without_systemd_nothing_is_said_and_nothing_fails() -> None:
    notifier = Notifier({})
    notifier.ready("fine")
    assert notifier.watchdog_s == 0


def test_a_listener_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("fine")


def test_a_listener_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):
            notifier.alive()


def test_an_abstract_address_is_understood_and_kept_from_children() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0headrace-{os.getpid()}")
        systemd.settimeout(5)
        environment = {"NOTIFY_SOCKET": f"@headrace-{os.getpid()}", "WATCHDOG_USEC": "3000000"}
        notifier = Notifier(environment)
        notifier.ready("fine")
        assert systemd.recv(100) == b"READY=1\nSTATUS=fine"
    assert environment == {}
    assert notifier.watchdog_s == 1.5


@pytest.mark.parametrize(
    ("pid", "count", "fds"),
    [("ours", "2", [3, 4]), ("1", "2", []), ("ours", "x", []), ("", "", [])],
)
def test_sockets_are_taken_only_if_they_are_meant_for_us(
    pid: str, count: str, fds: list[int]
) -> None:
    pid = str(os.getpid()) if pid == "ours" else pid
    environment = {"LISTEN_PID": pid, "LISTEN_FDS": count, "LISTEN_FDNAMES": "http"}
    assert inherited(environment) == fds
    assert environment == {}
