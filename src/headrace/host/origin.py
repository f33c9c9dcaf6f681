"""One place that applications come from, as data: a target, and what was said beside its code."""

from __future__ import annotations

from msgspec import Struct

from headrace.settings.said import Said


class Origin(Struct, frozen=True):
    """A target, and what was said of its applications outside of their code."""

    target: str
    options: dict[str, dict[str, Said]] = {}
    name: str | None = None
    """Another name than its code gives it."""
    route_prefix: str | None = None
    sys_path: list[str] = []
    """Where its modules are looked for, beside the usual places."""
    names: list[str] = []
    """The applications that it gave when it was last read."""
    without: list[str] = []
    """Those of them that come from elsewhere by now, or were taken away."""
