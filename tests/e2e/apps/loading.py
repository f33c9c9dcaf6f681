"""Models that come and go; what they do is written to the file named by JOURNAL."""

from __future__ import annotations

import os
import time
from pathlib import Path

import headrace as hr

JOURNAL = Path(os.environ.get("JOURNAL", os.devnull))
BALLAST_BYTES = int(os.environ.get("BALLAST_BYTES", "0"))


def note(words: str) -> None:
    with JOURNAL.open("a") as journal:
        journal.write(f"{words}\n")


class Guest(hr.Model):
    """Comes, and goes."""

    def setup(self) -> None:
        note(f"setup {type(self).__name__}")
        for step in range(int(os.environ.get("STEPS", "0"))):
            self.loading(step + 1, 20, "weights")
            time.sleep(0.1)
        if Path(os.environ.get("BROKEN", "/nowhere")).exists():
            raise RuntimeError("a secret of the weights")
        self.ballast = b"x" * BALLAST_BYTES

    def predict(self, x: float) -> dict[str, float]:
        time.sleep(x)
        return {"pid": os.getpid()}

    def teardown(self) -> None:
        note(f"teardown {type(self).__name__}")


@hr.deployment(load="lazy")
class Lazy(Guest):
    pass


@hr.deployment(load="lazy", idle_unload_s=3)
class Brief(Guest):
    pass


@hr.deployment(load="background")
class Behind(Guest):
    pass


@hr.deployment(load="lazy")
class A(Guest):
    pass


@hr.deployment(load="lazy")
class B(Guest):
    pass


@hr.deployment(load="lazy")
class C(Guest):
    pass
