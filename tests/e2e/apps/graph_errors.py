"""An ingress whose views fail, each in its own way."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import headrace as hr

app = FastAPI()


class Taken(hr.HTTPError):
    """Has a handler of the application's own."""


class Strict(hr.Model):
    """Refuses all that is asked."""

    def predict(self, name: str) -> str:
        raise hr.HTTPError(409, f"{name} is taken", {"X-Hint": "another name"})


@hr.deployment(max_ongoing_requests=1)
class Slow(hr.Model):
    """Is never done in time."""

    def predict(self, name: str, context: hr.Context) -> str:
        while not context.cancelled:
            pass
        time.sleep(60)  # it knows when its time is over, and may know it first
        return name


@app.exception_handler(Taken)
async def answer(request: Request, error: Taken) -> JSONResponse:
    return JSONResponse({"own": str(error)}, 418)


@hr.ingress(app)
class Views:
    """Fails."""

    def __init__(self, strict: hr.Handle, slow: hr.Handle) -> None:
        self.strict, self.slow = strict, slow

    @app.get("/own")
    async def own(self) -> None:
        raise hr.HTTPError(402, "pay first")

    @app.get("/callee")
    async def callee(self) -> Any:
        return await self.strict("ada")

    @app.get("/late")
    async def late(self) -> Any:
        return await self.slow.options(timeout_s=0.2)("ada")

    @app.get("/handled")
    async def handled(self) -> None:
        raise Taken(409, "taken")

    @app.get("/bug")
    async def bug(self) -> None:
        raise ValueError("a secret")


server = hr.Server(hr.bind(Views, hr.bind(Strict), hr.bind(Slow)))
