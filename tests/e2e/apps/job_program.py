"""A program that starts a server, and submits jobs to it from its own threads and loops."""

from __future__ import annotations

import asyncio
import sys
import time

import httpx2

import headrace as hr
from headrace.errors import HeadraceError


@hr.job
def half(value: float) -> float:
    return value / 2


class Hello(hr.Model):
    def predict(self, name: str) -> str:
        return f"Hello, {name}!"


def result(url: str) -> object:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = httpx2.get(f"{url}/result", timeout=10)
        if answer.status_code == 200:
            return answer.json()
        time.sleep(0.05)
    raise TimeoutError(url)


async def later(running: hr.Running) -> str:
    return (await running.submit(half, 8)).url


if __name__ == "__main__":
    with hr.start(Hello, port=0, jobs_file=sys.argv[1]) as running:
        print("half:", result(running.url + running.submit(half, 3).url))
        print("half:", result(running.url + asyncio.run(later(running))))
        print("hello:", result(running.url + running.submit("/predict", "Ada").url))
        try:
            running.submit("/nowhere", 1)
        except HeadraceError as error:
            print("refused:", error)
