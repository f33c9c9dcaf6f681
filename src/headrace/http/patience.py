"""A model's route while its code is being debugged: a client's own deadline does not count."""

from __future__ import annotations

from headrace.core.messages import DeploymentId
from headrace.host.connection import Connection, Landing
from headrace.http.endpoints import Limits, ModelEndpoint, Traits
from headrace.http.messages import App, Receive, Scope, Send
from headrace.memory.arena import Region

DEADLINE = b"x-request-timeout-seconds"


class PatientEndpoint:
    """See `ModelEndpoint`."""

    least_length = 0

    def __init__(self, endpoint: ModelEndpoint) -> None:
        """Take the endpoint that answers."""
        self._endpoint = endpoint

    @property
    def deferred(self) -> App | None:
        """See `ModelEndpoint`."""
        return self._endpoint.deferred

    @deferred.setter
    def deferred(self, app: App | None) -> None:
        self._endpoint.deferred = app

    def take(self, scope: Scope, body: bytes, connection: Connection) -> None:
        """See `ModelEndpoint`."""
        _forget_deadline(scope)
        self._endpoint.take(scope, body, connection)

    def land(self, scope: Scope, length: int, connection: Connection) -> Landing | None:
        """See `ModelEndpoint`."""
        _forget_deadline(scope)
        return self._endpoint.land(scope, length, connection)

    def lead_to(
        self, deployment: DeploymentId, *, limits: Limits, traits: Traits, region: Region | None
    ) -> None:
        """See `ModelEndpoint`."""
        self._endpoint.lead_to(deployment, limits=limits, traits=traits, region=region)

    def close(self) -> None:
        """See `ModelEndpoint`."""
        self._endpoint.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ModelEndpoint`."""
        _forget_deadline(scope)
        await self._endpoint(scope, receive, send)


def _forget_deadline(scope: Scope) -> None:
    """Drop the header where it stands: our own protocol knows its request by this very scope."""
    scope["headers"] = [header for header in scope["headers"] if header[0] != DEADLINE]
