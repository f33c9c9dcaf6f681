"""Read a PyTorch checkpoint of before 1.6 without PyTorch, and without running what it says.

The file is a chain: three pickled headers, a pickled state dict, the pickled list of its storages'
keys, then each storage as a count and raw little-endian numbers. A tensor in the state dict is a
view: a storage's key, an offset, a size and strides. A pickle may name any callable, so ours
resolves four names and refuses every other.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

HEADERS = 3
DTYPES: Mapping[str, str] = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True, slots=True)
class View:
    """One tensor: where it lies in its storage, in elements."""

    storage: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def of(self, storage: Array) -> Array:
        """Copy the tensor out of its storage."""
        strides = [step * storage.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.size, strides).copy()


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Read every tensor of the checkpoint by its name."""
    with path.open("rb") as file:
        for _ in range(HEADERS):
            _Unpickler(file).load()
        state = _Unpickler(file)
        views: Mapping[str, View] = state.load()
        storages = {
            key: _read_storage(file, np.dtype(state.dtypes[key])) for key in _Unpickler(file).load()
        }
    return {name: view.of(storages[view.storage]) for name, view in views.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> Array:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _rebuild(storage: str, offset: int, size: Any, stride: Any, *_: object) -> View:
    return View(storage, offset, tuple(size), tuple(stride))


class _Unpickler(pickle.Unpickler):
    """Resolves an ordered dict, a tensor and two kinds of storage, and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Callable[..., Any] | str:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild
            case "torch", _ if name in DTYPES:
                return DTYPES[name]
            case _:
                raise pickle.UnpicklingError(f"a checkpoint has no need of {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, *_ = pid
        self.dtypes[key] = dtype
        return str(key)
