"""Calls for a stop over HTTP, and what the audit says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.serving import PATIENCE_S, Program

KEY = "a-key-that-opens-nothing-else"
ENV = {"HEADRACE_SHUTDOWN_API_KEY": KEY}


def shut_down(
    server: Program | str, key: str | None = KEY, path: str = "/-/shutdown", method: str = "POST"
) -> httpx2.Response:
    """Ask for a stop, on a connection of its own."""
    url = server if isinstance(server, str) else server.url
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx2.request(method, url + path, headers=headers, timeout=PATIENCE_S, verify=False)


class Audit:
    """The file of the setting `audit_log`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "audit.jsonl"

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the records there are, or those of one event."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        told = [json.loads(line) for line in lines]
        return [one for one in told if event in (None, one["event"])]

    def stop(self) -> dict[str, Any]:
        """Return the one record of the stop."""
        (record,) = self.records("stop")
        return record
