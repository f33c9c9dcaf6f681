"""What a value may be, by its type: what is asked for, what fits, how text is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from headrace.model.replicas import WISH, Replicas, check_replicas, read_replicas

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
NONE = ("", "none", "null")
_BYTES: Sequence[Mapping[str, int]] = (
    {"b": 1},
    {"k": 1024, "kib": 1024, "kb": 1000},
    {"m": 1024, "mib": 1024, "mb": 1000},
    {"g": 1024, "gib": 1024, "gb": 1000},
    {"t": 1024, "tib": 1024, "tb": 1000},
)
"""What each unit is the power of, in order."""
UNITS: Mapping[str, Mapping[str, float]] = {
    "s": {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400},
    "bytes": {unit: step**power for power, row in enumerate(_BYTES) for unit, step in row.items()},
}
"""What may follow a number in text: `90s`, `5m`, `64 MiB`."""
_measure = re.compile(r"([+-]?[\d_]*\.?\d+)\s*([a-zA-Z]+)").fullmatch


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value; `read` raises ValueError for text that is none."""

    wish: str
    fits: Callable[[object], bool]
    read: Callable[[str], Any] | None
    several: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def is_flag(self) -> bool:
        """Tell whether it is on or off."""
        return self.read is _read_flag


def _read_flag(text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise ValueError(text)


def _reader(number: type[int | float], unit: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        units = UNITS.get(unit, {})
        if (match := _measure(text)) and match[2].lower() in units:
            value = float(match[1]) * units[match[2].lower()]
            return round(value) if number is int else value
        if unit == "octal":
            return int(text, 8)
        return number(text)

    return read


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str | bytes)
        and all(isinstance(one, str) for one in value)
    )


def _is_pairs(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name and "=" not in name and isinstance(text, str)
        for name, text in value.items()
    )


def read_texts(text: str) -> tuple[str, ...]:
    """Return what stands between commas or line ends."""
    return tuple(one for part in re.split(r"[,\n]", text) if (one := part.strip()))


def read_pairs(text: str) -> dict[str, str]:
    """Return `A=1,B=2` as a mapping."""
    pairs = [one.partition("=") for one in read_texts(text)]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError(text)
    return {name.strip(): value for name, _, value in pairs}


TEXT = Kind("text", _is_text, str)
FLAG = Kind("true or false", lambda value: isinstance(value, bool), _read_flag)
TEXTS = Kind("a list of text", _is_texts, read_texts, several=True)
PAIRS = Kind("a mapping of text to text", _is_pairs, read_pairs, several=True)
KEYS = Kind("a text or a list of texts", lambda _: True, read_texts, several=True)
REPLICAS = Kind(WISH, lambda value: check_replicas(value) is None, read_replicas)
CODE = Kind("given in code", lambda value: value is not None, None)
WISHES: Mapping[str, tuple[str, str]] = {
    "s": ("a number of seconds", "a whole number of seconds"),
    "bytes": ("a number of bytes", "a whole number of bytes"),
    "octal": ("an octal number", "an octal number such as 0o022"),
}


def kind_of(hint: Any, unit: str = "") -> Kind:
    """Return what a value of this type may be. What no text can say is of the kind CODE."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        rest = [part for part in get_args(hint) if part is not NoneType]
        kind = _kind_of_some(Union[tuple(rest)], unit)  # noqa: UP007 - however many there are
        return Kind(kind.wish, kind.fits, kind.read, kind.several, kind.choices, optional=True)
    return _kind_of_some(hint, unit)


def _kind_of_some(hint: Any, unit: str) -> Kind:
    number, whole = WISHES.get(unit, ("a number", "a whole number"))
    if hint is int:
        return Kind(whole, _is_whole, _reader(int, unit))
    if hint is float:
        return Kind(number, _is_number, _reader(float, unit))
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return Kind(f"one of {', '.join(words)}", lambda value: value in words, str, choices=words)
    plain: dict[Any, Kind] = {
        bool: FLAG,
        str: TEXT,
        Sequence[str]: TEXTS,
        Mapping[str, str]: PAIRS,
        Replicas: REPLICAS,
        Union[str, Sequence[str]]: KEYS,  # noqa: UP007 - a dict's key
    }
    return plain.get(hint, CODE)
