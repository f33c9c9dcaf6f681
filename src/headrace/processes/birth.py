"""Start a replica process: a fresh interpreter with exactly the file descriptors it needs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.replica.page import Page, make_page_fd


@dataclass(frozen=True, slots=True)
class Newborn:
    """A started replica, and the worker's end of everything it shares with it."""

    process: subprocess.Popen[bytes]
    sock: socket.socket
    page: Page
    output_fd: int


def bear(environment: Mapping[str, str], arena_fd: int = -1) -> Newborn:
    """Start a replica whose environment is ours plus `environment`; a negative arena is none.

    Call it from a thread that outlives the replica: the kernel ends it with that thread.
    Raises OSError.
    """
    ours, theirs = socket.socketpair()
    page_fd = make_page_fd()
    output, output_end = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own words
            [
                *(sys.executable, "-m", "headrace.replica"),
                *map(str, (theirs.fileno(), page_fd, arena_fd, os.getpid())),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output_end,
            stderr=output_end,
            pass_fds=(theirs.fileno(), page_fd, *([arena_fd] if arena_fd >= 0 else [])),
            process_group=0,  # Ctrl-C is for the worker, which then ends its replicas in order
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
        page = Page(page_fd)
        page.lift()
    except BaseException:
        ours.close()
        os.close(output)
        raise
    finally:
        theirs.close()
        os.close(page_fd)
        os.close(output_end)
    ours.settimeout(0)
    os.set_blocking(output, False)
    return Newborn(process, ours, page, output)
