"""While Headrace imports a user's file, `hr.run` in it only notes what it would have served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Recording:
    """What the imported code asked to run."""

    targets: list[Any] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


_current: list[Recording] = []


@contextlib.contextmanager
def recording() -> Iterator[Recording]:
    """Record instead of running, until the end of the block."""
    _current.append(Recording())
    try:
        yield _current[-1]
    finally:
        _current.pop()


def recorded(targets: tuple[Any, ...], settings: Mapping[str, Any]) -> bool:
    """Note a call to `run` if this is an import of ours; tell whether it was."""
    if not _current:
        return False
    _current[-1].targets += targets
    _current[-1].settings |= settings
    return True
