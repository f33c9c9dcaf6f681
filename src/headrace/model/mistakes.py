"""How a mistake in a model class is told: class, hook, what is wrong, how to mend it."""

from __future__ import annotations

from headrace.errors import ConfigError

READABLE = (
    "str, int, float, bool, None, list, dict, tuple, set, dataclass, TypedDict, NamedTuple, "
    "msgspec.Struct, attrs, pydantic, numpy.ndarray, PIL.Image.Image, Enum, Literal, datetime, "
    "UUID, Decimal, unions of these, Any, bytes, hr.Upload, hr.Request"
)


def mistake(cls: type, hook: str, problem: str, mend: str) -> ConfigError:
    """Word a mistake in one hook."""
    return ConfigError(f"{cls.__qualname__}.{hook} {problem}: {mend}")
