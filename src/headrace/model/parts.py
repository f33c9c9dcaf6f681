"""How a multipart body is cut into its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.errors import BadRequest, TooLarge
from headrace.model.media import charset_of
from headrace.model.misfit import Misfit

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_PARTS = 1000
LONGEST_FIELD = 1 << 20  # bytes of a plain field; a file may be as long as the body
LONGEST_HEADER = 8 * 1024  # bytes in one part's headers; a name and a file name are all it needs
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)


@dataclass(slots=True)
class Part:
    """One part of a form; `filename` is None for a plain field."""

    name: str = ""
    filename: str | None = None
    content_type: str = ""
    body: bytes = b""

    def text(self) -> str:
        """Decode it by its charset; raises Misfit."""
        try:
            return self.body.decode(charset_of(self.content_type) or "utf-8")
        except (ValueError, LookupError) as error:
            raise Misfit(str(error)) from error


def split(content_type: str, body: bytes) -> list[Part]:
    """Cut a multipart/form-data body; raises BadRequest if it is not a whole one, TooLarge."""
    from python_multipart.exceptions import FormParserError  # noqa: PLC0415 - only for forms
    from python_multipart.multipart import MultipartParser  # noqa: PLC0415

    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("the form's Content-Type has no boundary; let the client library set it")
    collector = _Collector()
    try:
        parser = MultipartParser(
            (found[1] or found[2]).encode("latin-1", "replace"),
            collector.callbacks(),
            max_header_size=LONGEST_HEADER,
        )
        parser.write(body)
    except FormParserError as error:
        raise BadRequest(f"the form is not valid multipart: {error}") from error
    if not collector.whole:
        raise BadRequest("the form ends too early: its closing boundary is missing")
    return collector.parts


@dataclass(slots=True)
class _Collector:
    """Hears the parser and keeps what it says."""

    parts: list[Part] = field(default_factory=list)
    whole: bool = False
    _header: bytes = b""
    _value: bytes = b""
    _pieces: list[bytes] = field(default_factory=list)
    _size: int = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_began,
            "on_header_field": self._header_named,
            "on_header_value": self._header_said,
            "on_header_end": self._header_ended,
            "on_headers_finished": self._headers_ended,
            "on_part_data": self._data_came,
            "on_part_end": self._part_ended,
            "on_end": self._ended,
        }

    def _part_began(self) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise BadRequest(f"the form has more than {MOST_PARTS} parts")
        self.parts.append(Part())
        self._pieces, self._size = [], 0

    def _header_named(self, text: bytes, start: int, end: int) -> None:
        self._header += text[start:end]

    def _header_said(self, text: bytes, start: int, end: int) -> None:
        self._value += text[start:end]

    def _header_ended(self) -> None:
        header, value = self._header.lower(), self._value
        self._header = self._value = b""
        if header == b"content-disposition":
            self._disposed(value)
        elif header == b"content-type":
            self.parts[-1].content_type = value.decode("latin-1")

    def _disposed(self, value: bytes) -> None:
        from python_multipart.multipart import parse_options_header  # noqa: PLC0415

        _, options = parse_options_header(value.decode("latin-1"))
        part = self.parts[-1]
        part.name = _text(options.get(b"name", b""))
        if b"filename" in options:
            part.filename = _bare(_text(options[b"filename"]))

    def _headers_ended(self) -> None:
        if not self.parts[-1].name:
            raise BadRequest("a part of the form has no name")

    def _data_came(self, text: bytes, start: int, end: int) -> None:
        self._size += end - start
        part = self.parts[-1]
        if part.filename is None and self._size > LONGEST_FIELD:
            raise TooLarge(
                f"the field `{part.name}` is over the limit of {LONGEST_FIELD} bytes; "
                f"send it as a file: curl -F {part.name}=@file"
            )
        self._pieces.append(text[start:end])

    def _part_ended(self) -> None:
        self.parts[-1].body = b"".join(self._pieces)

    def _ended(self) -> None:
        self.whole = True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _bare(filename: str) -> str:
    """Drop the folders of a file name, so that it cannot point anywhere when it is used."""
    return filename.replace("\\", "/").rpartition("/")[2]
