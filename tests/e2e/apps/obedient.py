"""Models that do what a request tells them, each kind under its own route."""

import asyncio
import ctypes
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import headrace as hr

log = logging.getLogger("obedient")


def mark(path: str) -> None:
    with Path(path).open("a") as marks:
        marks.write("x")


@hr.deployment(name="sync", max_queued_requests=4)
class Sync(hr.Model):
    def predict(self, wish: str, value: Any = None) -> Any:
        return getattr(self, wish)(value)

    def echo(self, value: Any) -> Any:
        return value

    def pid(self, _: Any) -> int:
        return os.getpid()

    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def mark(self, path: str) -> None:
        mark(path)

    def mark_and_sleep(self, path: str) -> None:
        mark(path)
        time.sleep(30)

    def mark_and_sit_in_c(self, path: str) -> None:
        """Hold the GIL in a C call that hears no signal but SIGKILL."""
        mark(path)
        ctypes.PyDLL(None).sleep(30)

    def fail(self, words: str) -> None:
        raise ValueError(words)

    def tell(self, words: str) -> None:
        print(f"printed {words}")
        log.warning("logged %s", words)

    def die(self, number: int) -> None:
        os.kill(os.getpid(), number)
        time.sleep(30)


@hr.deployment(name="async")
class Async(hr.Model):
    async def predict(self, wish: str, value: Any = None) -> Any:
        if wish == "wait":
            return await self.wait(value)
        if wish == "nap":
            await asyncio.sleep(value)
        return value

    async def wait(self, path: str) -> None:
        mark(f"{path}.begun")
        try:
            await asyncio.sleep(30)
        finally:
            mark(f"{path}.stopped")


class Typed(hr.Model):
    def predict(self, name: str, times: list[int]) -> str:
        return name * sum(times)


@hr.deployment(name="sturdy", replicas=2)
class Sturdy(hr.Model):
    """Gives every request back its own nonce, by way of each hook's context."""

    def decode_request(self, request: dict[str, Any], context: hr.Context) -> str:
        context["nonce"] = request["nonce"]
        if request.get("die"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return str(request["nonce"])

    def predict(self, nonce: str, context: hr.Context) -> dict[str, Any]:
        return {"predicted": nonce, "decoded": context["nonce"], "pid": os.getpid()}

    def encode_response(self, output: dict[str, Any], context: hr.Context) -> dict[str, Any]:
        return {**output, "encoded": context["nonce"]}


@hr.deployment(name="batched", replicas=2, max_batch_size=8)
class Batched(Sturdy):
    def predict_batch(self, nonces: list[str], contexts: list[hr.Context]) -> list[dict[str, Any]]:
        return [
            {"predicted": nonce, "decoded": context["nonce"], "pid": os.getpid()}
            for nonce, context in zip(nonces, contexts, strict=True)
        ]
