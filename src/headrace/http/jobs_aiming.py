"""Which route a job is meant for that is submitted at the pages of jobs: `?endpoint=/predict`.

A route below an application is named by its whole path, with a query of its own if need be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from headrace.errors import BadRequest
from headrace.http.jobs_tenants import FUNCTION
from headrace.http.messages import Scope
from headrace.http.routing import Found, Prefixes
from headrace.jobs.jobs import JobEndpoint


class Aim(NamedTuple):
    """Who is to run it, and the request as it would come there."""

    name: str
    scope: Scope


def aimed(scope: Scope, query: Mapping[str, str], endpoints: Mapping[str, JobEndpoint]) -> Aim:
    """Return what is meant. Raises BadRequest where nobody runs that."""
    path, _, rest = query.get("endpoint", "").partition("?")
    if path.startswith(FUNCTION):
        raise BadRequest("functions are submitted by code: hr.submit(function, ...)")
    found = _find(path, endpoints)
    if found is None:
        routes = ", ".join(sorted(name for name in endpoints if not name.startswith(FUNCTION)))
        raise BadRequest(
            f"say which route is to run it, ?endpoint=PATH: {routes or 'none is here'}"
        )
    method = query.get("method", "POST").upper()
    if not (method.isascii() and method.isalpha()):
        raise BadRequest(f"method is one of HTTP's, such as PUT, not {method!r}")
    return Aim(
        found.target,
        {
            **scope,
            "method": method,
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": rest.encode(),
            "root_path": scope.get("root_path", "") + found.root_path,
        },
    )


def _find(path: str, endpoints: Mapping[str, JobEndpoint]) -> Found[str] | None:
    if path in endpoints and endpoints[path].kind == "model":
        return Found(path, "")
    if not path.startswith("/"):
        return None
    return Prefixes({n: n for n, each in endpoints.items() if each.kind != "model"}).find(path)
