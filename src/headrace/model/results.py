"""What a hook's result annotation asks for: the Encode of the answer, in its right place."""

from __future__ import annotations

import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Any

from headrace.model.adapters import Decode, Encode, adapter_of, problem_of
from headrace.model.arguments import Unresolved, read_result
from headrace.model.checks import GENERATORS, yields
from headrace.model.known import is_array, parts, without_none
from headrace.model.mistakes import mistake
from headrace.model.rendering import writes

_LISTS = (list, tuple, Sequence, Iterable)
_STREAMS = (AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator)
_ALIGNED = ("predict_batch", "step")


def encode_of(cls: type, hook: str, *, last: bool) -> Encode | None:
    """Find the Encode of a hook's result; raises ConfigError for one that would do nothing."""
    result = read_result(cls, hook)
    if isinstance(result, Unresolved):
        if "Encode" in result.text:
            raise mistake(
                cls,
                hook,
                f"returns `{result.text}`, which cannot be resolved ({result.why})",
                "define or import it at module level, not under TYPE_CHECKING",
            )
        return None
    adapters = [part for part in parts(result) if isinstance(part, Decode | Encode)]
    if not adapters:
        return None
    result = of_one(cls, hook, result)
    found = adapter_of(result, Encode)
    if found is None or not last or adapters != [found]:
        raise mistake(
            cls,
            hook,
            f"has {adapters[0]!r} in its result, where it does nothing",
            "one Encode stands around the whole answer of the last hook, `-> Annotated[T, "
            "hr.Encode(render, 'image/png')]`, in predict_batch around the item, "
            "`-> list[Annotated[...]]`",
        )
    _check(cls, hook, found, result)
    return found


def _check(cls: type, hook: str, encode: Encode, result: Any) -> None:
    problem = problem_of(encode)
    kind = without_none(typing.get_args(result)[0])[0]
    kind = typing.get_origin(kind) if is_array(kind) else kind
    if not problem and encode.render is ... and not writes(kind, encode.media_type):
        problem = f"{kind.__name__} cannot be written so; give a function in place of `...`"
    if problem:
        raise mistake(cls, hook, f"has {encode!r} on its result, and {problem}", "mend the adapter")


def of_one(cls: type, hook: str, result: Any) -> Any:
    """Give what one request gets of a hook's result, of a stream one item; None if nobody says."""
    if hook in GENERATORS and yields(cls, hook):
        inner = typing.get_args(result)
        result = inner[0] if typing.get_origin(result) in _STREAMS and inner else None
    return item_of(result) if hook in _ALIGNED else result


def item_of(result: Any) -> Any:
    """Give `T` of a batch's `list[T]`, None where it is no list."""
    inner = typing.get_args(result)
    return inner[0] if typing.get_origin(result) in _LISTS and inner else None
