"""What all copies of a class share, put back as it was found, so that no round sees another's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from headrace.model.api import Model


class Pristine:
    """Remembers the dicts, lists and sets on a class and among its functions' defaults."""

    def __init__(self, cls: type[Model]) -> None:
        """Take a copy of each; what lies inside them is not copied."""
        self._copies = [(shared, shared.copy()) for shared in _shared(cls)]

    def restore(self) -> None:
        """Put back what was there."""
        for shared, copy in self._copies:
            shared.clear()
            _fill(shared)(copy)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put back what was there before the block and after it."""
        self.restore()
        try:
            yield
        finally:
            self.restore()


def _fill(shared: Any) -> Callable[[Any], None]:
    fill: Callable[[Any], None] = shared.extend if isinstance(shared, list) else shared.update
    return fill


def _shared(cls: type[Model]) -> Iterator[Any]:
    for owner in cls.__mro__:
        if owner in (Model, object):
            continue
        for name, value in vars(owner).items():
            if inspect.isfunction(value):
                yield from filter(_can_change, value.__defaults__ or ())
                yield from filter(_can_change, (value.__kwdefaults__ or {}).values())
            elif not name.startswith("__") and _can_change(value):
                yield value


def _can_change(value: object) -> bool:
    return type(value) in (dict, list, set)
