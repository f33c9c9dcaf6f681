"""Who sent a signal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from headrace.host.audit import Asker
from headrace.host.senders import SI_KERNEL, asker_of
from tests.support.waiting import until

PROGRAM = """
import asyncio, signal, sys, threading, msgspec
from headrace.host import senders

async def hear(count):
    askers, told = [], asyncio.Event()
    def heard(asker):
        askers.append(asker)
        if len(askers) == count:
            told.set()
    with senders.read({signal.SIGTERM, signal.SIGINT}, heard):
        print("listening", flush=True)
        await asyncio.wait_for(told.wait(), 10)
    return askers

caught = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: caught.set())
before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
askers = asyncio.run(hear(int(sys.argv[1])))
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
assert not caught.is_set()
signal.raise_signal(signal.SIGTERM)
assert caught.wait(10), "afterwards signals are as before"
print(msgspec.json.encode(askers).decode(), flush=True)
"""
"""A process of its own: in ours other threads could be given the signal."""


def heard(*names: str) -> list[Asker]:
    """Return whom a process heard that was sent these signals, each by a shell of its own."""
    words = [sys.executable, "-c", PROGRAM, str(len(names))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        for name in names:
            subprocess.run(["/bin/sh", "-c", f"kill -{name} {listener.pid}"], check=True)
        told = listener.stdout.read()
    assert listener.returncode == 0
    return msgspec.json.decode(told, type=list[Asker])


def test_a_signal_is_heard_with_its_sender() -> None:
    askers = heard("TERM", "INT")
    second, first = sorted(askers, key=lambda asker: asker.signal)  # the kernel has its own order
    assert (first.why, first.signal, first.uid) == ("signal", "SIGTERM", os.getuid())
    assert second.signal == "SIGINT"
    assert first.pid not in (0, os.getpid())
    assert first.pid != second.pid


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
