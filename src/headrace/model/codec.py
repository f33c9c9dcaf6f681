"""How one parameter is read, wherever it comes: as a body, in a JSON object, in a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.model.envelope import Envelope
from headrace.model.parts import Part

Make = Callable[[], Any]
"""Makes a value that stands for one that did not come, anew each time."""
Reader = Callable[[Envelope], Any]
"""Reads one body; raises a RequestError that says what is wrong with it, and how to mend it."""
Take = Callable[[Sequence[Part]], Any]
"""Makes a value of the parts of a form that bear its name, at least one; raises Misfit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """One parameter, read; `mend` says what to send as a body, `example` what in an object."""

    read: Reader
    take: Take
    mend: str
    example: Any = None
    schema: Any = Any
    """What msgspec reads in its place in a JSON object."""
    of_json: Callable[[bytes], Any] | None = None
    """Reads the field's JSON where the schema is Raw; raises Misfit."""
    in_json: bool = True
    """Whether a JSON object can hold it."""
    as_file: bool = False
    """Whether a form is a good way to send it."""
    absent: Make | None = None
    """Stands for it where a form has no part of its name."""


def or_default(read: Reader, default: Make | None) -> Reader:
    """Let an empty body stand for a parameter's default, if it has one."""
    if default is None:
        return read
    return lambda envelope: default() if envelope.payload == b"" else read(envelope)
