"""Values that travel as JSON and come back equal: what `user_config` may be."""

from __future__ import annotations

from math import isfinite


def is_json(value: object) -> bool:
    """Tell whether a value is JSON through and through: numbers finite, keys text."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(is_json, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_json, value))
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, str | int)


def copied(value: object) -> object:
    """Return a copy that nobody else changes, sequences as lists, as JSON has them."""
    if isinstance(value, dict):
        return {key: copied(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [copied(one) for one in value]
    return value
