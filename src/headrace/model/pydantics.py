"""pydantic at the border: it validates what its own types describe. Imported here alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pydantic
from pydantic.errors import PydanticUserError

from headrace.errors import BadRequest, Unprocessable
from headrace.model.codec import Codec, Reader
from headrace.model.json_body import refuse, require_json
from headrace.model.media import JSON, is_json
from headrace.model.misfit import Misfit, only
from headrace.model.parts import Part

_SHOWN = 3


def pydantic_codec(annotation: Any, mend: str, example: Any) -> Codec:
    """Read anything a TypeAdapter takes; raises ValueError for what it does not."""
    adapter = _adapter(annotation)

    def of_json(text: bytes) -> Any:
        return _validated(adapter.validate_json, text)

    def of_text(text: str) -> Any:
        try:
            return _validated(adapter.validate_strings, text)
        except Misfit:
            if text.lstrip()[:1] in ("{", "["):
                return of_json(text.encode())
            raise

    def take(found: Sequence[Part]) -> Any:
        part = only(found)
        return of_json(part.body) if is_json(part.content_type) else of_text(part.text())

    return Codec(
        read=_reader(of_json, mend),
        take=take,
        mend=mend,
        example=example,
        schema=msgspec.Raw,
        of_json=of_json,
    )


def _reader(of_json: Callable[[bytes], Any], mend: str) -> Reader:
    def read(envelope: Any) -> Any:
        body, kind = envelope.body, envelope.content_type
        if not body:
            raise BadRequest(f"the body is empty; {mend}")
        if kind != JSON and kind is not None:
            require_json(kind, mend)
        if b"NaN" in body or b"Infinity" in body:
            _require_syntax(body, mend)  # pydantic reads them, and they are no JSON
        try:
            return of_json(body)
        except Misfit as error:
            _require_syntax(body, mend)
            raise Unprocessable(error.detail, path=error.path) from error

    return read


def leaf_of_model(kind: type[Any]) -> Callable[[Any], Any]:
    """Give what validates a model that is within something msgspec reads."""
    adapter = _adapter(kind)
    # By way of JSON again: of Python's values a strict model refuses what it takes from JSON.
    return lambda value: _validated(adapter.validate_json, msgspec.json.encode(value))


def drawn(annotation: Any, template: str, *, goes_out: bool) -> tuple[Any, dict[str, Any]]:
    """Give the JSON Schema of anything a TypeAdapter takes, and the named ones it refers to.

    Raises ValueError for what it does not take. An answer has the names of its attributes, for it
    is written by `model_dump`.
    """
    schema = _adapter(annotation).json_schema(
        ref_template=template.replace("{name}", "{model}"),
        mode="serialization" if goes_out else "validation",
        by_alias=not goes_out,
    )
    return schema, schema.pop("$defs", {})


def _adapter(annotation: Any) -> pydantic.TypeAdapter[Any]:
    try:
        return pydantic.TypeAdapter(annotation)
    except (PydanticUserError, TypeError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def _require_syntax(body: bytes, mend: str) -> None:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        refuse(error, body, mend)


def _validated(validate: Callable[[Any], Any], given: Any) -> Any:
    try:
        return validate(given)
    except pydantic.ValidationError as error:
        raise _misfit(error) from error


def _misfit(error: pydantic.ValidationError) -> Misfit:
    """Tell the first fault whole, of the next ones where they are."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    first, *others = [(fault["msg"], _path(fault["loc"])) for fault in found]
    detail = first[0]
    if others:
        places = ", ".join(path for _, path in others[:_SHOWN])
        more = "" if len(others) <= _SHOWN else f" and {len(others) - _SHOWN} more"
        detail += f" (and further faults at {places}{more})"
    return Misfit(detail, first[1])


def _path(place: Sequence[int | str]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "$" + "".join(steps)
