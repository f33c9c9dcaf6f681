"""A stop waits for threads that work, and not for those that a pool keeps."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from headrace.host.leftovers import at_work
from tests.support.waiting import until


def test_a_pools_idle_threads_are_no_work_and_its_busy_ones_are() -> None:
    before, gate = frozenset(threading.enumerate()), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        assert until(lambda: at_work(before) == [])
        busy = pool.submit(lambda: gate.wait(10))
        assert until(lambda: len(at_work(before)) == 1)
        gate.set()
        busy.result()
        assert until(lambda: at_work(before) == [])


def test_a_timer_that_is_still_to_fire_is_work_and_a_daemon_is_not() -> None:
    before, gate = frozenset(threading.enumerate()), threading.Event()
    timer, daemon = threading.Timer(60, int), threading.Thread(target=lambda: gate.wait(10))
    daemon.daemon = True
    timer.start()
    daemon.start()
    assert at_work(before) == [timer]
    timer.cancel()
    gate.set()
    timer.join()
    daemon.join()
