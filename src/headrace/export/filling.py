"""The forms: files with names in them, `$port`, that a server's facts fill in."""

from __future__ import annotations

from pathlib import Path
from string import Template

FORMS = Path(__file__).parent / "forms"


def form(name: str) -> Template:
    """Return a form; `substitute` raises where a fact is missing."""
    return Template((FORMS / name).read_text(encoding="utf-8"))
