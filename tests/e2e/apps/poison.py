"""Models that one request brings down, beside one that has nothing to do with it."""

import ctypes
import os
from pathlib import Path
from typing import Any

import headrace as hr

HAS_CRASHED = Path(os.environ.get("HAS_CRASHED", "/nonexistent"))


def answer(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("poison"):
        ctypes.string_at(0)
    nonce = body["nonce"]
    return {"predicted": nonce, "decoded": nonce, "encoded": nonce, "pid": os.getpid()}


@hr.deployment(name="single", replicas=2)
class Single(hr.Model):
    def predict(self, body: dict[str, Any]) -> dict[str, Any]:
        return answer(body)


@hr.deployment(name="batch", replicas=2, max_batch_size=8)
class Batch(hr.Model):
    def predict_batch(self, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [answer(body) for body in bodies]


@hr.deployment(name="brittle", replicas=2)
class Brittle(Single):
    """Once a replica has crashed, no setup works any more."""

    def setup(self) -> None:
        if HAS_CRASHED.exists():
            raise RuntimeError("broken by the crash before")

    def predict(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("poison"):
            HAS_CRASHED.touch()
        return super().predict(body)


@hr.deployment(name="deadly")
class Deadly(hr.Model):
    def predict(self, body: dict[str, Any]) -> None:
        ctypes.string_at(0)
