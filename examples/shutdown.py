"""A server that a program stops safely: a pipeline, a platform or a timetable, whoever has the key.

HEADRACE_SHUTDOWN_API_KEY=$(openssl rand -hex 24) headrace serve shutdown.py
curl -X POST -H "Authorization: Bearer $HEADRACE_SHUTDOWN_API_KEY" http://127.0.0.1:8000/shutdown
"""

import asyncio
from typing import Any

import headrace as hr


@hr.deployment(replicas=2)
class Work(hr.Model):
    """Takes as long as it is told to."""

    async def predict(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return f"worked for {seconds:g} s"

    def teardown(self) -> None:
        print("released")


def tell(report: dict[str, Any]) -> None:
    """Run once, when nothing is left: tell whoever has to know."""
    print(f"stopped by {report['why']}: {report['finished']} finished, {report['cut']} cut off")


hr.run(Work, port=8000, enable_shutdown_api=True, graceful_timeout_s=30, on_shutdown=tell)
