"""Whose jobs a request is about: those of the key it brings, which another key never sees.

who asks                                    where every route has keys    where one is open
with a key that opens a route here          its own jobs                  its own jobs
without one                                 nobody: 401                   those of all without one

What is submitted belongs to whoever could ask for it again: a key that opens any route of this
server makes the job its own, also where the route itself is open. Jobs that code submitted are
nobody's: whoever may look at jobs, and knows their id, finds them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from typing import Final, TypeVar

from headrace.core.jobs import EVERYBODY, Tenant
from headrace.errors import NoSuchJob
from headrace.http.keys import Keys
from headrace.jobs.jobs import JobEndpoint

T = TypeVar("T")
FUNCTION: Final = "job:"
"""How the names of functions begin: they are for code alone, and have no keys."""
_SALT: Final = b"headrace tenant: "
_DIGITS = 32


def tenant_of(headers: Mapping[bytes, bytes], endpoints: Iterable[JobEndpoint]) -> Tenant:
    """Return who owns what a request submits: its route has let it in already."""
    for keys in _distinct(endpoints):
        key = keys.found(headers)
        if key is not None:
            return Tenant(sha256(_SALT + key).hexdigest()[:_DIGITS])
    return EVERYBODY


def visitor(headers: Mapping[bytes, bytes], endpoints: Iterable[JobEndpoint]) -> Tenant:
    """Return whose jobs may be looked at. Raises Unauthorized where nobody's may."""
    routes = [each for each in endpoints if not each.name.startswith(FUNCTION)]
    tenant = tenant_of(headers, routes)
    if tenant == EVERYBODY and routes and all(each.keys is not None for each in routes):
        first: Keys = routes[0].keys
        first.check(headers)
    return tenant


async def found(tenant: Tenant, ask: Callable[[Tenant], Awaitable[T]]) -> T:
    """Ask the store about a job of this tenant, else about one that is nobody's.

    Raises NoSuchJob.
    """
    try:
        return await ask(tenant)
    except NoSuchJob:
        if tenant == EVERYBODY:
            raise
        return await ask(EVERYBODY)


def _distinct(endpoints: Iterable[JobEndpoint]) -> Iterable[Keys]:
    """Return each of the keys once: most routes share them."""
    return {id(each.keys): each.keys for each in endpoints if each.keys is not None}.values()
