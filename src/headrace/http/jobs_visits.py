"""One request to the pages of jobs: who asks, from where, about what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.core.jobs import JobId, Tenant
from headrace.http.jobs_shown import Place
from headrace.http.messages import Receive, Response, Scope, Send


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of it before anything is done."""

    scope: Scope
    receive: Receive
    send: Send
    label: bytes
    place: Place
    headers: dict[bytes, bytes]
    query: dict[str, str]
    tenant: Tenant
    """Whose jobs it may see."""
    job: JobId
    """Which one it is about; empty where it is about all of them."""


Deed = Callable[[Visit], Awaitable[Response | None]]
"""Returns the response; None where it has left already."""
