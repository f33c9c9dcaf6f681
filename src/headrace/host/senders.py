"""Who sent a signal: the kernel tells it to whoever reads signals from a descriptor.

A handler is not told. So in the arbiter, where no code of users runs, the signals that end a server
are blocked and read (signalfd(2)). Who starts a process meanwhile has it unblock them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import struct
import sys
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path

from headrace.host.audit import Asker

SIGSET_BYTES, INFO_BYTES = 128, 128
_HEAD = struct.Struct("=IiiII")  # signalfd_siginfo: number, errno, code, pid, uid
SI_KERNEL = 0x80


@contextlib.contextmanager
def read(numbers: Collection[signal.Signals], heard: Callable[[Asker], None]) -> Iterator[None]:
    """Let the running event loop hear who sent one of these, for as long as the block lasts.

    Where the kernel has no such descriptor nothing changes: handlers are called as ever.
    """
    fd = _signalfd(numbers)
    if fd < 0:
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    loop.add_reader(fd, _take, fd, heard)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        os.close(fd)
        for number in signal.sigpending() & set(numbers):
            signal.sigwait({number})  # it came too late to change anything
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Hear every signal: whoever started this process may have blocked some."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _take(fd: int, heard: Callable[[Asker], None]) -> None:
    try:
        info = os.read(fd, INFO_BYTES)
    except BlockingIOError:
        return
    number, _, code, pid, uid = _HEAD.unpack_from(info)
    heard(asker_of(signal.Signals(number).name, code, pid, uid))


def asker_of(name: str, code: int, pid: int, uid: int) -> Asker:
    """Return who sent a signal, from what the kernel says of it."""
    if code == SI_KERNEL:
        return Asker("signal", "the terminal", signal=name)
    if not pid:
        return Asker("signal", "a process outside of this container", signal=name)
    words = _command(pid)
    is_ours = any(
        os.path.basename(one) == "headrace" and then == "stop"  # noqa: PTH119 - text
        for one, then in pairwise(words)
    )
    why, who = ("cli", "headrace stop") if is_ours else ("signal", _name(pid))
    return Asker(why, who, signal=name, pid=pid, uid=uid)


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _name(pid: int) -> str:
    """Return a process's name, and not its arguments: there may be secrets among them."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "a process that has ended"


def _signalfd(numbers: Collection[signal.Signals]) -> int:
    """Return a descriptor that these signals are read from; -1 where there is none."""
    if sys.platform != "linux":
        return -1
    bits = sum(1 << (number - 1) for number in numbers)
    mask = ctypes.create_string_buffer(bits.to_bytes(SIGSET_BYTES, sys.byteorder), SIGSET_BYTES)
    try:
        make = ctypes.CDLL(None).signalfd
    except AttributeError:
        return -1
    found: int = make(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
    return found
