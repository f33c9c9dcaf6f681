"""What a client prefers (RFC 7240): its answer later, and how long it will wait for it now.

`Prefer: respond-async, wait=10`. A preference is no demand: one that makes no sense is left aside,
and of one that is said twice the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

PREFER: Final = b"prefer"
RESPOND_ASYNC: Final = "respond-async"
MOST_WAIT_S = 60.0
"""So long somebody may wait at once; whoever wants more asks again."""
_stated = re.compile(r'([!#$%&\'*+.^`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?')
_part = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*")+')


class Preferences(NamedTuple):
    """What is preferred, as far as this server keeps to it."""

    is_async: bool = False
    wait_s: float = 0.0
    has_wait: bool = False

    @property
    def applied(self) -> bytes:
        """Say in `Preference-Applied` what was kept to where the answer comes later."""
        return RESPOND_ASYNC.encode() if self.is_async else b""

    @property
    def in_time(self) -> bytes:
        """Say there what was kept to where the answer came while its client waited."""
        return b"wait=%d" % self.wait_s


def preferences(headers: Iterable[tuple[bytes, bytes]]) -> Preferences:
    """Read every `Prefer` header of a request."""
    said: dict[str, str] = {}
    for name, value in headers:
        if name == PREFER:
            for part in _part.findall(value.decode("latin-1")):
                if found := _stated.match(part.strip()):
                    said.setdefault(found[1].lower(), found[2] or found[3] or "")
    wait_s = seconds_to_wait(said.get("wait", ""))
    return Preferences(RESPOND_ASYNC in said, wait_s or 0.0, wait_s is not None)


def seconds_to_wait(text: str) -> float | None:
    """Read for how long somebody will wait, at most as long as one may; None if it is no time."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return None
    return min(float(text), MOST_WAIT_S)
