"""Errors as documents: application/problem+json (RFC 9457), each with its request id."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from headrace.errors import HeadraceError, RequestError
from headrace.http.messages import Headers, Response
from headrace.model.envelope import Fault

MEDIA_TYPE = b"application/problem+json"


def title(status: int) -> str:
    """Return the standard words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem(  # noqa: PLR0913 - the members of a problem document
    status: int,
    code: str,
    detail: str,
    label: str,
    *,
    path: str | None = None,
    retry_after_s: float | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
    traceback: str = "",
    more: Mapping[str, object] | None = None,
) -> Response:
    """Return a problem document as a response."""
    members: dict[str, Any] = {
        **(more or {}),
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": label,
    }
    if path is not None:
        members["path"] = path
    if traceback:
        members["traceback"] = traceback
    added: Headers = [(b"content-type", MEDIA_TYPE), *headers]
    if retry_after_s is not None:
        members["retry_after_s"] = round(retry_after_s, 3)
        added.append((b"retry-after", b"%d" % max(1, math.ceil(retry_after_s))))
    return Response(status, msgspec.json.encode(members), added)


def from_error(error: HeadraceError, label: str) -> Response:
    """Return the problem document of an error of ours."""
    path = error.path if isinstance(error, RequestError) else None
    return problem(
        error.status,
        error.code,
        str(error),
        label,
        path=path,
        retry_after_s=error.retry_after_s,
        headers=encoded(error.headers.items()),
        more=error.members,
    )


def from_fault(fault: Fault, label: str) -> Response:
    """Return the problem document of a fault that a replica reported."""
    return problem(
        fault.status,
        fault.code,
        fault.detail,
        label,
        path=fault.path,
        headers=encoded(fault.headers),
        traceback=fault.traceback,
    )


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return a model's own headers as they go out. Raises UnicodeEncodeError if they cannot."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
