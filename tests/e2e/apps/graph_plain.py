"""Plain functions and classes, one for each thing that they may take and give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import headrace as hr


@hr.deployment(route="/numbers")
def numbers() -> Iterator[str]:
    for number in range(3):
        yield f"number {number}"


@hr.deployment(route="/things")
async def things() -> AsyncIterator[dict[str, int]]:
    for number in range(3):
        yield {"number": number}


@hr.deployment(route="/breaks")
async def breaks() -> AsyncIterator[str]:
    yield "good"
    raise ValueError("bad")


def parse(body: bytes) -> list[str]:
    return body.decode().split(",")


@hr.deployment(route="/parsed")
def parsed(words: Annotated[list[str], hr.Decode(parse)]) -> int:
    return len(words)


@hr.deployment(route="/context")
async def context(request: hr.Request) -> dict[str, Any]:
    here = hr.current_context()
    here.status = 201
    here.response_headers["x-mine"] = "yes"
    await asyncio.sleep(0)
    return {"id": here.request_id, "seen": request.headers["x-request-id"], "fresh": not here}


@hr.deployment(route="/by-handle")
class ByHandle:
    def twice(self, x: int) -> int:
        return 2 * x


@hr.deployment(route="/raised")
def raised(_request: hr.Request) -> None:
    raise hr.HTTPError(409, "not now", {"x-when": "later"})


hr.run(numbers, things, breaks, parsed, context, ByHandle, raised)
