"""What the driver tells to whoever runs it."""

from __future__ import annotations

from headrace.core.messages import DeploymentId, News, ReplicaId, Why
from headrace.errors import StillLoading


class Watcher:
    """Hears what becomes of replicas and deployments; the default cares for nothing."""

    def replica_ready(self, replica: ReplicaId) -> None:
        """A replica takes calls."""

    def replica_gone(self, replica: ReplicaId, why: Why, words: str) -> None:
        """A replica ended."""

    def replica_said(self, replica: ReplicaId, line: str) -> None:
        """A replica printed a line."""

    def given_up(self, deployment: DeploymentId) -> None:
        """The first start of a deployment failed."""

    def said(self, deployment: DeploymentId, news: News) -> None:
        """A deployment's model comes or goes."""

    def said_of(self, replica: ReplicaId, news: News) -> None:
        """A replica is not well."""

    def not_loaded(self, deployment: DeploymentId, refused: StillLoading) -> StillLoading:  # noqa: ARG002
        """A request is refused for this; return it with what more is to be told."""
        return refused

    def retired(self, deployment: DeploymentId) -> None:
        """Nothing of a deployment is left."""

    def drained(self) -> None:
        """Nothing is left."""
