"""A Flask application that answers "Task Scheduled" at once; the work survives whatever happens.

headrace serve examples/task_scheduled.py --workers 2 --threads 4
curl -X POST 'http://127.0.0.1:8000/schedule?a1=3&a2=4'
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import Any

from flask import Flask, request

import headrace as hr

app = Flask(__name__)
RESULTS = os.environ.get("RESULTS", "results.sqlite3")


@hr.job(max_attempts=3, timeout_s=600)
def core(a1: float, a2: float, seconds: float = 0.0) -> float:
    """Do the long work, and keep its result.

    It may run more than once: a server that is killed knows not how far it came. So what it writes
    is written under the job's own name.
    """
    time.sleep(seconds)
    result = a1 * a2
    with closing(sqlite3.connect(RESULTS)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS results (job TEXT PRIMARY KEY, value REAL)")
        job = hr.current_context().job_id
        database.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (job, result))
    return result


@app.post("/schedule")
def schedule() -> Any:
    """Answer when the job is written down: from here on it will not be lost."""
    numbers = {name: float(value) for name, value in request.args.items()}
    job = hr.submit(core, **numbers)
    return {"status": "Task Scheduled", "id": job.id, "job": job.url}, 202, {"Location": job.url}


@app.get("/results/<job>")
def result(job: str) -> Any:
    """Answer with what a job has computed."""
    with closing(sqlite3.connect(RESULTS)) as database:
        try:
            found = database.execute("SELECT value FROM results WHERE job = ?", (job,)).fetchone()
        except sqlite3.OperationalError:  # no job has ended yet
            found = None
    return {"value": found[0]} if found else ({"value": None}, 404)
