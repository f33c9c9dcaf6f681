"""What is counted of jobs, as text for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headrace.core.attempts import Said
from headrace.jobs.tallies import Tallies


def lines(tallies: Tallies, queued: Mapping[str, int], running: Mapping[str, int]) -> Sequence[str]:
    """Return the lines."""
    return [*_gauges(queued, running), *_counters(tallies)]


def _gauges(queued: Mapping[str, int], running: Mapping[str, int]) -> Iterator[str]:
    yield "# HELP headrace_jobs_queued Jobs that wait, for a worker or for their time."
    yield "# TYPE headrace_jobs_queued gauge"
    for endpoint, count in queued.items():
        yield f'headrace_jobs_queued{{endpoint="{_escape(endpoint)}"}} {count}'
    yield "# HELP headrace_jobs_running Jobs that are in the hands of this server's replicas."
    yield "# TYPE headrace_jobs_running gauge"
    for endpoint, count in running.items():
        yield f'headrace_jobs_running{{endpoint="{_escape(endpoint)}"}} {count}'


def _counters(tallies: Tallies) -> Iterator[str]:
    yield "# HELP headrace_jobs_submitted_total Jobs that were accepted."
    yield "# TYPE headrace_jobs_submitted_total counter"
    for endpoint, count in tallies.submitted.items():
        yield f'headrace_jobs_submitted_total{{endpoint="{_escape(endpoint)}"}} {count}'
    yield "# HELP headrace_jobs_ended_total Jobs that ended, by how."
    yield "# TYPE headrace_jobs_ended_total counter"
    for (endpoint, status), count in tallies.ended.items():
        labels = f'endpoint="{_escape(endpoint)}",status="{status}"'
        yield f"headrace_jobs_ended_total{{{labels}}} {count}"
    yield "# HELP headrace_job_attempts_total Attempts that ended, by what was said of them."
    yield "# TYPE headrace_job_attempts_total counter"
    for said in Said:
        yield f'headrace_job_attempts_total{{said="{said.name.lower()}"}} {tallies.said[said]}'
    yield "# HELP headrace_job_attempts_stale_total Attempts that ended when they counted no more."
    yield "# TYPE headrace_job_attempts_stale_total counter"
    yield f"headrace_job_attempts_stale_total {tallies.stale}"


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
