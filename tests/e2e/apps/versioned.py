"""A plain application that tells its version, sleeps, hangs, starts slowly or not at all."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

VERSION = Path(os.environ["VERSION"]).read_text() if "VERSION" in os.environ else "one"
if VERSION == "broken":
    raise ValueError("this version is broken")


async def live(
    receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    await receive()
    await asyncio.sleep(float(os.environ.get("SLOW", "0")))
    if VERSION == "unfit":
        raise OSError("weights.bin is missing")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("released", VERSION, flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    if scope["path"] == "/sleep":
        await asyncio.sleep(1.0)
    if scope["path"] == "/hang":
        time.sleep(60)  # that is the fault it shows
    body = f"{VERSION} {os.getpid()}".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
