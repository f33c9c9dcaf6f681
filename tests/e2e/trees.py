"""A server with any settings, and what its clients and its shell see of it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import psutil

from tests.e2e.serving import PATIENCE_S, Program, program

LAUNCH = """
import json, sys
from headrace.host.describing import describe_in_child
from headrace.host.settings import settle
from headrace.server import exit_on_start_error, serve_target
with exit_on_start_error():
    found = describe_in_child(sys.argv[1])
    serve_target(sys.argv[1], found, settle(found.settings, json.loads(sys.argv[2])))
"""


@contextlib.contextmanager
def launched(
    target: str = "versioned:app", env: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[Program]:
    """Start a server, at any port."""
    words = json.dumps({"port": 0, **settings})
    with program("-c", LAUNCH, target, words, env=env) as server:
        yield server


@contextlib.contextmanager
def tree(
    target: str = "versioned:app", env: Mapping[str, str] | None = None, **settings: Any
) -> Iterator[Program]:
    """Start a server and wait until it serves."""
    with launched(target, env, **settings) as server:
        server.wait_until_serving()
        yield server


def workers(server: Program) -> dict[int, psutil.Process]:
    """The worker processes there are, by their number."""
    found = {}
    for child in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if "headrace.worker" in child.cmdline():
                found[child.pid] = child
    return found


def get(server: Program | str, path: str = "/") -> httpx2.Response:
    """GET on a connection of its own."""
    url = server if isinstance(server, str) else server.url
    return httpx2.get(url + path, timeout=PATIENCE_S)


def version(server: Program) -> str:
    """Tell which version answers."""
    return get(server).text.split()[0]


class Load:
    """wrk with kept-alive connections, in the background; what went wrong is counted."""

    def __init__(self, server: Program, seconds: float, path: str = "/") -> None:
        self.process = subprocess.Popen(
            ["wrk", "-t1", "-c16", f"-d{seconds:g}s", "--timeout=10s", server.url + path],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.began, self.seconds = time.monotonic(), seconds

    @property
    def goes_on(self) -> bool:
        return self.process.poll() is None

    def end(self) -> str:
        """Wait for its end; return what it says."""
        said, _ = self.process.communicate(timeout=self.seconds + 20)
        return said

    def errors(self) -> str:
        """Wait for its end; return what it says of errors, and nothing if there were none."""
        said = self.end()
        assert int(re.findall(r"(\d+) requests in", said)[0]) > 0, said
        return "\n".join(
            line for line in said.splitlines() if re.search("Socket errors|Non-2xx", line)
        )
