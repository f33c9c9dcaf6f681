"""What is counted, as plain integers, and its text for Prometheus (exposition format 0.0.4).

Rendered only when scraped. Names follow OpenTelemetry's `http.server.request.duration`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

from headrace.core.records import Pool
from headrace.core.replicas import State
from headrace.runtime.driver import Driver
from headrace.runtime.resources import rendered

BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Endings:
    """How the requests of one deployment ended, and how long they took."""

    __slots__ = ("buckets", "seconds", "statuses", "stream_parts", "streams_open")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.seconds = 0.0
        self.streams_open = self.stream_parts = 0

    def count(self, status: int, seconds: float) -> None:
        """Count one request, from its arrival to its last byte."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds += seconds

    @property
    def total(self) -> int:
        """Requests of any status."""
        return sum(self.statuses.values())


def render(driver: Driver, endings: dict[str, Endings]) -> str:
    """Return every metric as Prometheus text."""
    lines: list[str] = []
    families = (_requests(endings), _durations(endings), _streams(endings), _pools(driver))
    for family in (*families, rendered(driver)):
        lines += family
    return "\n".join(lines) + "\n"


def _requests(endings: dict[str, Endings]) -> Iterator[str]:
    yield "# HELP headrace_requests_total Requests by deployment and HTTP status."
    yield "# TYPE headrace_requests_total counter"
    for name, ended in endings.items():
        for status, count in sorted(ended.statuses.items()):
            labels = f'deployment="{_escape(name)}",status="{status}"'
            yield f"headrace_requests_total{{{labels}}} {count}"


def _durations(endings: dict[str, Endings]) -> Iterator[str]:
    name = "headrace_request_duration_seconds"
    yield f"# HELP {name} Seconds from a request's arrival to its answer."
    yield f"# TYPE {name} histogram"
    for deployment, ended in endings.items():
        label = f'deployment="{_escape(deployment)}"'
        total = 0
        for bound, count in zip([*BOUNDS_S, "+Inf"], ended.buckets, strict=True):
            total += count
            yield f'{name}_bucket{{{label},le="{bound}"}} {total}'
        yield f"{name}_sum{{{label}}} {ended.seconds:.6f}"
        yield f"{name}_count{{{label}}} {total}"


def _streams(endings: dict[str, Endings]) -> Iterator[str]:
    for name, kind, text, value in _STREAMS:
        yield f"# HELP headrace_{name} {text}"
        yield f"# TYPE headrace_{name} {kind}"
        for deployment, ended in endings.items():
            yield f'headrace_{name}{{deployment="{_escape(deployment)}"}} {value(ended)}'


def _pools(driver: Driver) -> Iterator[str]:
    pools, roster = driver.engine.pools, driver.roster
    for name, kind, text, value in _FIGURES:
        yield f"# HELP headrace_{name} {text}"
        yield f"# TYPE headrace_{name} {kind}"
        for deployment, pool in roster.serving(pools).items():
            in_all = value not in _OF_THOSE_THAT_SERVE
            figure = roster.counted(pools, deployment, value) if in_all else value(pool)
            yield f'headrace_{name}{{deployment="{_escape(deployment)}"}} {figure}'


def _ready(pool: Pool) -> int:
    return sum(copy.state is State.READY for copy in pool.copies.values())


def _running(pool: Pool) -> int:
    return sum(copy.held for copy in pool.copies.values())


def _queued(pool: Pool) -> int:
    return pool.queued


def _wanted(pool: Pool) -> int:
    return pool.wanted


def _ongoing(pool: Pool) -> int:
    return pool.live


def _most(pool: Pool) -> int:
    scale = pool.policy.scale
    return pool.policy.replicas if scale is None else scale.most


def _capacity(pool: Pool) -> float:
    scale = pool.policy.scale
    return 0 if scale is None else pool.wanted * scale.target


def _health_answers(pool: Pool) -> int:
    return pool.tally.answers


def _unwell(pool: Pool) -> int:
    return pool.tally.unwell


def _silent(pool: Pool) -> int:
    return pool.tally.silent


def _held(pool: Pool) -> int:
    return sum(len(copy.models) for copy in pool.copies.values())


def _model_loads(pool: Pool) -> int:
    return pool.model_loads


def _starts(pool: Pool) -> int:
    return pool.started


def _calls(pool: Pool) -> int:
    return pool.pace.calls


def _called(pool: Pool) -> int:
    return pool.pace.requests


def _busy_s(pool: Pool) -> float:
    return round(pool.pace.busy_s, 6)


def _streams_open(ended: Endings) -> int:
    return ended.streams_open


def _stream_parts(ended: Endings) -> int:
    return ended.stream_parts


_STREAMS: tuple[tuple[str, str, str, Callable[[Endings], float]], ...] = (
    ("streams_open", "gauge", "Answers in parts that are under way.", _streams_open),
    ("stream_parts_total", "counter", "Parts of answers that were sent on.", _stream_parts),
)

_FIGURES: tuple[tuple[str, str, str, Callable[[Pool], float]], ...] = (
    ("queued_requests", "gauge", "Requests that no replica has begun.", _queued),
    ("running_requests", "gauge", "Requests that a replica runs.", _running),
    ("replicas_ready", "gauge", "Replicas that take requests.", _ready),
    ("replicas_wanted", "gauge", "Replicas there should be.", _wanted),
    ("replicas_most", "gauge", "Replicas there may be, by the load.", _most),
    ("ongoing_requests", "gauge", "Requests that wait or run.", _ongoing),
    ("ongoing_requests_wanted", "gauge", "As many as its replicas are for; 0: any.", _capacity),
    ("health_answers_total", "counter", "Answers of replicas to how they are.", _health_answers),
    ("health_unwell_total", "counter", "Replicas replaced: they were not well.", _unwell),
    ("health_silent_total", "counter", "Replicas that did not answer in time.", _silent),
    ("replica_starts_total", "counter", "Replicas started, restarts too.", _starts),
    ("models_held", "gauge", "Models in its replicas, where each holds several.", _held),
    ("model_loads_total", "counter", "Loads of one more model in a replica.", _model_loads),
    ("calls_total", "counter", "Calls run; a batch is one call.", _calls),
    ("call_requests_total", "counter", "Requests in those calls.", _called),
    ("call_seconds_total", "counter", "Seconds inside those calls.", _busy_s),
)
_OF_THOSE_THAT_SERVE = (_ready, _wanted, _most, _capacity)
"""Two generations side by side are no surplus of replicas, and a new one that loads is no lack."""
COUNTERS = tuple(value for _, kind, _, value in _FIGURES if kind == "counter")
"""What goes on under a deployment's name when a reload has put another in its place."""


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
