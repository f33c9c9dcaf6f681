"""A value with the place it was said at, and how a wrong one is told there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.errors import ConfigError
from headrace.model.names import did_you_mean, is_slip
from headrace.settings.checks import normal
from headrace.settings.setting import Setting
from headrace.settings.table import TABLE


@dataclass(frozen=True, slots=True)
class Said:
    """A value, and where it was said: `headrace.toml:4`, `HEADRACE_PORT`, `--port`."""

    value: Any
    source: str


Layer = Mapping[str, Said]
"""What one place says of the settings."""


def unknown(name: str, known: Mapping[str, object], word: str = "setting") -> str:
    """Return the words for a name that is none, with what was probably meant."""
    return f"there is no {word} `{name}`{did_you_mean(name, known) or there_are(known)}"


def there_are(known: Mapping[str, object]) -> str:
    """Return the end of a message that lists what there is."""
    return f"; there are: {', '.join(known)}"


def near(name: str, known: Mapping[str, object]) -> str | None:
    """Return the name that one slip of the fingers lies away from this one."""
    return next((one for one in known if is_slip(name, one)), None)


def known(name: str, source: str) -> Setting:
    """Return a setting by name. Raises ConfigError that cites the source."""
    if name not in TABLE:
        raise ConfigError(f"{source}: {unknown(name, TABLE)}")
    return TABLE[name]


def from_text(setting: Setting, text: str, source: str) -> Said:
    """Return what a text says of a setting. Raises ConfigError that cites the source."""
    read = setting.kind.read
    if read is None:
        raise ConfigError(f"{source}: setting `{setting.name}` can be given in code only")
    try:
        value = read(text)
    except (ValueError, OverflowError) as error:
        raise ConfigError(_wrong(setting, setting.kind.wish, text, source)) from error
    return checked(setting, value, source)


def from_value(setting: Setting, value: Any, source: str) -> Said:
    """Return what a file's value says, a text such as `5m` read. Raises ConfigError."""
    is_text = isinstance(value, str) and not setting.kind.fits(value)
    if is_text and setting.kind.read is not None and not setting.kind.several:
        return from_text(setting, value, source)
    if setting.kind.read is None:
        raise ConfigError(f"{source}: setting `{setting.name}` can be given in code only")
    return checked(setting, value, source)


def checked(setting: Setting, value: Any, source: str) -> Said:
    """Return a value with its source, if the setting may have it. Raises ConfigError."""
    value = normal(setting.name, value)
    if wish := setting.wish(value):
        raise ConfigError(_wrong(setting, wish, value, source))
    return Said(value, source)


def _wrong(setting: Setting, wish: str, value: object, source: str) -> str:
    return f"{source}: setting `{setting.name}` must be {wish}{setting.shown(value)}"
