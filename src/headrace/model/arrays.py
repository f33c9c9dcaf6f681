"""numpy at the border: arrays from JSON lists or .npy bytes, and back; imported here alone.

No number changes its value unheard: a fraction is no integer, 300 no uint8. A smaller float is
taken, for it is what `NDArray[np.float32]` asks JSON for.
"""

from __future__ import annotations

import io
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from headrace.errors import BadRequest
from headrace.model.codec import Codec, Make, Reader
from headrace.model.known import is_array
from headrace.model.media import BYTES, NPY, media_type
from headrace.model.misfit import Misfit, fitted, only
from headrace.model.parts import Part

Array = np.ndarray[Any, Any]
_NPY_TYPES = (NPY, "application/npy", BYTES)
_MAGIC = b"\x93NUMPY"
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_NPY_HEAD = 1 << 17
_FREE = (np.generic, np.number, np.inexact)
_USUAL: Mapping[type, type] = {
    np.floating: np.float64,
    np.integer: np.int64,
    np.signedinteger: np.int64,
    np.unsignedinteger: np.uint64,
    np.complexfloating: np.complex128,
}
_KINDS = "biufcU"  # what a body may hold: bool, int, uint, float, complex (.npy only), text


def array_codec(annotation: Any, read_json: Reader, mend: str, absent: Make | None) -> Codec:
    """Read an array; `read_json` reads a body of lists."""
    leaf = leaf_of_array(next(p for p in (annotation, *typing.get_args(annotation)) if is_array(p)))

    def of_bytes(body: bytes | memoryview) -> Array:
        return leaf(_of_npy(body))

    def of_text(text: bytes) -> Any:
        try:
            value = msgspec.json.decode(text)
        except (ValueError, RecursionError) as error:
            raise Misfit("it is neither lists in JSON nor the bytes of a .npy file") from error
        return value if value is None and absent is not None else leaf(value)

    def read(envelope: Any) -> Any:
        body = envelope.view()
        if not body:
            if absent is not None:
                return absent()
            raise BadRequest(f"the body is empty; {mend}")
        npy = _is_npy(body, envelope.content_type or "")
        return fitted(of_bytes, body) if npy else read_json(envelope)

    def take(found: Sequence[Part]) -> Any:
        part = only(found)
        return of_bytes(part.body) if _is_npy(part.body, part.content_type) else of_text(part.body)

    return Codec(
        read=read,
        take=take,
        mend=mend,
        example=[1.5],
        schema=annotation,
        as_file=True,
        absent=absent,
    )


def _is_npy(body: bytes | memoryview, content_type: str) -> bool:
    return body[: len(_MAGIC)] == _MAGIC or media_type(content_type) in _NPY_TYPES


def leaf_of_array(annotation: Any) -> Callable[[Any], Array]:
    """Give what makes an array of lists, or fits one; raises ValueError for a dtype unreadable."""
    wanted = _dtype_of(annotation)
    if wanted is None:
        return _numbers
    if issubclass(wanted, np.generic) and wanted not in _USUAL:
        dtype = np.dtype(wanted)
        if dtype.kind not in _KINDS:
            raise ValueError(f"arrays of {dtype} are not read")
        return lambda value: _cast(_natural(value), dtype)
    usual = np.dtype(_USUAL[wanted])

    def fit(value: Any) -> Array:
        array = _natural(value)
        return array if np.issubdtype(array.dtype, wanted) else _cast(array, usual)

    return fit


def leaf_of_number(kind: type[Any]) -> Callable[[Any], Any]:
    """Give what makes one of numpy's numbers of one of JSON's."""
    leaf = leaf_of_array(types.GenericAlias(np.ndarray, (Any, types.GenericAlias(np.dtype, kind))))
    wanted = str if issubclass(kind, np.str_) else int | float

    def number(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise Misfit(f"`{kind.__name__}` is wanted, `{type(value).__name__}` came")
        return leaf(value)[()]

    return number


def _dtype_of(annotation: Any) -> type[Any] | None:
    """Find the scalar type of `NDArray[np.float32]`, None where any will do."""
    inner = typing.get_args(annotation)
    scalars = typing.get_args(inner[1]) if len(inner) > 1 else ()
    kind = (typing.get_origin(scalars[0]) or scalars[0]) if scalars else None
    return kind if isinstance(kind, type) and kind not in _FREE else None


def _natural(value: Any) -> Array:
    """Make an array of what came, of the dtype that its numbers have by themselves."""
    try:
        array = value if isinstance(value, np.ndarray) else np.array(value)
    except (ValueError, OverflowError) as error:
        raise Misfit("the lists are of unequal lengths, or nested too deeply") from error
    if array.dtype.kind not in _KINDS or (array.dtype.kind == "U" and not _all_text(value)):
        raise Misfit("an array of numbers is wanted, and there is something else in it")
    return array


def _numbers(value: Any) -> Array:
    array = _natural(value)
    if array.dtype.kind == "U":
        raise Misfit("an array of numbers is wanted, one of text came")
    return array


def _all_text(value: Any) -> bool:
    """Tell whether there is text alone: numpy would turn the numbers beside it into text."""
    if isinstance(value, list):
        return all(map(_all_text, value))
    return isinstance(value, str | np.ndarray)


def _cast(array: Array, dtype: np.dtype[Any]) -> Array:
    if array.dtype == dtype or not array.size:
        return array.astype(dtype, copy=False)
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if array.min() >= limits.min and array.max() <= limits.max:
            return array.astype(dtype)
        raise Misfit(f"a number is out of range for {dtype}")
    same = array.dtype.kind == dtype.kind
    text = "U" in (array.dtype.kind, dtype.kind)
    if not same and (text or not np.can_cast(array.dtype, dtype, "same_kind")):
        raise Misfit(f"an array of {dtype.name} is wanted, one of {array.dtype.name} came")
    with np.errstate(over="ignore"):  # too large for a float32 is infinity, as in numpy
        return array.astype(dtype)


def _of_npy(body: bytes | memoryview) -> Array:
    """Read the bytes of a .npy file; nothing is allotted that did not come."""
    file = io.BytesIO(body[:_LONGEST_NPY_HEAD])
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = _HEADER_READERS[version](file)
    except KeyError as error:
        raise Misfit("a .npy of this version is not read; save it with numpy.save") from error
    except Exception as error:
        raise Misfit(f"it is not the bytes of a .npy file: {error}") from error
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise Misfit(f"a .npy of dtype {dtype} is not read, numbers are")
    count, start = math.prod(shape), file.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(body) - start:
        raise Misfit("the .npy is not as long as its header says")
    if not count:
        return np.empty(shape, dtype)
    flat = np.frombuffer(body, dtype, count, start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))  # a copy: the body's own bytes cannot be written


def as_npy(array: Array) -> bytes:
    """Write an array as the bytes of a .npy file; raises ValueError for one of objects."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def as_plain(thing: Any) -> Any:
    """Turn an array or a number into lists and numbers of Python's; a date becomes its ISO text."""
    if thing.dtype.kind != "M":
        return thing.tolist()
    told = np.asarray(np.datetime_as_string(thing), dtype=object)
    told[np.isnat(thing)] = None
    return told.tolist()
