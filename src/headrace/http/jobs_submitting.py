"""From a request to a job: let in, read whole, committed, and only then told.

What is told is `202` with where the job is; or, if its client waits and it is over in time, what it
answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from headrace.core.jobs import JobId, Tenant
from headrace.errors import MethodNotAllowed, Refused
from headrace.http import endpoints, ingress
from headrace.http.body import ClientLeft, Pace, declared
from headrace.http.endpoints import AGAIN_S, model_id_of
from headrace.http.jobs_bodies import Bodies
from headrace.http.jobs_prefer import Preferences
from headrace.http.jobs_results import accepted, result_of
from headrace.http.jobs_shown import Place, is_live
from headrace.http.jobs_tenants import tenant_of
from headrace.http.jobs_terms import kept, key_of, terms_of
from headrace.http.jobs_waiting import Patience
from headrace.http.jobs_watch import Watch
from headrace.http.messages import Receive, Response, Scope
from headrace.interfaces import Receipt, Seen
from headrace.jobs.jobs import JobEndpoint, Jobs
from headrace.jobs.orders import Order, worth_keeping
from headrace.model.envelope import Head


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is to be a job."""

    scope: Scope
    receive: Receive
    label: bytes
    place: Place
    prefer: Preferences
    id: JobId | None = None
    """What its client calls the job."""


class Accepted(NamedTuple):
    """A job that was, and whose it is."""

    tenant: Tenant
    receipt: Receipt


class Submitting:
    """The way of requests into the store; one for all routes."""

    def __init__(self, jobs: Jobs, watch: Watch, pace: Pace) -> None:
        """`pace` is how fast a body must come."""
        self._jobs, self._watch, self._bodies = jobs, watch, Bodies(pace)

    async def take(self, name: str, asked: Asked) -> Response:
        """Submit a request to the endpoint of this name, and say what became of it.

        Raises ClientLeft, and HeadraceError: then nothing was submitted.
        """
        known = await self._submit(name, asked)
        seen = await self._followed(known, asked)
        if asked.prefer.has_wait and not is_live(seen.job):
            response = await result_of(seen, self._jobs.store, asked.place, asked.label)
            own = asked.place.of(seen.job.id).encode()
            response.headers.append((b"content-location", own + b"/result"))
            response.headers.append((b"preference-applied", asked.prefer.in_time))
            return response
        is_new = known.receipt.is_new
        return accepted(seen, asked.place, asked.prefer.applied, is_new=is_new)

    async def _submit(self, name: str, asked: Asked) -> Accepted:
        headers = dict(asked.scope["headers"])
        endpoint = self._endpoint(name)
        if endpoint.keys is not None:
            endpoint.keys.check(headers)
        if endpoint.kind == "model" and asked.scope["method"] != "POST":
            method = asked.scope["method"]
            raise MethodNotAllowed(f"a model takes POST, not {method}", allow="POST")
        tenant = tenant_of(headers, self._jobs.endpoints.values())
        terms, key = terms_of(headers, endpoint.terms), key_of(headers)
        length = declared(headers.get(b"content-length"))
        async with self._bodies.read(asked.receive, length, endpoint.max_body_bytes) as body:
            order = _order(asked, headers, endpoint, body)
            receipt = await self._jobs.submit(
                order, endpoint=name, tenant=tenant, terms=terms, key=key, id=asked.id
            )
        return Accepted(tenant, receipt)

    def _endpoint(self, name: str) -> JobEndpoint:
        found = self._jobs.endpoints.get(name)
        if found is None:  # a reload has just taken it away, or has not yet brought it
            raise Refused("a reload is replacing this route", retry_after_s=AGAIN_S)
        return found

    async def _followed(self, known: Accepted, asked: Asked) -> Seen:
        """Return the job as it is when its client is to be answered. Raises ClientLeft."""
        job, is_new = known.receipt
        if is_new and not asked.prefer.wait_s:
            return Seen(job, None, None, 1, None)  # nothing has happened to it yet

        async def look() -> Seen:
            return await self._jobs.store.show(known.tenant, job.id)

        patience = Patience(self._watch, asked.scope, asked.receive)
        seen = await patience.end_of(job.id, look, asked.prefer.wait_s)
        if patience.has_left:
            raise ClientLeft
        return seen


def _order(asked: Asked, headers: dict[bytes, bytes], endpoint: JobEndpoint, body: bytes) -> Order:
    """Return what the job is given: as its request came, without what was about the submission."""
    if endpoint.keys is not None:
        endpoint.keys.admit(asked.scope, headers)  # the key goes no further, and not on the disk
    media = headers.get(b"content-type")
    return Order(
        asked.label.decode(),
        body,
        None if media is None else media.decode("latin-1"),
        _head(asked, headers, endpoint),
        model_id_of(headers) if endpoint.multiplexed else "",
    )


def _head(asked: Asked, headers: dict[bytes, bytes], endpoint: JobEndpoint) -> Head | None:
    scope = asked.scope
    if endpoint.kind != "model":
        head = ingress.head_of(scope, asked.label, headers, more=False)
    elif endpoint.wants_head:
        head = endpoints.head_of(scope)
    else:
        return None
    worth = kept(worth_keeping(head.headers, is_key_ours=False))  # ours was taken off
    return msgspec.structs.replace(head, headers=worth)
