"""What a model takes and gives, as its callers are told: media types with JSON Schemas.

It is read from the annotations that choose the codecs, where the class is, and travels as plain
data: the server tells it without importing the class.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from headrace.model.adapters import Decode, Encode, adapter_of
from headrace.model.arguments import Parameter, Unresolved, read_arguments, read_result, resolved
from headrace.model.checks import has, streams_of, work_of
from headrace.model.known import descends, is_array, is_image, without_none
from headrace.model.media import BYTES, EVENTS, FORM, JSON, NDJSON, NPY, PNG, TEXT, is_json
from headrace.model.plain import CannotAnswer, as_json
from headrace.model.references import Schema, added
from headrace.model.results import item_of, of_one
from headrace.model.shapes import Shapes
from headrace.model.types import files_wanted, is_request

ANY = "*/*"
_FILE: Schema = {"type": "string", "format": "binary", "contentMediaType": BYTES}
_FILE_TYPES = {"image": "image/*", "array": NPY}
_RAW = (bytes, bytearray, memoryview)
Media = dict[str, Schema]
"""Schemas by media type; {} is a body that JSON Schema has no words for, or any JSON."""


class Description(msgspec.Struct, frozen=True):
    """One model, described. `body` is None where it reads none; `named` are what schemas refer to.

    `summary` is the first line of the class's docstring, `text` the rest.
    """

    summary: str = ""
    text: str = ""
    body: Media | None = None
    body_required: bool = True
    answer: Media = {}
    named: dict[str, Schema] = {}


def described(cls: type) -> Description:
    """Describe a class that can be served."""
    streams, work = streams_of(cls), work_of(cls)
    reads = "decode_request" if has(cls, "decode_request") else work
    last = "step" if streams == "steps" else work
    last = "encode_response" if has(cls, "encode_response") else last
    shapes, out = Shapes(), Shapes(goes_out=True)
    data = _parameters(cls, reads)
    body = _body(data, shapes)
    result = _result(cls, last)
    answer = _streamed(result, out) if streams else _answer(result, out)
    summary, _, text = _words(cls, work).partition("\n")
    return Description(
        summary=summary,
        text=text.strip(),
        body=body,
        body_required=any(parameter.required for parameter in data),
        answer=added(shapes.named, answer, out.named, "Answer"),
        named=shapes.named,
    )


def _words(cls: type, hook: str) -> str:
    """Find the words of the class, else of its hook."""
    return inspect.cleandoc(cls.__doc__ or getattr(cls, hook).__doc__ or "")


def _parameters(cls: type, hook: str) -> list[Parameter]:
    """List what a request sends: of a batch, one item."""
    found = [
        Parameter(p.name, resolved(cls, hook, p), p.default, p.by_position)
        for p in read_arguments(cls, hook, many=hook == "predict_batch").data
    ]
    if hook != "predict_batch":
        return found
    first = found[0]
    item = item_of(first.annotation) or Any
    return [Parameter(first.name, item, inspect.Parameter.empty, by_position=True)]


# --- in ------------------------------------------------------------------------------------


def _body(data: Sequence[Parameter], shapes: Shapes) -> Media | None:
    if not data:
        return None
    if len(data) == 1:
        return _alone(data[0], shapes)
    kinds = {_kind(parameter.annotation) for parameter in data}
    needed = [parameter.name for parameter in data if parameter.required]
    fields = {parameter.name: _in_json(parameter, shapes) for parameter in data}
    whole = {} if "upload" in kinds else {JSON: _record(fields, needed, closed=True)}
    if kinds == {""}:
        return whole
    fields = {parameter.name: _in_form(parameter, shapes) for parameter in data}
    needed = [p.name for p in data if p.required and not _may_be_absent(p.annotation)]
    form = {FORM: _record(fields, needed, closed=True)}
    return {**form, **whole}  # the form first: it is the shorter way for a file


def _alone(parameter: Parameter, shapes: Shapes) -> Media:
    annotation, name = parameter.annotation, parameter.name
    adapter = adapter_of(annotation, Decode)
    if adapter is not None:
        return {media: {} for media in adapter.media_types or (ANY,)}
    if annotation is bytes or is_request(annotation):
        return {ANY: {}}
    kind = _kind(annotation)
    needed = [name] if parameter.required and not _may_be_absent(annotation) else []
    form = _record({name: _in_form(parameter, shapes)}, needed) if kind else {}
    if kind == "upload":
        return {FORM: form}
    in_json = _in_json(parameter, shapes)
    if kind == "image":
        return {"image/*": {}, FORM: form, BYTES: {}, JSON: in_json}
    if kind == "array":
        return {JSON: in_json, NPY: {}, BYTES: {}}
    return {JSON: in_json, TEXT: in_json} if annotation is str else {JSON: in_json}


def _kind(annotation: Any) -> str:
    """Tell what may come as a file of itself; nothing for what is JSON."""
    if adapter_of(annotation, Decode) is not None:
        return "own"
    if files_wanted(annotation) is not None:
        return "upload"
    if files_wanted(annotation, is_image) is not None:
        return "image"
    return "array" if is_array(without_none(annotation)[0]) else ""


def _may_be_absent(annotation: Any) -> bool:
    """Tell whether a form may leave it out though it has no default: no file, no array."""
    many = files_wanted(annotation) or files_wanted(annotation, is_image)
    optional_array = _kind(annotation) == "array" and without_none(annotation)[1]
    return many in ("maybe", "many") or optional_array


def _in_json(parameter: Parameter, shapes: Shapes) -> Schema:
    own = _kind(parameter.annotation) == "own"  # it gets the JSON text of its field
    schema = {} if own else shapes.of(parameter.annotation, parameter.name)
    return _with_default(schema, parameter)


def _in_form(parameter: Parameter, shapes: Shapes) -> Schema:
    annotation, kind = parameter.annotation, _kind(parameter.annotation)
    if not kind and annotation is not bytes:
        return _in_json(parameter, shapes)
    adapter = adapter_of(annotation, Decode)
    types = adapter.media_types[:1] if adapter else ()
    file = {**_FILE, "contentMediaType": _FILE_TYPES.get(kind, types[0] if types else BYTES)}
    many = files_wanted(annotation) or files_wanted(annotation, is_image)
    return {"type": "array", "items": file} if many == "many" else file


def _record(fields: dict[str, Schema], needed: Sequence[str], *, closed: bool = False) -> Schema:
    record: Schema = {"type": "object", "properties": fields}
    if needed:
        record["required"] = list(needed)
    return {**record, "additionalProperties": False} if closed else record


def _with_default(schema: Schema, parameter: Parameter) -> Schema:
    if parameter.required:
        return schema
    try:
        return {**schema, "default": msgspec.json.decode(as_json(parameter.default))}
    except CannotAnswer:
        return schema


# --- out -----------------------------------------------------------------------------------


def _result(cls: type, hook: str) -> Any:
    """Read what one request gets; Any where nobody says."""
    result = read_result(cls, hook)
    if isinstance(result, Unresolved):
        return Any
    return of_one(cls, hook, result) or Any


def _streamed(result: Any, shapes: Shapes) -> Media:
    """Describe an answer in parts by one of its items, in each form a client may ask for."""
    encode = adapter_of(result, Encode)
    text: Schema = {"type": "string"}
    lines = {NDJSON: {} if encode else shapes.of(result, "Item"), EVENTS: text}
    if encode is not None:
        return {encode.media_type or ANY: {}, **lines}
    if result is str:
        return {TEXT: text, **lines}
    return {BYTES: {}, **lines} if result in _RAW else lines


def _answer(result: Any, shapes: Shapes) -> Media:
    encode = adapter_of(result, Encode)
    if encode is not None:
        media = encode.media_type or ANY
        return {media: shapes.of(result, "Answer") if is_json(media) else {}}
    inner, optional = without_none(result)
    empty = {JSON: {"type": "null"}} if optional else {}
    if inner in _RAW:
        return {BYTES: {}, **empty}
    if is_image(inner):
        return {PNG: {}, **empty}
    if _is_response(inner):
        return {ANY: {}}
    return {JSON: shapes.of(result, "Answer")}


def _is_response(kind: Any) -> bool:
    return descends(kind, "starlette.responses", "Response")
