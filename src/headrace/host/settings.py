"""The settings of a server, as the host's files and those above know them."""

from __future__ import annotations

from headrace.settings.layers import settle
from headrace.settings.table import HIGHEST_PORT, LEAST, LEVELS, NAMES, Settings
from headrace.settings.words import SettingWords

__all__ = [
    "HIGHEST_PORT",
    "LEAST",
    "LEVELS",
    "NAMES",
    "SettingWords",
    "Settings",
    "settle",
]
