"""Models that sit in calls of every kind, until somebody ends them."""

import ctypes
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import headrace as hr


def mark(path: str) -> None:
    with Path(path).open("a") as marks:
        marks.write("x")


class Sits(hr.Model):
    def predict(self, wish: str, value: Any = None) -> Any:
        return getattr(self, wish)(value)

    def pid(self, _: Any) -> int:
        return os.getpid()

    def sleep(self, path: str) -> None:
        mark(f"{path}.begun")
        try:
            time.sleep(30)
        finally:
            mark(f"{path}.ended")

    def loop(self, path: str) -> None:
        mark(f"{path}.begun")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pass

    def stubborn(self, path: str) -> str:
        """Swallow Cancelled, and return in spite of it."""
        mark(f"{path}.begun")
        try:
            time.sleep(30)
        except hr.Cancelled:
            return "swallowed"
        return "slept"

    def in_c(self, path: str) -> None:
        """Compute in C without the GIL: it hears nothing for longer than any test waits."""
        mark(f"{path}.begun")
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1 << 30)

    def in_c_with_the_gil(self, path: str) -> None:
        """Compute in C with the GIL: nothing of Python runs meanwhile, in any thread."""
        mark(f"{path}.begun")
        sum(range(10**11))

    def in_libc(self, path: str) -> None:
        """Sleep in C, holding the GIL; libc's sleep ends at any signal."""
        mark(f"{path}.begun")
        ctypes.PyDLL(None).sleep(30)


@hr.deployment(name="plain")
class Plain(Sits):
    pass


@hr.deployment(name="hasty", cancel_grace_s=0.5)
class Hasty(Sits):
    pass


@hr.deployment(name="pair", replicas=2, cancel_grace_s=0.3)
class Pair(Sits):
    pass


@hr.deployment(name="threads", max_ongoing_requests=2, cancel_grace_s=0.3)
class Threads(Sits):
    def nap(self, path: str) -> int:
        mark(f"{path}.begun")
        while not Path(f"{path}.go").exists():
            time.sleep(0.01)
        return os.getpid()


@hr.deployment(name="calm", interruptible=False)
class Calm(Sits):
    def nap(self, path: str) -> None:
        mark(f"{path}.begun")
        try:
            time.sleep(1)
        except hr.Cancelled:
            mark(f"{path}.ended")


@hr.deployment(name="batched", max_batch_size=2, batch_wait_s=0.3)
class Batched(hr.Model):
    def predict_batch(self, paths: list[str]) -> list[int]:
        if paths == ["pid"]:
            return [os.getpid()]
        for path in paths:
            mark(f"{path}.begun")
        time.sleep(30)
        return [0] * len(paths)
