"""The ending of a request as a response."""

from __future__ import annotations

import logging

from headrace.errors import HeadraceError, ReplicaLost
from headrace.http.messages import Response
from headrace.http.problems import encoded, from_error, from_fault
from headrace.memory.slots import Slot, view_of
from headrace.model.envelope import Answer, Closed, Fault, Reply

log = logging.getLogger("headrace.http")
CLIENT_LEFT = 499
SERVER_ERROR = 500
JSON = (b"content-type", b"application/json")


def response_of(ending: Reply | HeadraceError, label: bytes) -> Response:
    """Return an ending as a whole response."""
    try:
        match ending:
            case bytes() | Slot():
                return Response(200, view_of(ending), [JSON])
            case Fault():
                return from_fault(ending, label.decode())
            case Closed():  # of a stream without a part
                return Response(200, b"")
            case Answer():
                headers = encoded(ending.headers)
                if ending.content_type:
                    headers.append((b"content-type", ending.content_type.encode("latin-1")))
                return Response(ending.status, view_of(ending.body), headers)
            case _:
                if isinstance(
                    ending, ReplicaLost
                ):  # a refusal is counted; a line each would drown the log
                    log.warning("request %s: %s", label.decode(), ending)
                return from_error(ending, label.decode())
    except UnicodeEncodeError:
        return from_fault(unsendable(), label.decode())


def unsendable() -> Fault:
    """Return what became of an answer with a header that cannot be sent."""
    detail = "a response header of this model is not Latin-1 text"
    return Fault(SERVER_ERROR, "hook_failed", detail)
