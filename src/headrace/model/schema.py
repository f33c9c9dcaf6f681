"""What an annotation reads: the decoder it stands for, an example for a caller who got it wrong."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from inspect import Parameter as Signed
from typing import Any

import msgspec

from headrace.errors import ConfigError
from headrace.model.adapters import Decode, Encode
from headrace.model.arguments import Parameter
from headrace.model.known import is_leaf, parts
from headrace.model.mistakes import READABLE, mistake
from headrace.model.types import Upload, is_request

_FROZEN = (str, int, float, bool, bytes, type(None))
_EXAMPLES: Mapping[Any, Any] = {str: "text", int: 1, float: 1.5, bool: True, None: None}


def checked(cls: type, hook: str, name: str, annotation: Any) -> Any:
    """Give the annotation back as what msgspec is to read.

    Raises ConfigError if any part of it is not something this version reads.
    """
    if annotation is object:
        return Any
    for part in parts(annotation):
        if is_request(part) or part is Upload:
            raise mistake(
                cls,
                hook,
                f"has `{name}: {_word(annotation)}`",
                "hr.Request and hr.Upload stand alone, or as `hr.Upload | None` or "
                "`list[hr.Upload]`; a Request is the only data parameter of its hook",
            )
        if isinstance(part, Decode | Encode):
            raise mistake(
                cls,
                hook,
                f"has `{name}: {_word(annotation)}`, with {part!r} out of place",
                "a Decode is said of a whole parameter, `Annotated[T, hr.Decode(parse)]`, an "
                "Encode of a result",
            )
    try:
        problem = _foreign(msgspec.inspect.type_info(annotation))
    except Exception as error:  # noqa: BLE001 - whatever an odd annotation raises, it is told
        problem = str(error)
    if problem:
        raise unreadable(cls, hook, name, annotation, problem)
    return annotation


def unreadable(cls: type, hook: str, name: str, annotation: Any, problem: str) -> ConfigError:
    """Word the mistake of an annotation that stands for nothing a body can be."""
    return mistake(
        cls,
        hook,
        f"has `{name}: {_word(annotation)}`, which this version cannot read ({problem})",
        f"it reads {READABLE}. Take one of these and convert it in the hook, or say how it is "
        "read: `Annotated[T, hr.Decode(parse)]`",
    )


def _foreign(root: object) -> str:
    """Look for a class that nobody here reads, in everything the type is made of."""
    seen: set[int] = set()
    left: list[object] = [root]
    while left:
        item = left.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, msgspec.inspect.CustomType) and not is_leaf(item.cls):
            return f"{item.cls.__module__}.{item.cls.__qualname__} is not among its types"
        if isinstance(item, tuple | list):
            left.extend(item)
        elif isinstance(item, msgspec.inspect.Type | msgspec.inspect.Field):
            left.extend(getattr(item, name) for name in item.__struct_fields__)
    return ""


def _word(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def record_of(cls: type, parameters: Sequence[Parameter], types_read: Sequence[Any]) -> type:
    """Make the record whose fields are a hook's data parameters.

    A field nobody knows is refused: a misspelt optional one would otherwise change nothing, and
    nobody would hear of it.
    """
    rows = [(p.name, kind, _default(p)) for p, kind in zip(parameters, types_read, strict=True)]
    return msgspec.defstruct(
        f"{cls.__name__}Body",
        [row[:2] if row[2] is Signed.empty else row for row in rows],
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _default(parameter: Parameter) -> Any:
    return Signed.empty if parameter.required else msgspec.field(default_factory=maker(parameter))


def maker(parameter: Parameter) -> Callable[[], Any]:
    """Make a parameter's default anew for each request.

    Python shares a mutable one between calls, and so would show one request's data to the next.
    """
    default = parameter.default
    if isinstance(default, _FROZEN) or not _can_be_copied(default):
        return lambda: default
    return lambda: deepcopy(default)


def _can_be_copied(default: Any) -> bool:
    try:
        return deepcopy(default) is not default
    except Exception:  # noqa: BLE001 - a lock, a module: it is shared, as Python does
        return False


def example(annotation: Any) -> str:
    """Write a body that the annotation reads, roughly; the shell's quotes are put around it."""
    return json.dumps(sample(annotation))


def sample(annotation: Any) -> Any:
    """Give a value that the annotation reads, roughly."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated or origin in (typing.Union, types.UnionType):
        return sample(inner[0])
    if origin is typing.Literal:
        return inner[0] if isinstance(inner[0], str | int) else None
    if (origin or annotation) in (list, tuple, set, frozenset, Sequence):
        return [sample(kind) for kind in inner if kind is not ...]
    try:
        return _EXAMPLES.get(annotation, {})
    except TypeError:  # an annotation need not be hashable
        return {}
