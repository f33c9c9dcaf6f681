"""What a client may ask for one job by its headers, and how far: see the table.

Whoever asks for more than is allowed is told so. Nothing is clipped in silence but the time an
attempt may take, and how long the result is kept: there the server's own limit holds if it is less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from headrace.core.jobs import HIGHEST, LOWEST, JobId, Terms
from headrace.errors import BadRequest

KEY: Final = b"idempotency-key"
TIMEOUT: Final = b"x-request-timeout-seconds"
DAY_S = 86_400.0
MOST_ATTEMPTS = 100


class Asking(NamedTuple):
    """A header that asks for something."""

    name: str
    """Which of the Terms it sets."""
    least: float
    most: float
    is_whole: bool = False
    says: str = ""
    """For people, and for the OpenAPI document."""


ASKED: Final[Mapping[bytes, Asking]] = {
    b"x-headrace-priority": Asking(
        *("priority", HIGHEST, LOWEST, True),
        "The lowest number is run first; 0 where nothing is said.",
    ),
    b"x-headrace-delay-seconds": Asking(
        *("delay_s", 0.0, 366 * DAY_S, False), "It is not run before that."
    ),
    b"x-headrace-deadline-seconds": Asking(
        *("deadline_s", 0.001, math.inf, False),
        "From now; whoever has not run it by then leaves it, and it is `expired`.",
    ),
    b"x-headrace-max-attempts": Asking(
        *("max_attempts", 1, MOST_ATTEMPTS, True), "How often its work may fail."
    ),
    b"x-headrace-attempt-timeout-seconds": Asking(
        *("timeout_s", 0.001, math.inf, False),
        "How long one attempt may take; the server's own limit if that is less.",
    ),
    b"x-headrace-retention-seconds": Asking(
        *("retention_s", 0.0, math.inf, False),
        "How long the result is kept after its end; the server's own limit if that is less.",
    ),
}
SUBMITS: Final = frozenset({KEY, TIMEOUT, *ASKED})
"""Headers about the submission: the work has no use for them."""
BOUNDED: Final = ("timeout_s", "retention_s")
"""Here the server's own word is a limit too."""


def terms_of(headers: Mapping[bytes, bytes], usual: Terms) -> Terms:
    """Return the terms of one job: the endpoint's `usual` ones, and what the headers ask for.

    X-Request-Timeout-Seconds says when its client gives up, so it is a deadline here.

    Raises BadRequest.
    """
    asked = {
        asking.name: _number(header, headers[header])
        for header, asking in ASKED.items()
        if header in headers
    }
    if TIMEOUT in headers:
        gives_up_s = _seconds(TIMEOUT, headers[TIMEOUT])
        asked["deadline_s"] = min(gives_up_s, asked.get("deadline_s", usual.deadline_s))
    if not asked:
        return usual
    for name in BOUNDED:
        if name in asked:
            asked[name] = min(asked[name], getattr(usual, name))
    return replace(usual, **asked)  # type: ignore[arg-type] # fields of Terms, by name


def key_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Read an Idempotency-Key: a string in quotes as its draft has it, or the bare words.

    Raises BadRequest.
    """
    given = headers.get(KEY)
    if given is None:
        return None
    text = given.decode("latin-1").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':  # noqa: PLR2004 - a pair of quotes
        text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text


def job_id(text: str) -> JobId:
    """Take a client's name for a job; whether it may be one is the store's to say."""
    return JobId(text)


def kept(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out what was about the submission."""
    return [header for header in headers if header[0] not in SUBMITS]


def _number(header: bytes, given: bytes) -> float:
    asking = ASKED[header]
    try:
        value: float = int(given) if asking.is_whole else float(given)
    except ValueError:
        value = math.nan
    if not asking.least <= value <= asking.most or math.isnan(value):
        raise BadRequest(f"{_title(header)} is {_wish(asking)}")
    return value


def _seconds(header: bytes, given: bytes) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise BadRequest(f"{_title(header)} is not a positive number of seconds")
    return seconds


def _wish(asking: Asking) -> str:
    what = "a whole number" if asking.is_whole else "a number of seconds"
    if asking.most == math.inf:
        return f"{what} from {asking.least:g} on"
    return f"{what} from {asking.least:g} to {asking.most:g}"


def _title(header: bytes) -> str:
    return header.decode().title()
