"""The limits of the front, which stand in the table of settings."""

from __future__ import annotations

from headrace.settings.limits import DEFAULTS, Limits

__all__ = ["DEFAULTS", "Limits"]
