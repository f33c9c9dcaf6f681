"""How a thing that JSON has no word for becomes one that it has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from headrace.model.known import descends, is_image

STREAM = "a stream; make the hook itself a generator: `yield from` it in `predict`"


class CannotAnswer(Exception):
    """What a hook returned cannot be sent; the text says why, for the log."""


class BadBatch(Exception):
    """What `predict_batch` returned cannot be dealt out; the text says why, for the log."""


def as_json(output: Any) -> bytes:
    """Write an output as JSON; raises CannotAnswer.

    NaN and infinities become null, wherever they are: JSON has no word for them.
    """
    try:
        return _write(output)
    except CannotAnswer:
        raise
    except Exception as error:  # a thing's own conversion raised, or a key is no text
        raise CannotAnswer(f"{type(output).__name__} cannot be written as JSON: {error}") from error


def _plain(thing: Any) -> Any:
    """Turn what msgspec does not know into what it does, asking the thing by its shape."""
    kind = type(thing)
    if descends(kind, "numpy", "ndarray") or descends(kind, "numpy", "generic"):
        from headrace.model.arrays import as_plain  # noqa: PLC0415 - numpy is there already

        return as_plain(thing)
    if is_image(kind):
        from headrace.model.images import written  # noqa: PLC0415 - so is Pillow

        return written(thing)  # bytes within JSON are base64
    for word in ("tolist", "item"):  # others' arrays, tensors and numbers
        if hasattr(thing, word):
            return getattr(thing, word)()
    if hasattr(thing, "model_dump"):  # pydantic
        return thing.model_dump(mode="json")
    return _by_base(thing)


def _by_base(thing: Any) -> Any:
    """Take a subclass for what it derives from: msgspec goes by the exact type."""
    for base in (str, int, float):
        if isinstance(thing, base):
            return base.__str__(thing) if base is str else base(thing)
    if isinstance(thing, Mapping):
        return dict(thing)
    if isinstance(thing, AbstractSet | Sequence):
        return list(thing)
    raise CannotAnswer(_why_not(thing))


def _why_not(thing: Any) -> str:
    name = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if inspect.iscoroutine(thing):
        thing.close()  # it will never run; say so once, here
        return f"{thing.__qualname__} gave a coroutine: write the hook as `async def`"
    if inspect.isgenerator(thing) or inspect.isasyncgen(thing):
        return f"{name} is {STREAM}"
    return f"{name} cannot be written as JSON"


_write = msgspec.json.Encoder(enc_hook=_plain).encode
