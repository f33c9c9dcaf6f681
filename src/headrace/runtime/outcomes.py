"""What a request that was not answered ends in: the error its caller is given."""

from __future__ import annotations

from typing import assert_never

from headrace.core.messages import DeploymentId, Outcome
from headrace.errors import Draining, Expired, HeadraceError, ReplicaLost, StillLoading


def ending_of(outcome: Outcome, deployment: DeploymentId) -> HeadraceError | None:
    """Return the error of an outcome; None where nobody waits for it."""
    match outcome:
        case Outcome.EXPIRED:
            return Expired("the deadline passed before an answer was ready")
        case Outcome.CUT:
            why = "its model was taken out of service before an answer was ready"
            return Draining(why, retry_after_s=1.0)
        case Outcome.LOST:
            return ReplicaLost(
                f"every replica of {deployment} that tried this request ended with it"
            )
        case Outcome.BLAMED:
            lost = ReplicaLost(f"a replica of {deployment} crashed while it ran nothing but this")
            lost.is_blamed = True
            return lost
        case Outcome.UNREADY:
            return StillLoading(f"{deployment} could not be loaded", retry_after_s=1.0)
        case Outcome.CANCELLED | Outcome.ANSWERED:
            return None
        case _:
            assert_never(outcome)
