"""What each option of a deployment may be, as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from headrace.core.cron import parse
from headrace.model.json_value import is_json
from headrace.model.replicas import check_replicas

Check = Callable[[object], str | None]
"""Says what is wanted if the value is not it."""

_NAME = re.compile(r"[\w][\w.-]*")
_PATH = re.compile(r"/[^\s?#]*")


def _whole(least: int) -> Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return None if fits else f"a whole number of {least} or more"

    return check


def _seconds(*, zero: bool) -> Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        if fits and (value > 0 or (zero and value == 0)):  # type: ignore[operator]
            return None
        return f"a number of seconds, {'0 or more' if zero else 'more than 0'}"

    return check


def _more_than_nothing(value: object) -> str | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    fits = fits and isfinite(value) and value > 0  # type: ignore[arg-type,operator]
    return None if fits else "a number more than 0"


def _or_none(check: Check) -> Check:
    def either(value: object) -> str | None:
        wish = None if value is None else check(value)
        return wish and f"{wish}, or None"

    return either


def _one_of(*words: str) -> Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, str) and value in words
        return None if fits else " or ".join(f'"{word}"' for word in words)

    return check


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "True or False"


def _name(value: object) -> str | None:
    fits = isinstance(value, str) and _NAME.fullmatch(value)
    return None if fits else "letters, digits, `-`, `_` and `.`, beginning with a letter or digit"


def _route(value: object) -> str | None:
    if not isinstance(value, str) or not _PATH.fullmatch(value):
        return "a path that begins with `/`, without spaces, `?` and `#`"
    return "a path outside `/-/`, which is the server's own" if f"{value}/"[:3] == "/-/" else None


def _devices(value: object) -> str | None:
    if isinstance(value, str):
        fits = value in ("auto", "cpu", "cuda")
    else:
        fits = isinstance(value, Sequence) and len(value) > 0
        fits = fits and all(_whole(0)(number) is None for number in value)  # type: ignore[attr-defined]
    return None if fits else '"auto", "cpu", "cuda" or a list of GPU numbers such as [0, 1]'


def _env(value: object) -> str | None:
    fits = isinstance(value, Mapping) and all(
        isinstance(name, str) and name and isinstance(text, str) and "=" not in name
        for name, text in value.items()
    )
    return None if fits else 'a mapping of text to text such as {"OMP_NUM_THREADS": "1"}'


def keys(value: object) -> str | None:
    """Check what `api_keys` may be; the values themselves are for nobody's eyes."""
    several = [value] if isinstance(value, str) else value
    fits = isinstance(several, Sequence) and len(several) > 0
    fits = fits and all(isinstance(key, str) and key for key in several)  # type: ignore[attr-defined]
    return None if fits else "a key, `env:NAME`, `file:/path`, or a list of these with at least one"


def _timetable(value: object) -> str | None:
    wish = 'cron text (minute hour day month weekday) such as "0 6 * * *"'
    if not isinstance(value, str):
        return wish
    try:
        parse(value)
    except ValueError as error:
        return f"{wish}: {error}"
    return None


def _json(value: object) -> str | None:
    wish = "a value that JSON can say: text as keys, finite numbers, no objects of your own"
    return None if is_json(value) else wish


SECRET = ("api_keys",)
"""Options whose values no message may show."""

CHECKS: Mapping[str, Check] = {
    "name": _or_none(_name),
    "route": _or_none(_route),
    "replicas": check_replicas,
    "target_ongoing_requests": _more_than_nothing,
    "upscale_delay_s": _seconds(zero=False),
    "downscale_delay_s": _seconds(zero=False),
    "devices": _devices,
    "threads_per_replica": _or_none(_whole(1)),
    "executor": _one_of("process", "inline"),
    "max_batch_size": _whole(1),
    "batch_wait_s": _seconds(zero=True),
    "batch_latency_target_s": _or_none(_seconds(zero=False)),
    "max_ongoing_requests": _or_none(_whole(1)),
    "max_queued_requests": _whole(0),
    "timeout_s": _or_none(_seconds(zero=False)),
    "stream_timeout_s": _or_none(_seconds(zero=False)),
    "cancel_grace_s": _seconds(zero=True),
    "interruptible": _flag,
    "retry_on_crash": _or_none(_flag),
    "isolate_batch_errors": _flag,
    "startup_timeout_s": _seconds(zero=False),
    "load": _one_of("eager", "lazy", "background", "scheduled"),
    "load_at": _or_none(_timetable),
    "unload_at": _or_none(_timetable),
    "idle_unload_s": _or_none(_seconds(zero=False)),
    "memory_needed_bytes": _or_none(_whole(0)),
    "health_check_period_s": _seconds(zero=False),
    "health_check_timeout_s": _seconds(zero=False),
    "user_config": _json,
    "env": _env,
    "max_queued_bytes": _whole(1),
    "max_body_bytes": _or_none(_whole(1)),
    "api_keys": _or_none(keys),
}
