"""One exception for several callers: each gets its own, and may note on it what it likes."""

from __future__ import annotations

import copy
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def twin_of(error: E) -> E:
    """Return an exception of the same type and words; the same one where that cannot be made."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - a constructor of its own
        return error
    if type(twin) is not type(error):
        return error
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    if (notes := getattr(error, "__notes__", None)) is not None:
        twin.__notes__ = list(notes)
    return twin.with_traceback(error.__traceback__)
