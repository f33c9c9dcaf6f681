"""Models that tests start in their own process; a replica imports them from here."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import headrace as hr


class Echo(hr.Model):
    def predict(self, value: Any) -> Any:
        return value


class Napper(hr.Model):
    async def predict(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds


class Unready(hr.Model):
    def setup(self) -> None:
        raise RuntimeError("no weights here")

    def predict(self, value: Any) -> Any:
        return value


class DiesLoading(hr.Model):
    def setup(self) -> None:
        print("about to end", flush=True)
        os._exit(9)

    def predict(self, value: Any) -> Any:
        return value


@hr.deployment(startup_timeout_s=0.5)
class LoadsForEver(hr.Model):
    def setup(self) -> None:
        time.sleep(30)

    def predict(self, value: Any) -> Any:
        return value


class TearsDown(hr.Model):
    def predict(self, path: str) -> None:
        self._path = path

    def teardown(self) -> None:
        Path(self._path).write_text("torn down")


@hr.deployment(executor="inline")
class Inline(hr.Model):
    async def predict(self, value: Any) -> int:
        return os.getpid()
