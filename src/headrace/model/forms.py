"""How a multipart form becomes files and fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from headrace.errors import BadRequest, Unprocessable
from headrace.model.codec import Codec, Make, Reader
from headrace.model.envelope import Envelope
from headrace.model.json_body import misfit_of, unread
from headrace.model.media import BYTES, FORM, is_json, media_type
from headrace.model.misfit import Misfit, fitted, only
from headrace.model.parts import Part, split
from headrace.model.types import Files, Upload

OfUpload = Callable[[Upload], Any]


def fields_reader(
    codecs: Mapping[str, Codec], required: set[str], record: Callable[..., Any], mend: str
) -> Reader:
    """Read a form into a record; an absent field is what its codec says, or its default."""

    def read(envelope: Envelope) -> Any:
        named = _by_name(_parts(envelope, mend))
        for name in named.keys() - codecs.keys():
            raise Unprocessable(f"the form has an unknown field `{name}`; {mend}", path="$")
        values = {name: fitted(codecs[name].take, named[name], f"$.{name}") for name in named}
        for name in required - named.keys():
            values[name] = _absent(name, codecs[name].absent, mend)
        return record(**values)

    return read


def upload_codec(name: str, files: Files, default: Make | None) -> Codec:
    """Read a form's files as they are."""
    mend, absent = f"send a form: curl -F {name}=@file", default or absent_of(files)
    return Codec(
        read=file_reader(name, files, _itself, mend, absent),
        take=lambda found: files_taken(files, _itself, found),
        mend=mend,
        in_json=False,
        as_file=True,
        absent=absent,
    )


def absent_of(files: Files) -> Make | None:
    """Say what stands for files that did not come, None where they must."""
    return {"one": None, "maybe": lambda: None, "many": list}[files]


def file_reader(
    name: str, files: Files, of_upload: OfUpload, mend: str, absent: Make | None
) -> Reader:
    """Read the files of a form; the name they have in it is the sender's affair."""

    def read(envelope: Envelope) -> Any:
        found = [part for part in _parts(envelope, mend) if part.filename is not None]
        if not found:
            return _absent(name, absent, mend)
        return fitted(lambda parts: files_taken(files, of_upload, parts), found, f"$.{name}")

    return read


def files_taken(files: Files, of_upload: OfUpload, parts: Sequence[Part]) -> Any:
    """Make as many values of a form's files as are wanted; raises Misfit."""
    if files == "many":
        return [_one_of_many(place, of_upload, part) for place, part in enumerate(parts)]
    return of_upload(_upload(only(parts)))


def _one_of_many(place: int, of_upload: OfUpload, part: Part) -> Any:
    try:
        return of_upload(_upload(part))
    except Misfit as error:
        raise Misfit(error.detail, f"$[{place}]{error.path[1:]}") from error


def field_take(decode: Callable[[bytes], Any], annotation: Any, leaf: Any) -> Any:
    """Choose how a field is read: as JSON if its part says so, else as text for the annotation."""

    def take(found: Sequence[Part]) -> Any:
        part = only(found)
        try:
            if is_json(part.content_type):
                return decode(part.body)
            text = part.text()
            try:
                return msgspec.convert(text, annotation, strict=False, dec_hook=leaf)
            except msgspec.ValidationError:
                if text.lstrip()[:1] not in ("{", "["):
                    raise
            return decode(part.body)
        except Misfit:
            raise
        except (ValueError, RecursionError) as error:
            raise misfit_of(error) from error

    return take


def raw_take(found: Sequence[Part]) -> bytes:
    """Take a part's bytes."""
    return only(found).body


def _itself(upload: Upload) -> Upload:
    return upload


def _upload(part: Part) -> Upload:
    if part.filename is None:
        raise Misfit("a file is wanted here, a plain field came")
    return Upload(part.filename, part.content_type or BYTES, part.body)


def _parts(envelope: Envelope, mend: str) -> list[Part]:
    content_type = envelope.content_type or ""
    if media_type(content_type) != FORM:
        if not envelope.body:
            raise BadRequest(f"the body is empty; {mend}")
        raise unread(content_type, mend)
    # A browser sends an empty part for a file input that was left alone.
    return [p for p in split(content_type, envelope.body) if p.filename != "" or p.body]


def _by_name(parts: Sequence[Part]) -> Mapping[str, list[Part]]:
    named: dict[str, list[Part]] = {}
    for part in parts:
        named.setdefault(part.name, []).append(part)
    return named


def _absent(name: str, absent: Make | None, mend: str) -> Any:
    """Give what stands for a field that did not come; raises Unprocessable if it must."""
    if absent is None:
        raise Unprocessable(f"the form has no field `{name}`; {mend}", path="$")
    return absent()
