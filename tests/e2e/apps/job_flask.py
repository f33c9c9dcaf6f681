"""A Flask application that submits jobs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from flask import Flask, request

import headrace as hr

app = Flask(__name__)


@hr.job(first_delay_s=0.01)
def work(number: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    if (folder := os.environ.get("DEEDS")) is not None:  # each attempt leaves a trace
        context = hr.current_context()
        Path(folder, f"{context.job_id}.{context.attempt}").touch()
    return number * number


@app.post("/schedule")
def schedule() -> Any:
    words = request.args
    submit = hr.submit.options(key=words.get("key"))
    job = submit(work, int(words["number"]), float(words.get("seconds", 0)))
    return {"id": job.id, "url": job.url, "is_new": job.is_new}, 202


@app.get("/pid")
def pid() -> str:
    return str(os.getpid())


@app.get("/jobs")
def jobs() -> str:
    return "the application's own"


@app.post("/wrong")
def wrong() -> Any:
    try:
        hr.submit(work, "one")  # type: ignore[call-overload] # the view hears of it
    except TypeError as error:
        return {"error": type(error).__name__, "words": str(error)}
    return {}
