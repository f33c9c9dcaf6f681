"""A server of applications, which take their time to start, and the clients that talk to it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
from websockets.sync.client import ClientConnection, connect

from tests.e2e.serving import PATIENCE_S, Program, program, wait_for

STARTS_WITHIN_S = 60.0  # a few interpreters that import FastAPI, on a busy machine


@contextlib.contextmanager
def graph(target: str, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run `headrace serve target` and wait until it serves."""
    with program("-m", "headrace", "serve", target, "--port=0", *flags, env=env) as server:

        def said_so() -> bool:
            assert server.process.poll() is None, f"it ended:\n{server.terminal}"
            return any(" at http" in line for line in server.lines)

        wait_for(said_so, f"the start line; so far: {server.lines}", STARTS_WITHIN_S)
        yield server


def get(server: Program, path: str, method: str = "GET", **words: Any) -> httpx2.Response:
    """Ask on a connection of its own."""
    return httpx2.request(method, server.url + path, timeout=PATIENCE_S, **words)


def socket(server: Program, path: str, **words: Any) -> ClientConnection:
    """Open a WebSocket."""
    url = f"ws{server.url.removeprefix('http')}{path}"
    line: ClientConnection = connect(url, open_timeout=PATIENCE_S, max_size=None, **words)
    return line


def curl(*words: str) -> str:
    """Run curl; return what it shows."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", *words],  # noqa: S607 - Debian's
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
