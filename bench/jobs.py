"""Measure what online requests notice of jobs that drain behind them, and how fast these drain.

`python bench/jobs.py [--jobs 10000] [--call-ms 5]` serves one replica of a model whose call takes
so long, asks it at half of what it can do, first alone and then while the jobs drain. Online p99 is
to be at most that alone and one call of a job more.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MODEL = """
import time
import headrace as hr

class Wait(hr.Model):
    def predict(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds
"""
PATH = "/predict"
ASKERS = 2


class Server:
    """One `headrace serve`, with its jobs in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "bench_jobs_model.py").write_text(MODEL)
        command = [sys.executable, "-m", "headrace", "serve", "bench_jobs_model.py", "--port=0"]
        command.append(f"--jobs-file={folder / 'jobs.sqlite3'}")
        command.append("--max-queued-jobs=100000")
        self.process = subprocess.Popen(
            command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r"at http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def queued(self) -> int:
        line = self.connect()
        line.request("GET", "/-/info")
        told = json.loads(line.getresponse().read())["jobs"]
        return int(sum(told["queued"].values()) + sum(told["running"].values()))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def online(server: Server, call_s: float, seconds: float) -> list[float]:
    """Ask at half of what one replica can do; return how long each answer took."""
    took: list[float] = []

    def ask() -> None:
        line, until = server.connect(), time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            line.request("POST", PATH, json.dumps(call_s), {"content-type": "application/json"})
            line.getresponse().read()
            took.append(time.perf_counter() - began)
            time.sleep(max(0.0, 2 * ASKERS * call_s - took[-1]))

    askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join()
    return took


def submit(server: Server, jobs: int, call_s: float) -> float:
    """Submit so many jobs, on eight connections; return the seconds that took."""

    def some(count: int) -> None:
        line = server.connect()
        headers = {"content-type": "application/json", "prefer": "respond-async"}
        for _ in range(count):
            line.request("POST", PATH, json.dumps(call_s), headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status == 202, answer.status

    began = time.perf_counter()
    threads = [threading.Thread(target=some, args=(jobs // 8,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def p99_ms(took: list[float]) -> float:
    return 1e3 * statistics.quantiles(took, n=100)[98]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--call-ms", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    call_s = asked.call_ms / 1e3
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            online(server, call_s, 2.0)
            alone = online(server, call_s, asked.seconds)
            took_s = submit(server, asked.jobs, call_s)
            left, began = server.queued(), time.perf_counter()
            beside = online(server, call_s, asked.seconds)
            lasted_s, drained = time.perf_counter() - began, left - server.queued()
        finally:
            server.close()
    print(f"{asked.jobs} jobs submitted in {took_s:.1f} s: {asked.jobs / took_s:,.0f}/s over HTTP")
    print(f"online alone:  p50 {1e3 * statistics.median(alone):6.1f} p99 {p99_ms(alone):6.1f} ms")
    print(f"beside jobs:   p50 {1e3 * statistics.median(beside):6.1f} p99 {p99_ms(beside):6.1f} ms")
    print(f"drained meanwhile: {drained / lasted_s:,.0f} jobs/s, {left - drained} were left")
    bound = p99_ms(alone) + asked.call_ms
    word = "kept" if p99_ms(beside) <= bound else "NOT KEPT"
    print(f"p99 is to be at most {bound:.1f} ms: {word}")


if __name__ == "__main__":
    main()
