"""Ray Serve's graph: a number plus one, in one replica, times two, in another, behind an ingress.

The cluster is this process's own: it ends with it, and all its files lie in BENCH_SCRATCH.
"""

# mypy: disable-error-code="attr-defined, import-not-found"

import argparse
import os
import signal
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

CORES = 8  # what the cluster is to believe it has: three replicas must fit
STORE_BYTES = 100 << 20
QUIET = {"ray_actor_options": {"num_cpus": 1}, "max_ongoing_requests": 100}


@serve.deployment(**QUIET)
class Plus:
    """Add one."""

    async def __call__(self, x: int) -> int:
        """Answer the next number."""
        return x + 1


@serve.deployment(**QUIET)
class Times:
    """Double."""

    async def __call__(self, x: int) -> int:
        """Answer twice the number."""
        return x * 2


@serve.deployment(**QUIET)
class Front:
    """Take the request, and ask the two."""

    def __init__(self, plus: Any, times: Any) -> None:
        self.plus, self.times = plus, times

    async def __call__(self, request: Request) -> dict[str, int]:
        """Answer with what comes of it."""
        body = await request.json()
        return {"y": await self.times.remote(await self.plus.remote(body["x"]))}


def main() -> None:
    """Serve until SIGTERM, then take the cluster down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ray.init(
        num_cpus=CORES,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        logging_level="warning",
        _node_ip_address="127.0.0.1",
        _temp_dir=os.environ["BENCH_SCRATCH"],
    )
    serve.start(http_options={"host": "127.0.0.1", "port": asked.port})
    serve.run(Front.bind(Plus.bind(), Times.bind()), route_prefix="/predict")
    signal.sigwait({signal.SIGTERM})
    ray.shutdown()


if __name__ == "__main__":
    main()
