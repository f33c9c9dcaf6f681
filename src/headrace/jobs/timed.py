"""The functions that come back by a timetable, as the store knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from headrace.interfaces import Submission, Timed
from headrace.jobs.endpoints import JobEndpoint
from headrace.jobs.orders import Order, content_of, fingerprint
from headrace.model.job import JobFunction

_UNFIT = re.compile(r"[^A-Za-z0-9._~-]")


def timed(functions: Iterable[JobFunction], endpoints: Mapping[str, JobEndpoint]) -> list[Timed]:
    """Return the timetables of functions; each is submitted with no arguments."""
    return [
        Timed(_name_of(each), each.cron, _submission(endpoints[each.endpoint]), each.overlaps)
        for each in functions
        if each.cron is not None
    ]


def _submission(endpoint: JobEndpoint) -> Submission:
    order = Order("cron")
    return Submission(endpoint.name, content_of(order), fingerprint(order), terms=endpoint.terms)


def _name_of(function: JobFunction) -> str:
    """Return what begins the ids of its jobs, which not every name of a function could."""
    return _UNFIT.sub("~", function.name).lstrip("._~-") or "timetable"
