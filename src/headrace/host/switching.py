"""Read on in a request that wished to switch protocols, where nobody grants it that.

httptools takes what follows such a request's headers for the other protocol, its body too; Java's
and curl's clients ask for HTTP/2 in that way, beside a body.
"""

from __future__ import annotations

from collections.abc import Callable

from httptools import HttpRequestParser

from headrace.host.grammar import CHUNKED


class _Ends:
    """What httptools calls."""

    def __init__(
        self, on_body: Callable[[bytes], None], on_message_complete: Callable[[], None]
    ) -> None:
        self.on_body, self.on_message_complete = on_body, on_message_complete


def parser_of_body(
    length: int, on_body: Callable[[bytes], None], on_message_complete: Callable[[], None]
) -> HttpRequestParser:
    """Return a parser that stands behind the headers of a request with a body of this length."""
    parser = HttpRequestParser(_Ends(on_body, on_message_complete))
    framing = b"Transfer-Encoding: chunked" if length == CHUNKED else b"Content-Length: %d" % length
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % framing)
    return parser
