"""A replica does not outlive its worker: the kernel ends it, whatever it is doing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the worker's thread ends; exit if it already has.

    Linux only (prctl(2)); elsewhere the end of the socket's stream is what a replica notices. Call
    it after exec: the wish does not survive one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
