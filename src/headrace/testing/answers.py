"""Whether two answers to one request are the same, and where they first differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headrace.memory.slots import Slot, view_of
from headrace.model.envelope import Answer, Closed, Fault, Reply

JSON = "application/json"
LONGEST = 200  # characters of a value in a message


def difference(one: Reply, other: Reply, tolerance: float) -> str | None:
    """Say where two replies first differ, as "place: this, not that"; None if they are the same.

    Numbers in JSON may differ by `tolerance`, relative or absolute, the larger: a batch adds up
    in another order than a single input.
    """
    first, second = parts(one), parts(other)
    for name in first | second:
        if found := _unlike(first.get(name), second.get(name), name, tolerance):
            return found
    return None


def parts(reply: Reply) -> dict[str, Any]:
    """Return what a client would see of a reply."""
    match reply:
        case bytes() | Slot():
            return {"answer": msgspec.json.decode(view_of(reply)), "status": 200, "headers": []}
        case Answer(status, content_type, body, headers):
            shown = bytes(view_of(body))
            answer = msgspec.json.decode(shown) if content_type == JSON and shown else shown
            return {"answer": answer, "status": status, "headers": headers}
        case Closed():
            return {"answer": None, "status": 200, "headers": []}
        case Fault(status, _, detail, path, headers):
            return {"answer": detail, "status": status, "headers": headers, "path": path}


def shortly(value: object) -> str:
    """Show a value in one line."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _unlike(one: Any, other: Any, place: str, tolerance: float) -> str | None:
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        pairs = [(f"{place}.{key}", one[key], other[key]) for key in one]
    elif _is_list(one) and _is_list(other) and len(one) == len(other):
        both = zip(one, other, strict=True)
        pairs = [(f"{place}[{number}]", *pair) for number, pair in enumerate(both)]
    elif _same(one, other, tolerance):
        return None
    else:
        return f"{place}: {shortly(one)}, not {shortly(other)}"
    found = (_unlike(this, that, where, tolerance) for where, this, that in pairs)
    return next((each for each in found if each), None)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _same(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    return bool(one == other)
