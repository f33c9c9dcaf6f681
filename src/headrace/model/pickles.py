"""Python objects between processes of one server: pickle protocol 5, large buffers apart.

A packed value is a count of buffers (little-endian u32), the length of the pickle and of each
buffer (u64), the pickle, and then the buffers, each at a multiple of 64 bytes: so an array lands in
shared memory with one copy, and is read where it lies, without any. Such an array is read-only.

Only processes of one server exchange these, over sockets that they inherited. Nothing that came
over the network is ever unpickled.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

from headrace.model.source import MAIN, pickler_by_value

LARGE_BYTES = 1 << 13
"""A buffer below this is cheaper copied than set apart; and so its array can be written to."""
ALIGNMENT = 64
_HEAD = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_MAINS = ("__main__", MAIN)
Packed = Sequence[bytes | memoryview]
"""What is to be written, one behind the other."""


def packed(value: object) -> Packed:
    """Return the pieces of a packed value; its large buffers are still the value's own memory.

    Raises what pickling it raises.
    """
    buffers: list[memoryview] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < LARGE_BYTES:
            return True
        buffers.append(raw)
        return False

    return _pieces(pickle.dumps(value, protocol=5, buffer_callback=in_band), buffers)


def joined(pieces: Packed) -> bytes:
    """Return a packed value as one."""
    return b"".join(pieces)


def size_of(pieces: Packed) -> int:
    """Return how many bytes the pieces have together."""
    return sum(len(piece) for piece in pieces)


def unpacked(data: bytes | memoryview, load: Callable[[str], object] | None = None) -> Any:
    """Return the value; large buffers stay where they are in `data`, and keep it.

    `load` finds what `references` left a word for. Raises what unpickling raises.
    """
    view = memoryview(data)
    (count,) = _HEAD.unpack_from(view)
    lengths = [_LENGTH.unpack_from(view, 4 + 8 * number)[0] for number in range(count + 1)]
    at = 4 + 8 * (count + 1)
    stream = view[at : at + lengths[0]]
    at += lengths[0]
    buffers = []
    for length in lengths[1:]:
        at = _aligned(at)
        buffers.append(view[at : at + length])
        at += length
    return _Unpickler(stream, buffers, load).load()


def with_references(value: object, word_of: Callable[[object], str | None]) -> bytes:
    """Return a packed value in which a word stands for each object that `word_of` has one for.

    What only a live session has goes by value, with cloudpickle. Raises what pickling raises.
    """
    try:
        return joined(_pieces(_dumped(pickle.Pickler, value, word_of), []))
    except (pickle.PicklingError, AttributeError):  # no module has it
        return joined(_pieces(_dumped(pickler_by_value(), value, word_of), []))


def _dumped(kind: type[Any], value: object, word_of: Callable[[object], str | None]) -> bytes:
    class Referring(kind):  # type: ignore[misc] # one of two picklers
        def persistent_id(self, found: object) -> str | None:
            return word_of(found)

    out = io.BytesIO()
    Referring(out, protocol=5).dump(value)
    return out.getvalue()


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        stream: memoryview,
        buffers: list[memoryview],
        load: Callable[[str], object] | None,
    ) -> None:
        super().__init__(io.BytesIO(stream), buffers=buffers)
        self._load = load

    def persistent_load(self, word: Any) -> Any:
        if self._load is None:
            raise pickle.UnpicklingError(f"nobody knows what {word!r} stands for")
        return self._load(word)

    def find_class(self, module: str, name: str) -> Any:
        """A script has one name where it runs, and another one in the replicas."""
        if module in _MAINS:
            module = MAIN if MAIN in sys.modules else "__main__"
        return super().find_class(module, name)


def _pieces(stream: bytes, buffers: Sequence[memoryview]) -> Packed:
    lengths = [len(stream), *(buffer.nbytes for buffer in buffers)]
    head = _HEAD.pack(len(buffers)) + b"".join(map(_LENGTH.pack, lengths))
    pieces: list[bytes | memoryview] = [head, stream]
    at = len(head) + len(stream)
    for buffer in buffers:
        pieces += [bytes(_aligned(at) - at), buffer.cast("B")]
        at = _aligned(at) + buffer.nbytes
    return pieces


def _aligned(at: int) -> int:
    return -(-at // ALIGNMENT) * ALIGNMENT
