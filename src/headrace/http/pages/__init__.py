"""Our own pages for a browser: one page, its style, its script. They name no outside host."""

from __future__ import annotations

from functools import cache
from typing import Literal

from headrace.http.messages import Response

POLICY = (
    b"default-src 'self'; img-src 'self' blob:; object-src 'none'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
View = Literal["index", "docs"]
_TYPES = {
    "page.css": b"text/css; charset=utf-8",
    "page.html": b"text/html; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "page.svg": b"image/svg+xml",
}


def page(view: View, root: str) -> Response:
    """Show the page; `root` is the way from it to the server's `/`, for proxies that add a path."""
    text = _text("page.html").replace(b"@root@", root.encode()).replace(b"@view@", view.encode())
    return _sent("page.html", text)


def asset(name: str) -> Response:
    """Send what the page loads."""
    return _sent(name, _text(name))


def _sent(name: str, text: bytes) -> Response:
    return Response(
        200,
        text,
        [
            (b"content-type", _TYPES[name]),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", POLICY),
            (b"referrer-policy", b"no-referrer"),
            (b"vary", b"accept"),
            (b"x-content-type-options", b"nosniff"),
        ],
    )


@cache
def _text(name: str) -> bytes:
    from importlib.resources import files  # noqa: PLC0415 - 10 ms, for the first who looks

    return files(__name__).joinpath(name).read_bytes()
