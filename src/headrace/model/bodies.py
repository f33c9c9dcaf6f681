"""How a request's body becomes what a hook takes; decided once, from the annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

import msgspec

from headrace.model.arguments import Arguments, Parameter, resolved
from headrace.model.calls import Call, call_with_fields, call_with_nothing, call_with_one
from headrace.model.codec import Codec, Reader, or_default
from headrace.model.codecs import codec_of, decoder_of
from headrace.model.envelope import Envelope
from headrace.model.forms import fields_reader
from headrace.model.json_body import json_reader
from headrace.model.media import FORM, media_type
from headrace.model.misfit import fitted
from headrace.model.mistakes import mistake
from headrace.model.schema import maker, record_of
from headrace.model.types import is_request, make_request


@dataclass(frozen=True, slots=True)
class Body:
    """How the hook that describes the body gets it: read it, then call."""

    read: Reader
    call: Call
    needs_head: bool = False


def body_of(cls: type, arguments: Arguments) -> Body:
    """Decide how a hook gets its content."""
    data = arguments.data
    if not data:
        return Body(lambda _envelope: None, call_with_nothing(arguments))
    types_read = [resolved(cls, arguments.hook, parameter) for parameter in data]
    if len(data) == 1:
        return Body(
            reader_of_one(cls, arguments.hook, data[0], types_read[0]),
            call_with_one(arguments),
            needs_head=is_request(types_read[0]),
        )
    return Body(_reader_of_fields(cls, arguments, types_read), call_with_fields(arguments))


def reader_of_one(cls: type, hook: str, parameter: Parameter, annotation: Any) -> Reader:
    """Choose the reader of a body that is one value."""
    if is_request(annotation):
        return lambda envelope: make_request(annotation, envelope)
    codec = codec_of(cls, hook, parameter, annotation)
    return or_default(codec.read, None if parameter.required else maker(parameter))


def _reader_of_fields(cls: type, arguments: Arguments, types_read: Sequence[Any]) -> Reader:
    """Choose the reader of a body that is a record: an object in JSON, a form, or either."""
    hook, data = arguments.hook, arguments.data
    if any(map(is_request, types_read)):
        raise mistake(
            cls, hook, "takes a Request beside other fields", "take it alone: it has them all"
        )
    codecs = {p.name: codec_of(cls, hook, p, k) for p, k in zip(data, types_read, strict=True)}
    record = record_of(cls, data, [codec.schema for codec in codecs.values()])
    required = {p.name for p in data if p.required}
    mend = _mend(codecs, required)
    read = _reader_of_object(record, codecs, mend)
    if any(codec.as_file for codec in codecs.values()):
        form = fields_reader(codecs, required, record, mend)
        whole = all(codec.in_json for codec in codecs.values())
        read = _by_type(form, read) if whole else form
    return or_default(read, None if required else record)


def _mend(codecs: Mapping[str, Codec], required: set[str]) -> str:
    """Say what to send: an object with the required fields, or all if none is; a form if better."""
    shown = {name: codecs[name] for name in codecs if name in required} or codecs
    told = f"send JSON: curl --json '{dumps({name: shown[name].example for name in shown})}'"
    if not any(codec.as_file for codec in codecs.values()):
        return told
    fields = (f"-F {name}={'@file' if codecs[name].as_file else '...'}" for name in codecs)
    form = f"a form: curl {' '.join(fields)}"
    return f"{told}, or {form}" if all(c.in_json for c in codecs.values()) else f"send {form}"


def _reader_of_object(record: type, codecs: Mapping[str, Codec], mend: str) -> Reader:
    read = json_reader(decoder_of(record), mend)
    rest = {name: c.of_json for name, c in codecs.items() if c.of_json is not None}
    if not rest:
        return read

    def read_all(envelope: Envelope) -> Any:
        found = read(envelope)
        for name, of_json in rest.items():
            raw = getattr(found, name)
            if isinstance(raw, msgspec.Raw):  # else it is the default
                setattr(found, name, fitted(of_json, bytes(raw), f"$.{name}"))
        return found

    return read_all


def _by_type(form: Reader, other: Reader) -> Reader:
    def read(envelope: Envelope) -> Any:
        media = media_type(envelope.content_type or "")
        return form(envelope) if media == FORM else other(envelope)

    return read
