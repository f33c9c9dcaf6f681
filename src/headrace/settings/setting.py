"""One setting: its name, kind and default, its row, and every way to spell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headrace.settings.checks import CHECKS
from headrace.settings.kinds import Kind
from headrace.settings.rows import Row


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table with the name, kind and default that stand beside it."""

    name: str
    kind: Kind
    default: Any
    row: Row

    @property
    def unit(self) -> str:
        """What its number counts: s, bytes, octal, or nothing."""
        return unit_of(self.name, self.row)

    @property
    def flag(self) -> str:
        """How a command line says it; nothing, if only code can."""
        if self.kind.read is None:
            return ""
        return self.row.flag or f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """How the environment says it; nothing, if only code can."""
        return f"HEADRACE_{self.name.upper()}" if self.kind.read else ""

    def wish(self, value: object) -> str | None:
        """Say what is wanted if this value is not it."""
        if value is None and self.kind.optional:
            return None
        if not self.kind.fits(value):
            return f"{self.kind.wish}{', or None' if self.kind.optional else ''}"
        check = CHECKS.get(self.name)
        return self._bounds(value) or (check(value) if check else None)

    def _bounds(self, value: Any) -> str | None:
        least, most = self.row.least, self.row.most
        if least is not None and not value >= least:
            said = oct(int(most)) if self.row.octal and most is not None else f"{most}"
            return f"{least:g} or more" if most is None else f"{least:g} to {said}"
        return f"{least:g} to {most:g}" if most is not None and value > most else None

    def shown(self, value: object) -> str:
        """Return how a message cites a wrong value: not at all, if it is secret."""
        return "" if self.row.secret else f", not {value!r}"


def unit_of(name: str, row: Row) -> str:
    """Return what the number of a setting of this name counts."""
    if row.octal:
        return "octal"
    if name.endswith("bytes_per_s"):
        return "bytes"
    return next((unit for unit in ("s", "bytes") if name.endswith(f"_{unit}")), "")
