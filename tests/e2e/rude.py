"""Clients of bad manners, as a program of its own: `rude.py MANNERS PORT` prints how they fared.

They come in waves for some seconds; the last line is JSON: how often which status, and how long the
longest of them was kept.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

POST = b"POST /predict HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
PIECE = b"x" * (1 << 16)
MANNERS: dict[
    str, tuple[bytes, bytes, int]
] = {  # what comes first, what again and again, how often
    "headers": (POST + HOST, b"X: " + b"y" * 8000 + b"\r\n", 625),
    "hosts": (POST + HOST + HOST + b"Content-Length: 2\r\n\r\n21", b"", 0),
    "framing": (
        POST + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"",
        0,
    ),
    "bodies": (POST + HOST + b"Content-Length: 68157440\r\n\r\n", PIECE, 1040),
    "chunks": (
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n" + PIECE + b"\r\n",
        1040,
    ),
    "trickle": (POST + HOST + b"Content-Length: 100000\r\n\r\n", b"x" * 100, 10_000),
}
EVERY_S = {"trickle": 0.1}  # 1 KB a second
CLIENTS = {"bodies": 2, "chunks": 2}
SECONDS = 2.0
PAUSE_S = 0.1  # as fast as can be, they would take the processor and measure that


async def misbehave(port: int, manners: str) -> tuple[str, float]:
    """Return how one client ended, and after how many seconds."""
    first, again, times = MANNERS[manners]
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read(12))
    try:
        writer.write(first)
        for _ in range(times):
            if answer.done():
                break
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(EVERY_S.get(manners, 0))
        end = (await answer)[9:12].decode() or "closed"
    except OSError:
        end = "reset"
    finally:
        answer.cancel()
        writer.transport.abort()
    return end, time.monotonic() - began


async def crowd(port: int, manners: str) -> dict[str, object]:
    """Send waves of clients until the time is over."""
    ends: Counter[str] = Counter()
    longest, over = 0.0, time.monotonic() + SECONDS
    while time.monotonic() < over:
        wave = [misbehave(port, manners) for _ in range(CLIENTS.get(manners, 10))]
        for end, seconds in await asyncio.gather(*wave):
            ends[end] += 1
            longest = max(longest, seconds)
        await asyncio.sleep(PAUSE_S)
    return {"ends": ends, "longest_s": longest}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(int(sys.argv[2]), sys.argv[1]))))
