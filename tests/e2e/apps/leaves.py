"""A model that takes as long as it is told to, and what its server tells at the end."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import headrace as hr


@hr.deployment(replicas=2, max_ongoing_requests=64)
class Sleeper(hr.Model):
    def setup(self) -> None:
        time.sleep(float(os.environ.get("SETUP_S", "0")))

    async def predict(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    def teardown(self) -> None:
        print("torn down", flush=True)


def tell(report: dict[str, Any]) -> None:
    """Write the report, and who was told."""
    if os.environ.get("TOLD") == "slowly":
        print("telling", flush=True)
        time.sleep(60)
    if os.environ.get("TOLD") == "nobody":
        raise RuntimeError("there is nobody to tell")
    if "TOLD" in os.environ:
        Path(os.environ["TOLD"]).write_text(json.dumps({**report, "told": os.getpid()}))


hr.run(Sleeper, port=0, on_shutdown=tell)
