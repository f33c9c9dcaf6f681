"""What a client is told whose request never reaches an application."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

NOT_HTTP = (400, "this is not HTTP/1.1")
FULL = (503, "the server has all the connections it can take; try again")
RETRIED = (503,)
PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
CODES = {
    400: b"bad_request",
    408: b"request_timeout",
    414: b"uri_too_long",
    431: b"too_large",
    501: b"not_implemented",
    503: b"too_many_connections",
    505: b"version_not_supported",
}
_HEADERS = (
    b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n%s\r\n"
)


def refusal(status: int, detail: str) -> bytes:
    """Return the whole response to a request that is refused before there is an application."""
    body = b'{"type":"about:blank","title":"%s","status":%d,"code":"%s","detail":"%s"}' % (
        *(PHRASES[status].encode(), status, CODES[status], detail.encode()),
    )
    again = b"retry-after: 1\r\n" if status in RETRIED else b""
    return STATUS_LINE[status] + _HEADERS % (len(body), again) + body
