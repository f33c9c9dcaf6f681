"""Which application a path belongs to: the longest prefix wins, and prefixes end where segments do.

prefixes        path          is found     root_path
/, /api         /api/users    /api         /api
/, /api         /api          /api         /api
/, /api         /apiary       /            (empty)
/api            /other        nothing
any             /-/health     nothing: what is below /-/ is the server's own
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

ROOT, OURS = "/", "/-/"
T = TypeVar("T")


def is_below(path: str, root: str) -> bool:
    """Tell whether a path is a mount's own, or lies below it; a mount of no name has none."""
    return bool(root) and (path == root or path.startswith(f"{root}/"))


class Found(NamedTuple, Generic[T]):
    """What answers at a path, and how much of the path leads there."""

    target: T
    root_path: str


class Prefixes(Generic[T]):
    """What answers below which prefix."""

    def __init__(self, prefixes: Mapping[str, T]) -> None:
        """Take `/`, or paths without a slash at their end."""
        self._below = {prefix.rstrip("/"): target for prefix, target in prefixes.items()}

    def __bool__(self) -> bool:
        return bool(self._below)

    def __contains__(self, prefix: str) -> bool:
        return prefix.rstrip("/") in self._below

    def __repr__(self) -> str:
        return f"<Prefixes {', '.join(prefix or ROOT for prefix in sorted(self._below))}>"

    def find(self, path: str) -> Found[T] | None:
        """Return what answers at a path; None if nothing does."""
        if not self._below or path.startswith(OURS) or f"{path}/" == OURS:
            return None
        end = len(path)
        while end > 0:
            root = path[:end]
            if root in self._below:
                return Found(self._below[root], root)
            end = path.rfind("/", 0, end)
        return Found(self._below[""], "") if "" in self._below else None
