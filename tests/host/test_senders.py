"""Who sent a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from headrace.host import senders
from headrace.host.audit import Asker
from headrace.host.senders import SI_KERNEL, asker_of
from tests.support.waiting import until

STOP = {signal.SIGTERM, signal.SIGINT}


async def heard(count: int, *senders_of: list[str]) -> list[Asker]:
    """Return whom the loop heard, once there are so many."""
    askers: list[Asker] = []
    told = asyncio.Event()

    def hear(asker: Asker) -> None:
        askers.append(asker)
        if len(askers) == count:
            told.set()

    with senders.read(STOP, hear):
        for command in senders_of:
            subprocess.run(command, check=True)
        await asyncio.wait_for(told.wait(), 10)
    return askers


def test_a_signal_is_heard_with_its_sender() -> None:
    askers = asyncio.run(
        heard(
            2,
            ["/bin/sh", "-c", f"kill -TERM {os.getpid()}"],
            ["/bin/sh", "-c", f"kill -INT {os.getpid()}"],
        )
    )
    second, first = sorted(askers, key=lambda asker: asker.signal)  # the kernel has its own order
    assert (first.why, first.signal, first.uid) == ("signal", "SIGTERM", os.getuid())
    assert second.signal == "SIGINT"
    assert first.pid not in (0, os.getpid())
    assert first.pid != second.pid


def test_afterwards_signals_are_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    caught = threading.Event()
    own = signal.signal(signal.SIGTERM, lambda *_: caught.set())
    try:
        asyncio.run(heard(1, ["/bin/sh", "-c", f"kill -TERM {os.getpid()}"]))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
        assert not caught.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught.wait(10)
    finally:
        signal.signal(signal.SIGTERM, own)


def test_a_process_is_named_without_its_arguments(tmp_path: Path) -> None:
    place = tmp_path / "headrace"
    place.write_text("import sys; sys.stdin.read()")
    words = [sys.executable, str(place), "stop", "--pidfile", "x"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as command:
        told = ("cli", "headrace stop")  # once its new program has begun

        def is_told() -> bool:
            ours = asker_of("SIGTERM", 0, command.pid, 0)
            return (ours.why, ours.who) == told

        assert until(is_told)
        assert command.stdin is not None
        command.stdin.close()
    assert asker_of("SIGTERM", 0, command.pid, 0).who == "a process that has ended"
    assert asker_of("SIGINT", SI_KERNEL, 0, 0).who == "the terminal"
    assert "container" in asker_of("SIGTERM", 0, 0, 0).who
