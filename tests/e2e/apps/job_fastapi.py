"""A FastAPI application that submits jobs, from both kinds of views."""

from __future__ import annotations

from fastapi import FastAPI
from job_functions import triple  # type: ignore[import-not-found] # it is beside this file

import headrace as hr

app = FastAPI()


@app.post("/sync")
def sync(value: int) -> dict[str, str]:
    job = hr.submit(triple, value)
    return {"id": job.id, "url": job.url}


@app.post("/async")
async def later(value: int) -> dict[str, str]:
    job = await hr.submit(triple, value)
    return {"id": job.id, "url": job.url}
