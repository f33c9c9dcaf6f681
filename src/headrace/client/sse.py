"""Read server-sent events line by line, as browsers do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Sent(NamedTuple):
    """One event as it was sent."""

    id: str
    kind: str
    data: str


def sent(lines: Iterable[str]) -> Iterator[Sent]:
    """Yield each event when it is whole; the last one is left out if it was cut off."""
    last, kind, data = "", "", list[str]()
    for each in lines:
        line = each.rstrip("\r\n")
        if not line:
            if data:
                yield Sent(last, kind or "message", "\n".join(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            last = value
