"""Classes of other libraries, known by their names: none is imported to find out."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

_PYDANTIC = ("pydantic", "pydantic_core", "annotated_types")
_PYDANTIC_MARKS = ("__pydantic_validator__", "__get_pydantic_core_schema__")
_RECORD_MARKS = (
    "__dataclass_fields__",
    "__attrs_attrs__",
    "__struct_fields__",
    "__total__",  # TypedDict
    "_fields",  # NamedTuple
)


def is_array(annotation: Any) -> bool:
    """Tell whether it is numpy's ndarray, or one of a dtype."""
    return descends(typing.get_origin(annotation) or annotation, "numpy", "ndarray")


def is_number(kind: Any) -> bool:
    """Tell whether it is one of numpy's numbers."""
    return descends(kind, "numpy", "generic")


def is_image(kind: Any) -> bool:
    """Tell whether it is Pillow's Image."""
    return descends(kind, "PIL.Image", "Image")


def is_pydantic(part: Any) -> bool:
    """Tell whether pydantic alone knows what it means: a model, a type or a rule of its own."""
    if isinstance(part, type) and any(hasattr(part, mark) for mark in _PYDANTIC_MARKS):
        return True
    home = part if isinstance(part, type) else type(part)
    return home.__module__.partition(".")[0] in _PYDANTIC


def is_leaf(kind: Any) -> bool:
    """Tell whether a codec of ours reads it within what msgspec reads."""
    return (
        is_array(kind)
        or is_number(kind)
        or is_image(kind)
        or (isinstance(kind, type) and is_pydantic(kind))
    )


def descends(kind: Any, module: str, name: str) -> bool:
    """Tell whether it is a class of that name, or derived from one."""
    return isinstance(kind, type) and any(
        base.__module__ == module and base.__name__ == name for base in kind.__mro__
    )


def without_none(annotation: Any) -> tuple[Any, bool]:
    """Give `T` of `T | None`, and whether there was a None."""
    inner = typing.get_args(annotation)
    if type(None) not in inner or not is_union(annotation):
        return annotation, False
    rest = [part for part in inner if part is not type(None)]
    return (rest[0], True) if len(rest) == 1 else (annotation, False)


def is_union(annotation: Any) -> bool:
    """Tell whether it is a union, in either spelling."""
    origin = typing.get_origin(annotation)
    return origin is typing.Union or getattr(origin, "__name__", "") == "UnionType"


def parts(annotation: Any) -> Iterator[Any]:
    """Give an annotation and everything it is made of: arguments, metadata, the fields of records.

    A pydantic model is not opened: what is in it is its own affair.
    """
    seen: set[int] = set()
    left = [annotation]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        left.extend(typing.get_args(part))
        if isinstance(part, type) and not is_pydantic(part):
            left.extend(_fields(part))


def _fields(kind: type) -> list[Any]:
    if not any(hasattr(kind, mark) for mark in _RECORD_MARKS):
        return []
    try:
        return list(typing.get_type_hints(kind, include_extras=True).values())
    except Exception:  # noqa: BLE001 - evaluating runs any expression; msgspec tells it better
        return []
