"""Models whose requests go on as jobs: one that takes its time and says so, one that streams."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headrace as hr


@hr.deployment(route="/work")
class Work(hr.Model):
    """Takes so many steps of so many seconds; writes down each time that it begins.

    With a `gate` it takes as many steps as that file says, and waits for more.
    """

    def predict(
        self, context: hr.Context, name: str, steps: int = 1, step_s: float = 0.0, gate: str = ""
    ) -> dict[str, Any]:
        if "JOBS_LOG" in os.environ:
            with Path(os.environ["JOBS_LOG"]).open("a") as log:
                log.write(f"{name} {context.job_id} {context.attempt}\n")
        for step in range(steps):
            context.progress(step, steps, f"step {step}")
            time.sleep(step_s)
            while gate and int(Path(gate).read_text() or 0) <= step:
                time.sleep(0.01)
        context.progress(steps, steps, "done")
        if name == "fault":
            raise hr.HTTPError(422, "never again")
        return {"name": name, "steps": steps, "attempt": context.attempt}


@hr.deployment(route="/spell")
class Spell(hr.Model):
    """Gives a line for each letter."""

    def predict(self, word: str) -> Iterator[dict[str, str]]:
        for letter in word:
            yield {"letter": letter}


@hr.deployment(route="/measure")
class Measure(hr.Model):
    def predict(self, body: bytes) -> bytes:
        return body[::-1]


@hr.deployment(route="/page")
class Page:
    """Any method, any path below its prefix."""

    async def __call__(self, request: hr.Request) -> dict[str, Any]:
        body = await request.body()
        said = {"method": request.method, "path": request.url.path, "x": request.query_params["x"]}
        return {**said, "mine": request.headers.get("x-mine"), "body": body.decode()}
