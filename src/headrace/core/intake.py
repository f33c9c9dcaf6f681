"""Bodies that are still coming count against the queue, as those that are here do."""

from __future__ import annotations

from headrace.core import admission
from headrace.core.draining import Stage
from headrace.core.engine import Engine
from headrace.core.messages import DeploymentId


def coming(engine: Engine, deployment: DeploymentId, size_bytes: int, now: float) -> None:
    """So much more of a large body is on its way. Raises Refused if there is no room for it."""
    pool = engine.pools.get(deployment)
    if pool is None:
        return  # a reload has put another in its place meanwhile, which will take the whole
    admission.admit(pool, size_bytes, now, draining=engine.shutdown.stage is not Stage.OPEN)
    pool.coming_bytes += size_bytes


def came(engine: Engine, deployment: DeploymentId, size_bytes: int) -> None:
    """All that was on its way is here, or will never be."""
    pool = engine.pools.get(deployment)
    if pool is not None:
        pool.coming_bytes -= size_bytes
