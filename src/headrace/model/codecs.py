"""Which codec reads a parameter: told by its annotation. Those of libraries come when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from headrace.model.adapters import Decode, Encode, adapter_of, problem_of
from headrace.model.arguments import Parameter
from headrace.model.codec import Codec, Make
from headrace.model.forms import absent_of, field_take, raw_take, upload_codec
from headrace.model.json_body import FromJson, json_reader, text_reader
from headrace.model.known import (
    is_array,
    is_image,
    is_leaf,
    is_number,
    is_pydantic,
    parts,
    without_none,
)
from headrace.model.mistakes import mistake
from headrace.model.own_codec import adapter_codec
from headrace.model.schema import checked, example, maker, sample, unreadable
from headrace.model.types import files_wanted


def codec_of(cls: type, hook: str, parameter: Parameter, annotation: Any) -> Codec:
    """Choose how a parameter is read; raises ConfigError if it cannot be."""
    default = None if parameter.required else maker(parameter)
    adapter = _adapter(cls, hook, parameter.name, annotation)
    if adapter is not None:
        return adapter_codec(adapter, parameter.name)
    if annotation is bytes:
        return Codec(read=lambda envelope: envelope.body, take=raw_take, mend="", schema=bytes)
    uploads = files_wanted(annotation)
    if uploads is not None:
        return upload_codec(parameter.name, uploads, default)
    if any(map(is_pydantic, parts(annotation))):
        try:
            return _pydantic_codec(annotation)
        except ValueError as error:
            _refuse_unseen(cls, hook, parameter.name, annotation, error)
    kind = checked(cls, hook, parameter.name, annotation)
    try:
        return _codec_of_kind(parameter.name, kind, default)
    except (ValueError, ImportError) as error:
        raise unreadable(cls, hook, parameter.name, annotation, str(error)) from error


def _adapter(cls: type, hook: str, name: str, annotation: Any) -> Decode | None:
    """Find a parameter's Decode, and hold it to its rules."""
    if adapter_of(annotation, Encode) is not None:
        raise mistake(
            cls,
            hook,
            f"has an Encode on its parameter `{name}`",
            "write it on the result; what comes in has hr.Decode",
        )
    adapter = adapter_of(annotation, Decode)
    problem = "" if adapter is None else problem_of(adapter)
    if problem:
        raise mistake(cls, hook, f"has `{name}: {adapter!r}`, and {problem}", "mend the adapter")
    return adapter


def _codec_of_kind(name: str, kind: Any, default: Make | None) -> Codec:
    """Choose among what msgspec reads, with leaves of ours where it does not know a class."""
    for part in parts(kind):
        if is_leaf(part):
            leaf_of(part)  # import it now; what cannot be read is told at load
    decode = decoder_of(kind)
    shown = f"send JSON: curl --json '{example(kind)}'"
    inner, optional = without_none(kind)
    absent = default or ((lambda: None) if optional else None)
    images = files_wanted(kind, is_image)
    if images is not None:
        from headrace.model.images import image_codec  # noqa: PLC0415 - Pillow

        read = json_reader(decode, "an image in JSON is base64 in a string")
        return image_codec(kind, images, read, name, default or absent_of(images))
    if is_array(inner):
        from headrace.model.arrays import array_codec  # noqa: PLC0415 - numpy

        shown += ", or a .npy file: curl --data-binary @x.npy -H 'Content-Type: application/x-npy'"
        return array_codec(kind, json_reader(decode, shown), shown, absent)
    if kind is str:
        shown += ", or text: curl -H 'Content-Type: text/plain' -d text"
    read = json_reader(decode, shown)
    return Codec(
        read=text_reader(read) if kind is str else read,
        take=field_take(decode, kind, read_leaf),
        mend=shown,
        example=sample(kind),
        schema=kind,
    )


def _pydantic_codec(annotation: Any) -> Codec:
    """Let pydantic read all of it; raises ValueError if it does not know all of it."""
    from headrace.model.pydantics import pydantic_codec  # noqa: PLC0415 - pydantic

    mend = f"send JSON: curl --json '{example(annotation)}'"
    return pydantic_codec(annotation, mend, sample(annotation))


def _refuse_unseen(cls: type, hook: str, name: str, annotation: Any, error: Exception) -> None:
    """Refuse a rule of pydantic's where it cannot read the whole: msgspec would not see it."""
    if any(is_pydantic(part) and not is_leaf(part) for part in parts(annotation)):
        raise unreadable(cls, hook, name, annotation, f"pydantic: {error}") from error


def decoder_of(kind: Any) -> FromJson:
    """Make a decoder of JSON in which leaves of ours may occur."""
    return msgspec.json.Decoder(kind, dec_hook=read_leaf).decode


def read_leaf(kind: Any, value: Any) -> Any:
    """Make one value of a class msgspec does not know; raises Misfit."""
    return leaf_of(kind)(value)


@cache
def leaf_of(kind: Any) -> Callable[[Any], Any]:
    """Give what makes such a class of what JSON has in its place; raises ValueError."""
    if is_array(kind):
        from headrace.model.arrays import leaf_of_array  # noqa: PLC0415 - numpy

        return leaf_of_array(kind)
    if is_number(kind):
        from headrace.model.arrays import leaf_of_number  # noqa: PLC0415 - numpy

        return leaf_of_number(kind)
    if is_image(kind):
        from headrace.model.images import of_base64  # noqa: PLC0415 - Pillow

        return of_base64
    from headrace.model.pydantics import leaf_of_model  # noqa: PLC0415 - pydantic

    return leaf_of_model(kind)
