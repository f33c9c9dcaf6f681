"""A request on its way, as the driver and whoever asked know it."""

from __future__ import annotations

from collections.abc import Callable

from headrace.core.messages import DeploymentId, RequestId
from headrace.errors import HeadraceError
from headrace.model.envelope import Envelope, Part, Reply

Ending = Reply | HeadraceError | None
"""What became of a request: its reply, the error it ended in, or None: nobody waits for it."""


class Asked:
    """One request on its way; `ended` is called once, with its ending."""

    __slots__ = ("deployment", "ended", "envelope", "heard", "id")

    def __init__(
        self,
        number: RequestId,
        deployment: DeploymentId,
        envelope: Envelope,
        ended: Callable[[Ending], None],
        heard: Callable[[Part], None] | None,
    ) -> None:
        self.id, self.deployment, self.envelope = number, deployment, envelope
        self.ended, self.heard = ended, heard

    def __repr__(self) -> str:
        return f"<Asked {self.id} {self.envelope.label} for {self.deployment}>"
