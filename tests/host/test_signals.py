from __future__ import annotations

import os

from headrace.host.signals import reap_strangers
from tests.support.waiting import until


def ended_child() -> int:
    """Return a child that has ended, and waits to be reaped."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def is_here(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_strangers_are_buried_and_our_own_are_left_to_who_watches_them() -> None:
    ours = ended_child()
    reap_strangers({ours})
    assert is_here(ours)
    os.waitpid(ours, 0)
    strangers = [ended_child() for _ in range(3)]
    reap_strangers({ours})
    assert not any(map(is_here, strangers))
    reap_strangers(set())  # nobody is left: no error
    assert until(lambda: not is_here(ours))
