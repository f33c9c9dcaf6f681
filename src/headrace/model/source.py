"""Where a class comes from, so that another process can have it: by import, by file, or by value.

By name wherever possible. Only what exists nowhere but in a live session (a notebook's cell)
travels by value, with cloudpickle, and only over the pipe between a worker and its own replica.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakValueDictionary

from msgspec import Struct

from headrace.errors import TargetError
from headrace.model.apps import place_of
from headrace.model.recording import recording

MAIN = "__headrace_main__"
"""The name a script goes by in a replica: its `if __name__ == "__main__"` part is not run."""


class Source(Struct, array_like=True, frozen=True):
    """A class or function, as another process finds it.

    One of module, path, pickled or resident is set.
    """

    qualname: str
    module: str = ""
    path: str = ""
    pickled: bytes = b""
    sys_path: list[str] = []
    resident: int = 0
    """Where the class stands in this very process; means nothing to another one."""


_residents: WeakValueDictionary[int, Callable[..., Any]] = WeakValueDictionary()
_stays: ContextVar[bool] = ContextVar("headrace_stays", default=False)


@contextlib.contextmanager
def staying() -> Iterator[None]:
    """Within the block, a class's source is the class itself: for replicas in this process."""
    token = _stays.set(True)
    try:
        yield
    finally:
        _stays.reset(token)


def source_of(cls: Callable[..., Any]) -> Source:
    """Return where a class or function comes from."""
    if _stays.get():
        _residents[id(cls)] = cls
        return Source(_whereabouts(cls)[1], resident=id(cls))
    module, qualname = _whereabouts(cls)
    importable = "<locals>" not in qualname and _lookup(module, qualname) is cls
    paths = [path or str(Path.cwd()) for path in sys.path]
    name = "" if module is None else module.__name__
    if importable and name not in ("__main__", MAIN):
        return Source(qualname, module=name, sys_path=paths)
    file = getattr(module, "__file__", None)
    if importable and file is not None and Path(file).is_file():
        return Source(qualname, path=str(Path(file).resolve()), sys_path=paths)
    import cloudpickle  # type: ignore[import-untyped] # noqa: PLC0415 - for notebooks only

    return Source(qualname, pickled=cloudpickle.dumps(cls), sys_path=paths)


def _whereabouts(found: Callable[..., Any]) -> tuple[ModuleType | None, str]:
    """Return the module that has something, and its name there; an object is looked for."""
    if isinstance(found, type | FunctionType):
        return sys.modules.get(found.__module__), found.__qualname__
    return place_of(found) or (None, type(found).__qualname__)


def pickler_by_value() -> Any:
    """Return the class of picklers for what no module has: a notebook's cell, say."""
    import cloudpickle  # noqa: PLC0415 - needed for notebooks only

    return cloudpickle.Pickler


def fetch(source: Source) -> Any:
    """Return the class or function in this process. Raises TargetError if it is not there."""
    if source.resident:
        return _residents[source.resident]
    sys.path[:] = [*source.sys_path, *(p for p in sys.path if p not in source.sys_path)]
    if source.pickled:
        import cloudpickle  # noqa: PLC0415 - needed for notebooks only

        return cloudpickle.loads(source.pickled)  # it is what source_of put in
    with recording():  # a script may call run() at its end: here it is only imported
        module = import_file(source.path) if source.path else importlib.import_module(source.module)
    found = _lookup(module, source.qualname)
    if not callable(found):
        where = source.path or source.module
        raise TargetError(f"{where} has no class, function or application {source.qualname}")
    return found


def import_file(path: str) -> ModuleType:
    """Run a script as a module, once; its folder becomes importable, as Python does for scripts."""
    loaded = sys.modules.get(MAIN)
    if loaded is not None and loaded.__file__ == path:
        return loaded
    spec = importlib.util.spec_from_file_location(MAIN, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file")
    folder = os.path.dirname(path)  # noqa: PTH120 - as sys.path has it, text
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[MAIN] = module
    spec.loader.exec_module(module)
    return module


def _lookup(module: ModuleType | None, qualname: str) -> Any:
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found
