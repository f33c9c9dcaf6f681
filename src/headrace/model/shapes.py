"""What an annotation looks like in JSON, as JSON Schema."""

from __future__ import annotations

import datetime as dt
import re
import typing
from typing import Any

import msgspec

from headrace.model.known import (
    descends,
    is_array,
    is_image,
    is_number,
    is_pydantic,
    parts,
    without_none,
)
from headrace.model.references import PREFIX, TEMPLATE, Schema, added

_INTEGER = re.compile(r"(u?)int(8|16|32|64)")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")  # what a component may not have in its name
_NUMBERS = (
    ("bool", "boolean"),
    ("bool_", "boolean"),
    ("integer", "integer"),
    ("str_", "string"),
    ("generic", "number"),
)
_EXAMPLES: dict[str, Any] = {"boolean": True, "integer": 1, "string": "text", "number": 1.5}


class Shapes:
    """Draws annotations; what has a name is drawn once, into `named`."""

    def __init__(self, *, goes_out: bool = False) -> None:
        """`goes_out` is for answers: a number that is none of JSON's is null there."""
        self.named: dict[str, Schema] = {}
        self._goes_out = goes_out

    def of(self, annotation: Any, name: str) -> Schema:
        """Draw one; {} is any JSON, and stands for what nobody can describe.

        `name` tells its schemas from others of their names.
        """
        try:
            return self._drawn(annotation, name)
        except Exception:  # noqa: BLE001 - whatever an odd class raises, its model can be served
            return {}

    def _drawn(self, annotation: Any, name: str) -> Schema:
        if annotation is dt.datetime and not self._goes_out:  # one without a zone is taken too
            return {"type": "string", "format": "date-time"}
        inner, optional = without_none(annotation)
        if optional and is_array(inner):
            return {"anyOf": [self._leaf(inner, name), {"type": "null"}]}
        if is_array(annotation) or is_number(annotation) or is_image(annotation):
            return self._leaf(annotation, name)
        if any(map(is_pydantic, parts(annotation))):
            try:
                return self._by_pydantic(annotation, name)
            except ValueError:
                pass  # it does not know all of it: it draws its own classes within the rest
        (schema,), named = msgspec.json.schema_components(
            (annotation,), schema_hook=lambda kind: self._leaf(kind, name), ref_template=TEMPLATE
        )
        return self._taken(schema, named, name)

    def _leaf(self, kind: Any, name: str) -> Schema:
        if is_array(kind):
            return self._array(kind)
        if is_number(kind):
            return self._number(kind)
        if is_image(kind):
            return {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
        if is_pydantic(kind):
            return self._by_pydantic(kind, name)
        raise NotImplementedError

    def _by_pydantic(self, annotation: Any, name: str) -> Schema:
        from headrace.model.pydantics import drawn  # noqa: PLC0415 - pydantic

        schema, named = drawn(annotation, TEMPLATE, goes_out=self._goes_out)
        if isinstance(annotation, type) and "$ref" not in schema:
            title = _NO_NAME.sub("_", annotation.__name__)
            schema, named = {"$ref": PREFIX + title}, {**named, title: schema}
        return self._taken(schema, named, name)

    def _taken(self, schema: Schema, named: dict[str, Schema], name: str) -> Schema:
        tree: Schema = added(self.named, schema, named, name)
        return tree

    def _array(self, annotation: Any) -> Schema:
        """Draw lists of lists; that they are of equal lengths has no word in JSON Schema."""
        inner = typing.get_args(annotation)
        scalars = typing.get_args(inner[1]) if len(inner) > 1 else ()
        kind = typing.get_origin(scalars[0]) or scalars[0] if scalars else None
        kind = kind if is_number(kind) else None
        word = kind.__name__.rstrip("_") if kind else "numbers"
        title = f"Array.{word}{'.out' if self._goes_out else ''}"
        number = self._number(kind) if kind else {"type": ["number", "boolean"]}
        if self._goes_out and not kind:
            number = {"type": ["number", "boolean", "string", "null"]}
        example = _EXAMPLES.get(str(number["type"]), 1.5)
        self.named[title] = {
            "title": f"array of {word}",
            "description": "lists of lists, as deep as the array has dimensions; of equal lengths",
            "anyOf": [{"type": "array", "items": {"$ref": PREFIX + title}}, number],
            "examples": [[example]],
        }
        return {"$ref": PREFIX + title}

    def _number(self, kind: Any) -> Schema:
        word = next(word for name, word in _NUMBERS if descends(kind, "numpy", name))
        if self._goes_out and word == "number":
            return {"type": [word, "null"]}  # NaN and the infinities
        found = _INTEGER.fullmatch(kind.__name__)
        if not found:
            return {"type": word}
        unsigned, bits = bool(found[1]), int(found[2])
        return {
            "type": word,
            "minimum": 0 if unsigned else -(2 ** (bits - 1)),
            "maximum": 2 ** (bits if unsigned else bits - 1) - 1,
        }
