"""What a server of a plain application tells about itself, below `/-/`. No user code is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from headrace.http.messages import App
from headrace.http.operations import UNAVAILABLE, answering_get, as_json


class PlainOperations:
    """The probes and facts of one app worker."""

    def __init__(
        self, target: str, kind: str, version: str, status: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`status` is asked each time; its `status` is one word, `ok` where all is well."""
        self._facts = {"server": "headrace", "version": version, "app": target, "kind": kind}
        self._status, self._began = status, time.monotonic()

    def endpoints(self) -> dict[str, App]:
        """Return every path with what answers there."""
        return {
            "/-/health": answering_get(lambda: self._told(self._status())),
            "/-/health/live": answering_get(lambda: as_json({"status": "ok"})),
            "/-/health/ready": answering_get(lambda: self._told(self._word())),
            "/-/health/startup": answering_get(lambda: as_json({"status": "ok"})),
            "/-/info": answering_get(self._info),
        }

    def _word(self) -> dict[str, Any]:
        return {"status": self._status()["status"]}

    def _told(self, said: Mapping[str, Any]) -> Any:
        return as_json(dict(said), 200 if said["status"] == "ok" else UNAVAILABLE)

    def _info(self) -> Any:
        uptime_s = round(time.monotonic() - self._began, 3)
        return as_json({**self._facts, **self._status(), "pid": os.getpid(), "uptime_s": uptime_s})
