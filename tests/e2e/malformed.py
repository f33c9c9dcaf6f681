"""Requests against RFC 9110 and RFC 9112, each with the section it offends and how it ends.

All are for a model at `/predict` that doubles a number. `ODD` are as strange, and legal.
"""

from __future__ import annotations

from dataclasses import dataclass

LINE = b"POST /predict HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
BODY = b"Content-Length: 2\r\n\r\n21"
TWO = b"\r\n2\r\n21\r\n0\r\n\r\n"
CODED = LINE + HOST + b"Transfer-Encoding: "
CHUNKED = CODED + b"chunked\r\n"


@dataclass(frozen=True, slots=True)
class Bad:
    """A malformed request."""

    section: str
    sent: bytes
    status: int = 400


def line(content: bytes) -> bytes:
    """Return a request with this request line."""
    return content + b"\r\n" + HOST + BODY


def with_header(content: bytes) -> bytes:
    """Return a request with this field line too."""
    return LINE + HOST + content + b"\r\n" + BODY


def hosted(content: bytes) -> bytes:
    """Return a request with this in place of its Host."""
    return LINE + content + BODY


def long(content: bytes) -> bytes:
    """Return a request whose Content-Length is this."""
    return LINE + HOST + b"Content-Length: " + content + b"\r\n\r\n21"


def coded(content: bytes) -> bytes:
    """Return a chunked request whose Transfer-Encoding is this."""
    return CODED + content + b"\r\n" + TWO


def chunks(content: bytes) -> bytes:
    """Return a chunked request of these chunks."""
    return CHUNKED + b"\r\n" + content


REQUEST_LINES = {
    "no HTTP": Bad("9112 2.1", b"hello there\r\n\r\n"),
    "TLS": Bad("9112 2.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "lines that end in LF": Bad("9112 2.2", LINE.replace(b"\r", b"") + b"Host: x\n\n"),
    "lines that end in CR": Bad("9112 2.2", b"POST /predict HTTP/1.1\rHost: x\r\r21"),
    "a request line that ends in LF": Bad("9112 2.2", b"POST /predict HTTP/1.1\n" + HOST + BODY),
    "a space before the method": Bad("9112 3", line(b" POST /predict HTTP/1.1")),
    "a tab after the method": Bad("9112 3", line(b"POST\t/predict HTTP/1.1")),
    "a tab after the target": Bad("9112 3", line(b"POST /predict\tHTTP/1.1")),
    "a space after the version": Bad("9112 3", line(b"POST /predict HTTP/1.1 ")),
    "a fourth word": Bad("9112 3", line(b"POST /predict HTTP/1.1 x")),
    "no target": Bad("9112 3", line(b"POST HTTP/1.1")),
    "no version": Bad("9112 3", line(b"GET /predict"), 505),
    "a method in lower case": Bad("9110 9.1", line(b"post /predict HTTP/1.1")),
    "an unknown method": Bad("9110 9.1", line(b"MAKE /predict HTTP/1.1")),
    "a method that is no token": Bad("9110 9.1", line(b"PO(ST /predict HTTP/1.1")),
    "a method with a NUL": Bad("9110 9.1", line(b"PO\0ST /predict HTTP/1.1")),
    "CONNECT": Bad("9110 9.3.6", line(b"CONNECT x:80 HTTP/1.1")),
    "CONNECT to a path": Bad("9110 9.3.6", line(b"CONNECT /predict HTTP/1.1"), 501),
    "another protocol": Bad("9112 2.3", line(b"SOURCE /predict ICE/1.0"), 405),
    "a version in lower case": Bad("9112 2.3", line(b"POST /predict http/1.1")),
    "version 1": Bad("9112 2.3", line(b"POST /predict HTTP/1")),
    "version 1.2": Bad("9112 2.3", line(b"POST /predict HTTP/1.2")),
    "version 1.11": Bad("9112 2.3", line(b"POST /predict HTTP/1.11")),
    "version 01.1": Bad("9112 2.3", line(b"POST /predict HTTP/01.1")),
    "version 0.9": Bad("9112 2.3", line(b"POST /predict HTTP/0.9"), 505),
    "version 2.0": Bad("9112 2.3", line(b"POST /predict HTTP/2.0"), 505),
    "version 9.9": Bad("9112 2.3", line(b"POST /predict HTTP/9.9")),
    "HTTP/2 from the start": Bad("9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
}
TARGETS = {
    "no slash": Bad("9112 3.2.1", line(b"POST predict HTTP/1.1")),
    "a backslash": Bad("9112 3.2.1", line(b"POST \\predict HTTP/1.1")),
    "a fragment": Bad("9112 3.2.1", line(b"POST /predict#x HTTP/1.1")),
    "a NUL": Bad("9112 3.2", line(b"POST /pre\0dict HTTP/1.1")),
    "a control character": Bad("9112 3.2", line(b"POST /pre\x01dict HTTP/1.1")),
    "a DEL": Bad("9112 3.2", line(b"POST /pre\x7fdict HTTP/1.1")),
    "a byte over 127": Bad("9112 3.2", line(b"POST /pre\xffdict HTTP/1.1")),
    "a URL without a host": Bad("9112 3.2.2", line(b"POST http:///predict HTTP/1.1")),
    "a URL with a user": Bad("9110 4.2.4", line(b"POST http://a@x/predict HTTP/1.1")),
    "a URL of another scheme": Bad("9112 3.2.2", line(b"POST ftp://x/predict HTTP/1.1")),
    "an asterisk for another method": Bad("9112 3.2.4", line(b"GET * HTTP/1.1")),
    "a long URL": Bad("9112 3", line(b"GET /" + b"a" * (17 << 10) + b" HTTP/1.1"), 414),
    "a long URL that never ends": Bad("9112 3", b"GET /" + b"a" * (400 << 10), 414),
}
HEADERS = {
    "a space before the colon": Bad("9112 5.1", with_header(b"X : y")),
    "a tab before the colon": Bad("9112 5.1", with_header(b"X\t: y")),
    "no colon": Bad("9112 5", with_header(b"Xy")),
    "no name": Bad("9112 5", with_header(b": y")),
    "a space in a name": Bad("9110 5.1", with_header(b"X Y: z")),
    "a bracket in a name": Bad("9110 5.1", with_header(b"X(: y")),
    "an at in a name": Bad("9110 5.1", with_header(b"X@: y")),
    "a slash in a name": Bad("9110 5.1", with_header(b"X/: y")),
    "a quote in a name": Bad("9110 5.1", with_header(b'X": y')),
    "a brace in a name": Bad("9110 5.1", with_header(b"X{: y")),
    "a NUL in a name": Bad("9110 5.1", with_header(b"X\0: y")),
    "a byte over 127 in a name": Bad("9110 5.1", with_header(b"X\xff: y")),
    "a space before the first name": Bad("9112 2.2", LINE + b" X: y\r\n" + HOST + BODY),
    "a folded value": Bad("9112 5.2", with_header(b"X: a\r\n b")),
    "a value folded with a tab": Bad("9112 5.2", with_header(b"X: a\r\n\tb")),
    "a NUL in a value": Bad("9110 5.5", with_header(b"X: a\0b")),
    "a control character in a value": Bad("9110 5.5", with_header(b"X: a\x01b")),
    "a vertical tab in a value": Bad("9110 5.5", with_header(b"X: a\x0bb")),
    "a DEL in a value": Bad("9110 5.5", with_header(b"X: a\x7fb")),
    "a bare CR in a value": Bad("9112 2.2", with_header(b"X: a\rb")),
    "a bare LF in a value": Bad("9112 2.2", with_header(b"X: a\nY: b")),
    "headers that end in LF": Bad("9112 2.2", LINE + HOST + b"Content-Length: 2\r\n\n21"),
    "too many headers": Bad("6585 5", with_header(b"\r\n".join([b"X: y"] * 101)), 431),
    "a long header": Bad("6585 5", with_header(b"X: " + b"y" * (65 << 10)), 431),
    "a long name": Bad("6585 5", with_header(b"X" * (65 << 10) + b": y"), 431),
    "a header that never ends": Bad("6585 5", LINE + HOST + b"X: " + b"y" * (400 << 10), 431),
    "5 MB of headers": Bad("6585 5", with_header(b"\r\n".join([b"X: " + b"y" * 8000] * 625)), 431),
}
HOSTS = {
    "no Host": Bad("9112 3.2", hosted(b"")),
    "an empty Host": Bad("9112 3.2", hosted(b"Host:\r\n")),
    "a Host of spaces": Bad("9112 3.2", hosted(b"Host:  \t \r\n")),
    "two Hosts": Bad("9112 3.2", hosted(b"Host: x\r\nHost: y\r\n")),
    "the same Host twice": Bad("9112 3.2", hosted(HOST + HOST)),
    "two Hosts in HTTP/1.0": Bad("9112 3.2", line(b"POST /predict HTTP/1.0\r\nHost: y")),
    "two Hosts in a line": Bad("9110 7.2", hosted(b"Host: x, y\r\n")),
    "a Host with a space": Bad("9110 7.2", hosted(b"Host: x y\r\n")),
    "a Host with a path": Bad("9110 7.2", hosted(b"Host: x/y\r\n")),
    "a Host with a user": Bad("9110 7.2", hosted(b"Host: a@x\r\n")),
    "a Host with a query": Bad("9110 7.2", hosted(b"Host: x?y\r\n")),
    "a Host that is a URL": Bad("9110 7.2", hosted(b"Host: http://x\r\n")),
    "a Host with a port in words": Bad("9110 7.2", hosted(b"Host: x:y\r\n")),
    "a Host with two colons": Bad("9110 7.2", hosted(b"Host:: x\r\n")),
    "a Host with a byte over 127": Bad("9110 7.2", hosted(b"Host: x\xff\r\n")),
    "a Host in half a bracket": Bad("9110 7.2", hosted(b"Host: [::1\r\n")),
    "a URL, and no Host": Bad("9112 3.2", b"POST http://x/predict HTTP/1.1\r\n" + BODY),
}
LENGTHS = {
    "two lengths": Bad("9112 6.3", with_header(b"Content-Length: 3")),
    "the same length twice": Bad("9112 6.3", with_header(b"Content-Length: 2")),
    "a list of lengths": Bad("9112 6.3", long(b"2, 2")),
    "a negative length": Bad("9110 8.6", long(b"-2")),
    "a length with a sign": Bad("9110 8.6", long(b"+2")),
    "a length in hex": Bad("9110 8.6", long(b"0x2")),
    "a length with a point": Bad("9110 8.6", long(b"2.0")),
    "a length with an underscore": Bad("9110 8.6", long(b"1_0")),
    "a length with a space in it": Bad("9110 8.6", long(b"2 1")),
    "a length with a semicolon": Bad("9110 8.6", long(b"2;")),
    "a quoted length": Bad("9110 8.6", long(b'"2"')),
    "an empty length": Bad("9110 8.6", long(b"")),
    "a length after a vertical tab": Bad("9110 8.6", long(b"\x0b2")),
    "a folded length": Bad("9112 5.2", long(b"\r\n 2")),
    "a length of 2^64": Bad("9110 8.6", long(b"18446744073709551616")),
    "a length of 2^64 + 2": Bad("9110 8.6", long(b"18446744073709551618")),
    "a length of forty digits": Bad("9110 8.6", long(b"9" * 40)),
    "a length with a space before its colon": Bad(
        "9112 5.1", LINE + HOST + b"Content-Length : 2\r\n\r\n21"
    ),
}
ENCODINGS = {
    "both framings": Bad("9112 6.3", with_header(b"Transfer-Encoding: chunked")),
    "both framings, the other way": Bad("9112 6.3", CHUNKED + b"Content-Length: 2\r\n" + TWO),
    "an unknown encoding beside a length": Bad("9112 6.3", with_header(b"Transfer-Encoding: x")),
    "identity beside a length": Bad("9112 6.1", with_header(b"Transfer-Encoding: identity")),
    "an empty encoding beside a length": Bad("9112 6.1", with_header(b"Transfer-Encoding:")),
    "two encodings": Bad("9112 6.1", CHUNKED + b"Transfer-Encoding: chunked\r\n" + TWO),
    "two encodings, one of them unknown": Bad("9112 6.1", CHUNKED + b"Transfer-Encoding: x\r\n"),
    "chunked twice": Bad("9112 6.1", coded(b"chunked, chunked")),
    "chunked not last": Bad("9112 6.3", coded(b"chunked, gzip")),
    "an encoding that is not known": Bad("9112 6.1", coded(b"gzip, chunked"), 501),
    "identity": Bad("9112 6.1", coded(b"identity"), 501),
    "nearly chunked": Bad("9112 6.1", coded(b"xchunked"), 501),
    "chunked and more": Bad("9112 6.1", coded(b"chunkedx"), 501),
    "chunked with a parameter": Bad("9112 6.1", coded(b"chunked;q=1"), 501),
    "chunked in quotes": Bad("9112 6.1", coded(b'"chunked"'), 501),
    "chunked in two words": Bad("9112 6.1", coded(b"chu nked"), 501),
    "chunked after a comma": Bad("9112 6.1", coded(b",chunked"), 501),
    "chunked before a comma": Bad("9112 6.1", coded(b"chunked,")),
    "chunked after a vertical tab": Bad("9112 6.1", coded(b"\x0bchunked")),
    "chunked before a NUL": Bad("9110 5.5", coded(b"chunked\0")),
    "chunked on the next line": Bad("9112 5.2", coded(b"\r\n chunked")),
    "an empty encoding": Bad("9112 6.1", coded(b"")),
    "an encoding with a space before its colon": Bad(
        "9112 5.1", LINE + HOST + b"Transfer-Encoding : chunked\r\n" + TWO
    ),
    "chunked in HTTP/1.0": Bad(
        "9112 6.1", b"POST /predict HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n" + TWO
    ),
    "chunked and kept alive in HTTP/1.0": Bad(
        "9112 6.1",
        b"POST /predict HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n" + TWO,
    ),
}
CHUNKS = {
    "a size that is no number": Bad("9112 7.1", chunks(b"zz\r\n21\r\n0\r\n\r\n")),
    "no size": Bad("9112 7.1", chunks(b"\r\n21\r\n0\r\n\r\n")),
    "a size with 0x": Bad("9112 7.1", chunks(b"0x2\r\n21\r\n0\r\n\r\n")),
    "a size with a plus": Bad("9112 7.1", chunks(b"+2\r\n21\r\n0\r\n\r\n")),
    "a size with a minus": Bad("9112 7.1", chunks(b"-2\r\n21\r\n0\r\n\r\n")),
    "a size with an underscore": Bad("9112 7.1", chunks(b"0_2\r\n21\r\n0\r\n\r\n")),
    "a space before the size": Bad("9112 7.1", chunks(b" 2\r\n21\r\n0\r\n\r\n")),
    "a space after the size": Bad("9112 7.1", chunks(b"2 \r\n21\r\n0\r\n\r\n")),
    "a size of 2^64 + 2": Bad("9112 7.1", chunks(b"10000000000000002\r\n21\r\n0\r\n\r\n")),
    "a size that ends in LF": Bad("9112 7.1", chunks(b"2\n21\r\n0\r\n\r\n")),
    "a size that ends in CR": Bad("9112 7.1", chunks(b"2\r21\r\n0\r\n\r\n")),
    "an extension with a LF": Bad("9112 7.1.1", chunks(b"2;a\nb\r\n21\r\n0\r\n\r\n")),
    "an extension with a CR": Bad("9112 7.1.1", chunks(b"2;a\rb\r\n21\r\n0\r\n\r\n")),
    "an extension with a NUL": Bad("9112 7.1.1", chunks(b"2;a\0b\r\n21\r\n0\r\n\r\n")),
    "a chunk that ends in LF": Bad("9112 7.1", chunks(b"2\r\n21\n0\r\n\r\n")),
    "a chunk without an end": Bad("9112 7.1", chunks(b"2\r\n210\r\n\r\n")),
    "a chunk longer than its size": Bad("9112 7.1", chunks(b"2\r\n213\r\n0\r\n\r\n")),
    "a last chunk that ends in LF": Bad("9112 7.1", chunks(b"2\r\n21\r\n0\n\n")),
    "a body that ends in LF": Bad("9112 7.1", chunks(b"2\r\n21\r\n0\r\n\n")),
    "a body that ends in CR": Bad("9112 7.1", chunks(b"2\r\n21\r\n0\r\n\rX")),
    "a trailer with a length": Bad("9110 6.5.1", chunks(b"0\r\nContent-Length: 5\r\n\r\n")),
    "a trailer with an encoding": Bad(
        "9110 6.5.1", chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")
    ),
    "a trailer that is no field": Bad("9112 7.1.2", chunks(b"2\r\n21\r\n0\r\nX Y: z\r\n\r\n")),
    "a trailer that ends in LF": Bad("9112 7.1.2", chunks(b"2\r\n21\r\n0\r\nX: y\n\r\n")),
}
UPGRADES = {
    "a WebSocket by POST": Bad(
        "6455 4.1", with_header(b"Connection: Upgrade\r\nUpgrade: websocket")
    ),
    "a WebSocket with a body": Bad(
        "6455 4.1",
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + HOST + BODY,
    ),
}
BAD: dict[str, Bad] = {
    **{f"request line: {name}": bad for name, bad in REQUEST_LINES.items()},
    **{f"target: {name}": bad for name, bad in TARGETS.items()},
    **{f"header: {name}": bad for name, bad in HEADERS.items()},
    **{f"host: {name}": bad for name, bad in HOSTS.items()},
    **{f"length: {name}": bad for name, bad in LENGTHS.items()},
    **{f"encoding: {name}": bad for name, bad in ENCODINGS.items()},
    **{f"chunk: {name}": bad for name, bad in CHUNKS.items()},
    **{f"upgrade: {name}": bad for name, bad in UPGRADES.items()},
}
SMUGGLING = {
    name: bad
    for name, bad in BAD.items()
    if name.partition(":")[0] in {"host", "length", "encoding", "chunk", "upgrade"}
}
"""What a proxy and a server could read in two ways, and so count as different requests."""

ODD: dict[str, bytes] = {
    "an empty line first": b"\r\n" + LINE + HOST + BODY,
    "two empty lines first": b"\r\n\r\n" + LINE + HOST + BODY,
    "a URL for a target": line(b"POST http://x/predict HTTP/1.1"),
    "a URL of another host than Host": line(b"POST http://y:80/predict HTTP/1.1"),
    "a URL in capitals": line(b"POST HTTP://X/predict HTTP/1.1"),
    "a query": line(b"POST /predict?a=b&a=%20?/ HTTP/1.1"),
    "an empty query": line(b"POST /predict? HTTP/1.1"),
    "an escaped letter": line(b"POST /%70redict HTTP/1.1"),
    "no space after a colon": LINE + b"Host:x\r\nContent-Length:2\r\n\r\n21",
    "a tab after a colon": LINE + b"Host:\tx\r\nContent-Length:\t2\r\n\r\n21",
    "spaces around a value": LINE + b"Host:  x \t\r\nContent-Length:  2 \t \r\n\r\n21",
    "an empty value": with_header(b"X:"),
    "a tab in a value": with_header(b"X: a\tb"),
    "a byte over 127 in a value": with_header(b"X: \xff"),
    "every character of a name": with_header(b"X!#$%&'*+-.^_`|~1: y"),
    "names in any case": LINE + b"hOST: x\r\nCONTENT-length: 2\r\n\r\n21",
    "a name twice": with_header(b"X: a\r\nX: b"),
    "a name with an underscore": with_header(b"Transfer_Encoding: chunked"),
    "a length with zeros": LINE + HOST + b"Content-Length: 0002\r\n\r\n21",
    "a Host with a port": hosted(b"Host: x.example:8000\r\n"),
    "a Host with an empty port": hosted(b"Host: x:\r\n"),
    "a Host in brackets": hosted(b"Host: [::1]:8000\r\n"),
    "a Host of numbers": hosted(b"Host: 127.0.0.1\r\n"),
    "HTTP/1.0": line(b"POST /predict HTTP/1.0"),
    "HTTP/1.0 without a Host": b"POST /predict HTTP/1.0\r\n" + BODY,
    "chunks": chunks(b"1\r\n2\r\n1\r\n1\r\n0\r\n\r\n"),
    "chunks in capitals": coded(b"CHUNKED"),
    "spaces after chunked": coded(b"chunked  "),
    "a size in lower hex": chunks(b"a\r\n        21\r\n0\r\n\r\n"),
    "a size in upper hex": chunks(b"A\r\n        21\r\n0\r\n\r\n"),
    "a size with zeros": chunks(b"0002\r\n21\r\n000\r\n\r\n"),
    "an extension": chunks(b"2;a=b\r\n21\r\n0\r\n\r\n"),
    "an extension without a value": chunks(b"2;a\r\n21\r\n0;b\r\n\r\n"),
    "an extension in quotes": chunks(b'2;a="b c"\r\n21\r\n0\r\n\r\n'),
    "a trailer": chunks(b"2\r\n21\r\n0\r\nX: y\r\n\r\n"),
    "a trailer that looks like a header": chunks(b"2\r\n21\r\n0\r\nHost: evil\r\n\r\n"),
    "a wish to switch to HTTP/2": with_header(
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    ),
    "a wish to switch that names no connection": with_header(b"Upgrade: websocket"),
    "close among other options": with_header(b"Connection: x, close"),
    "an expectation": with_header(b"Expect: 100-continue"),
}
"""All of these are answered with 42.0."""
