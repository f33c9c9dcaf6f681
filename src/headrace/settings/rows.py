"""What the table tells of each setting beside its type and default: a row."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One setting, told: its help in one line, its bounds, its spellings, who acts on it."""

    help: str
    _: KW_ONLY
    least: float | None = None
    most: float | None = None
    gunicorn: str = ""
    """Its name in a Gunicorn configuration."""
    flag: str = ""
    """Its flag, where that is not its name with dashes."""
    octal: bool = False
    secret: bool = False
    """Whether its value is for nobody's eyes."""
    arbiter: bool = False
    """Whether only the parent of the workers acts on it."""
    restart: bool = False
    """Whether a reload leaves it as it was: only a new start takes it."""
