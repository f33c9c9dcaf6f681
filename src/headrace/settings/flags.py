"""What a command line may say: a flag for each setting that text can give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.errors import ConfigError
from headrace.settings.said import Layer, Said, checked, from_text
from headrace.settings.setting import Setting
from headrace.settings.table import TABLE

SHORT: Mapping[str, str] = {"bind": "-b", "workers": "-w", "daemon": "-D", "pidfile": "-p"}
GROUPS: Mapping[str, str] = {
    "host": "Where it listens",
    "workers": "Processes",
    "graceful_timeout_s": "Stop and reload",
    "while_loading": "Models",
    "log_level": "Logs",
    "keep_alive_timeout_s": "Limits",
    "jobs": "Jobs",
    "debug": "Doors and keys",
}
"""The headings of the table, each by the setting that it stands above."""
FLAGS: Mapping[str, Setting] = {name: one for name, one in TABLE.items() if one.flag}


def grouped() -> dict[str, list[Setting]]:
    """Return the settings under their headings."""
    groups: dict[str, list[Setting]] = {}
    for name, setting in TABLE.items():
        if name in GROUPS:
            group = groups.setdefault(GROUPS[name], [])
        group.append(setting)
    return groups


def metavar(setting: Setting) -> str:
    """Return what `--help` writes for the value."""
    words = {"s": "SECONDS", "bytes": "BYTES", "octal": "OCTAL"}
    if setting.unit in words:
        return words[setting.unit]
    return {int: "N", float: "N"}.get(type(setting.default), "TEXT")


def told(setting: Setting) -> str:
    """Return a setting's help with its default."""
    if setting.default in (None, "", (), {}, False):
        return setting.row.help
    return f"{setting.row.help}  [default: {default_in_words(setting)}]"


def default_in_words(setting: Setting) -> str:
    """Return a default as people write it: 64 MiB, 30."""
    value = setting.default
    if setting.unit == "bytes" and value and setting.name.endswith("_bytes"):
        for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
            if value % (1 << power) == 0:
                return f"{value >> power} {unit}"
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def said_by_flags(given: Mapping[str, Any]) -> Layer:
    """Return what the flags say; one that was not given says nothing. Raises ConfigError."""
    said: dict[str, Said] = {}
    for name, value in given.items():
        setting = TABLE[name]
        if value is None or value == ():
            continue
        if isinstance(value, str):
            said[name] = from_text(setting, value, setting.flag)
        elif isinstance(value, bool):
            said[name] = checked(setting, value, setting.flag)
        else:
            said[name] = _joined(setting, value)
    return said


def _joined(setting: Setting, texts: Iterable[str]) -> Said:
    """Return what a repeated flag says, each time one or more between commas."""
    parts = [from_text(setting, text, setting.flag).value for text in texts]
    if all(isinstance(part, Mapping) for part in parts):
        pairs = {name: one for part in parts for name, one in part.items()}
        return checked(setting, pairs, setting.flag)
    if not all(isinstance(part, tuple) for part in parts):
        raise ConfigError(f"{setting.flag} cannot be given so")
    return checked(setting, tuple(one for part in parts for one in part), setting.flag)
