"""What RFC 9110 and RFC 9112 ask of a request, where llhttp is laxer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headrace.host.limits import Limits

Headers = Sequence[tuple[bytes, bytes]]

CHUNKED, NO_BODY = -2, -1
HTTP = ("1.1", "1.0")
_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding"))
_OWS = b" \t"
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]+)(?::[0-9]*)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)([/?][^#]*)?")


class Unclear(ValueError):
    """A request that two servers could read in two ways, or that is no request to us."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def check_headers(headers: Headers, version: str, good_host: bytes) -> tuple[int, bytes]:
    """Return the length of the body, or `CHUNKED` or `NO_BODY`, and the Host.

    `good_host` is one that was found good before: a client asks for the same one each time.
    Raises Unclear.
    """
    hosts, encodings, host, length, encoding = 0, 0, b"", None, b""
    for name, value in headers:
        if name not in _FRAMING:
            continue
        if name == b"host":
            hosts, host = hosts + 1, value
        elif name == b"content-length":
            length = value
        else:
            encodings, encoding = encodings + 1, value
    if version not in HTTP:
        raise Unclear(505, "this server speaks HTTP/1.0 and HTTP/1.1")
    if hosts > 1 or host != good_host or not host:
        _check_host(hosts, host, version)
    if encodings:
        _check_encoding(encodings, encoding, version, length)
        return CHUNKED, host
    return (NO_BODY if length is None else int(length)), host  # the parser has seen to the digits


def _check_host(hosts: int, host: bytes, version: str) -> None:
    if hosts > 1:
        raise Unclear(400, "Host is there twice")
    if not host and version == "1.1":
        raise Unclear(400, "Host is missing or empty")
    if host and not _HOST.fullmatch(host.rstrip(_OWS)):  # the parser trims the left side only
        raise Unclear(400, "Host is not a host and a port")


def _check_encoding(encodings: int, encoding: bytes, version: str, length: object) -> None:
    if encodings > 1:
        raise Unclear(400, "Transfer-Encoding is there twice")
    if length is not None:
        raise Unclear(400, "Content-Length and Transfer-Encoding are both there")
    if version == "1.0":
        raise Unclear(400, "HTTP/1.0 has no Transfer-Encoding")
    if encoding.rstrip(_OWS).lower() != b"chunked":
        raise Unclear(501, "the only Transfer-Encoding here is chunked")


def follow_target(url: bytes, method: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """See to a target that is no plain path; the host it names stands for the header's.

    So RFC 9112, 3.2.2 and 3.2.4. Raises Unclear.
    """
    if url == b"*" and method == b"OPTIONS":
        return
    found = _ABSOLUTE.fullmatch(url)
    if found is None or not _HOST.fullmatch(found[1]):
        raise Unclear(400, "the target is neither a path nor an http URL")
    headers[:] = [(name, found[1] if name == b"host" else value) for name, value in headers]


def check_sizes(headers: Headers, url: bytes, limits: Limits, came: int) -> None:
    """Bound the URL and the headers; what came in less bytes needs no count. Raises Unclear."""
    if len(headers) > limits.max_headers:
        raise Unclear(431, f"there are more than {limits.max_headers} headers")
    if came > limits.max_url_bytes or came > limits.max_header_bytes:
        total = sum([len(name) + len(value) for name, value in headers])
        if len(url) > limits.max_url_bytes or total > limits.max_header_bytes:
            raise Unclear(*too_long(url, limits))


def too_long(url: bytes, limits: Limits) -> tuple[int, str]:
    """Say which of the two is over its limit."""
    if len(url) > limits.max_url_bytes:
        return 414, f"the URL is over {limits.max_url_bytes} bytes"
    return 431, f"the headers are over {limits.max_header_bytes} bytes"
