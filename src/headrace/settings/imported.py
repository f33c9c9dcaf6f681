"""What a Python configuration file says, once it was run: values, faults, notes, line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headrace.errors import ConfigError
from headrace.settings.checks import address_parts, bind_wish
from headrace.settings.gunicorn import HOOKS, NAMES, WITHOUT_MEANING, meant
from headrace.settings.limits import DEFAULTS
from headrace.settings.python_file import Named
from headrace.settings.said import Said, from_text, from_value
from headrace.settings.setting import Setting
from headrace.settings.table import LEAST, TABLE
from headrace.settings.toml import FileSaid

LONG_S = 3600
"""A worker may be silent so long before a file's `timeout` is worth a warning."""
OURS_TOO = ("reload",)
"""Names that both have, and mean differently."""


def interpret(path: str, names: Sequence[Named], *, lenient: bool = False) -> FileSaid:
    """Return what the file says. Raises ConfigError with all of its faults.

    `lenient` makes warnings of names that are near misses.
    """
    said: dict[str, Said] = {}
    notes: list[str] = []
    faults: list[str] = []
    for named in sorted(names, key=lambda one: one.line):
        source = f"{path}:{named.line}"
        try:
            said |= _one(named, source, notes, lenient=lenient)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return FileSaid(said, {}, tuple(notes))


def _one(named: Named, source: str, notes: list[str], *, lenient: bool) -> dict[str, Said]:
    name = named.name
    if (near := meant(name)) is not None:
        words = f"{source}: there is no setting `{name}`; did you mean `{near}`?"
        if not lenient:
            raise ConfigError(f"{words} (a variable of your own? rename it, or use --lenient)")
        notes.append(f"{words} Ignored, as --lenient says")
    elif name in HOOKS:
        if named.is_function:
            notes.append(f"{source}: the hook `{name}` is not run; {HOOKS[name]}")
    elif name in WITHOUT_MEANING:
        notes.append(f"{source}: `{name}` has no effect; {WITHOUT_MEANING[name]}")
    elif name in NAMES and not (name in OURS_TOO and isinstance(named.value, str)):
        return _converted(name, named, source, notes)
    else:
        return _own(name, named, source, notes)
    return {}


def _own(name: str, named: Named, source: str, notes: list[str]) -> dict[str, Said]:
    """Return a setting that only we have; such a plain word may be a variable of the owner's."""
    setting = TABLE[name]
    if "_" not in name and setting.wish(named.value) and named.value is not None:
        try:
            return {name: from_value(setting, named.value, source)}
        except ConfigError as error:
            notes.append(f"{error}: taken for a variable of your own")
            return {}
    return {name: from_value(setting, _data(named, source), source)}


def _data(named: Named, source: str) -> Any:
    if named.shown:
        raise ConfigError(f"{source}: `{named.name}` must be plain data, not {named.shown}")
    return named.value


def _converted(name: str, named: Named, source: str, notes: list[str]) -> dict[str, Said]:
    ours = TABLE[NAMES[name]]
    value = _data(named, source)
    if name in CONVERSIONS:
        value, note = CONVERSIONS[name](value)
        if note:
            notes.append(f"{source}: {name} = {named.value!r}: {note}")
        if value is None:
            return {}
    try:
        return {ours.name: _cast(ours, value, source)}
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"setting `{ours.name}`", f"`{name}`")) from error


def _cast(setting: Setting, value: Any, source: str) -> Said:
    """Return a value as Gunicorn casts it: numbers and flags may be text, flags numbers."""
    if setting.kind.is_flag and isinstance(value, int):
        value = bool(value)
    if isinstance(value, str) and not setting.kind.fits(value):
        return from_text(setting, value.strip(), source)
    return from_value(setting, value, source)


Converted = tuple[Any, str]
"""A value, None for our default; with a note, if there is something to tell."""


def _bind(value: Any) -> Converted:
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return value, ""
    return [_with_port(text.strip().removeprefix("tcp://")) for text in texts], ""


def _with_port(text: str) -> str:
    """Return an address with Gunicorn's own port where it names none."""
    bare = address_parts(f"{text}:8000") if ":" not in text.strip("[]") else None
    whole = bare is not None and "is missing" in (bind_wish(text) or "")
    return f"{text}:8000" if whole or text == "localhost" else text


def _raw_env(value: Any) -> Converted:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value, ""
    pairs = [text.partition("=") if isinstance(text, str) else ("", "", "") for text in texts]
    whole = all(name and equals for name, equals, _ in pairs)
    return ({name: text for name, _, text in pairs} if whole else value), ""


def _timeout(value: Any) -> Converted:
    seconds = float(value) if isinstance(value, int | float) else 0
    if seconds > LONG_S:
        return value, f"a worker that hangs is noticed after {seconds / 3600:.0f} hours only"
    return value, ""


def _bounded(name: str) -> Callable[[Any], Converted]:
    """Return a conversion of a limit, of which 0 means none to Gunicorn."""
    default, least = getattr(DEFAULTS, name), int(LEAST[name])

    def convert(value: Any) -> Converted:
        if value in (0, "0") and not isinstance(value, bool):
            return None, f"a limit is always kept here: {name} = {default}"
        if isinstance(value, int) and value < least:
            return least, f"too little for any client; {name} = {least}"
        return value, ""

    return convert


def _field_size(value: Any) -> Converted:
    """Return Gunicorn's size of one header as ours of all: never less than our default."""
    kept = DEFAULTS.max_header_bytes
    told = f"here all headers of a request count together: max_header_bytes = {kept}"
    if value in (0, "0") and not isinstance(value, bool):
        return None, f"a limit is always kept here: max_header_bytes = {kept}"
    if isinstance(value, int) and value <= kept:
        return None, told
    return value, ""


def _forwarded(value: Any) -> Converted:
    texts = value.split(",") if isinstance(value, str) else value
    return ([text.strip() for text in texts if text.strip()] if texts else []), ""


CONVERSIONS: Mapping[str, Callable[[Any], Converted]] = {
    "bind": _bind,
    "raw_env": _raw_env,
    "timeout": _timeout,
    "limit_request_line": _bounded("max_url_bytes"),
    "limit_request_fields": _bounded("max_headers"),
    "limit_request_field_size": _field_size,
    "forwarded_allow_ips": _forwarded,
}
"""Gunicorn's settings whose values mean something else there."""
