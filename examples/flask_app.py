"""An algorithm behind a Flask application, with work that goes on behind its answer.

headrace serve examples/flask_app.py --workers 2 --threads 4
"""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import Flask, request

app = Flask(__name__)


def primes_below(limit: int) -> list[int]:
    """Return the primes below a limit, by the sieve of Eratosthenes."""
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0" * min(2, limit)
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number in range(limit) if sieve[number]]


@app.get("/primes")
def primes() -> Any:
    """Answer with the primes below `limit`."""
    return primes_below(min(int(request.args["limit"]), 1_000_000))


@app.post("/schedule")
def schedule() -> str:
    """Answer at once. The thread is no daemon, so a stop waits for it, within the grace."""
    threading.Thread(target=work, args=(float(request.args["seconds"]),), name="work").start()
    return "Task Scheduled"


def work(seconds: float) -> None:
    """Do what takes a while."""
    time.sleep(seconds)
    print("the work is done", flush=True)
