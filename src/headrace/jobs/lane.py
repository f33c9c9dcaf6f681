"""The jobs that one deployment runs: how many are here, and whether it is worth asking for more."""

from __future__ import annotations

import time
from collections.abc import Sequence

from headrace.core import claiming
from headrace.core.messages import DeploymentId
from headrace.core.records import Pool
from headrace.jobs.endpoints import JobEndpoint


class Lane:
    """One deployment's."""

    def __init__(self, deployment: DeploymentId, before: Lane | None = None) -> None:
        """Run the jobs of no endpoint yet; what was run `before` counts."""
        self.deployment = deployment
        self.endpoints: dict[str, JobEndpoint] = {}
        self._count: list[int] = [0] if before is None else before._count  # noqa: SLF001 - its own kind
        self.news = 0
        """Counts what may have brought it a job."""
        self.is_claiming = False
        self._dry_at = -1
        """At which news there was nothing more to claim."""
        self._closed_until = 0.0

    def __repr__(self) -> str:
        state = "dry" if self.is_dry else "open"
        return f"<Lane {self.deployment}: {self.here} here, {state}>"

    @property
    def here(self) -> int:
        """How many of its jobs are on their way or run."""
        return self._count[0]

    @here.setter
    def here(self, count: int) -> None:
        self._count[0] = count

    @property
    def names(self) -> Sequence[str]:
        """Whose jobs it runs."""
        return tuple(self.endpoints)

    @property
    def is_dry(self) -> bool:
        """Whether there was nothing to claim, and nothing has come since."""
        return self._dry_at == self.news

    def stir(self) -> None:
        """There may be a job for it."""
        self.news += 1

    def found_none(self, at: int) -> None:
        """There was nothing more to claim, as of this news."""
        self._dry_at = at

    def close_for(self, seconds: float) -> None:
        """Its deployment takes nothing for so long."""
        self._closed_until = time.monotonic() + seconds

    def reopen(self) -> None:
        """A replica of it is ready."""
        self._closed_until = 0.0

    def wish(self, pool: Pool | None) -> int:
        """Return how many jobs to claim for it now."""
        is_shut = self.is_claiming or self.is_dry or time.monotonic() < self._closed_until
        if is_shut or pool is None or not self.endpoints:
            return 0
        return claiming.wish(pool, self.here)
