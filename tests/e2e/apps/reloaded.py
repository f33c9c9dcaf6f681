"""Models that tell the version of their code; some cannot be loaded, one has a route more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headrace as hr

VERSION = Path(os.environ["VERSION"]).read_text()
if VERSION == "broken":
    raise ValueError("this version is broken")


@hr.deployment(route="/tell", replicas=2)
class Tell(hr.Model):
    def setup(self) -> None:
        if VERSION == "unfit":
            raise OSError("weights.bin is missing")

    def predict(self, value: Any) -> list[Any]:
        return [VERSION, value, os.getpid()]


@hr.deployment(route="/stream", max_ongoing_requests=8)
class Stream(hr.Model):
    def setup(self) -> None:
        print("loads", VERSION, flush=True)

    def predict(self, items: int, every_s: float = 0.0) -> Iterator[str]:
        for number in range(items):
            yield f"{VERSION} {number}\n"
            time.sleep(every_s)

    def teardown(self) -> None:
        print("released", VERSION, flush=True)


if VERSION == "more":

    @hr.deployment(route="/more")
    class More(hr.Model):
        def predict(self, value: int) -> int:
            return value + 1
