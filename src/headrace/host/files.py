"""How many files this process may open, and so how many connections it can take."""

from __future__ import annotations

import logging
import resource

log = logging.getLogger("headrace.server")
SPARE_FILES = 256
"""For replicas, logs, and connections that are only told that there is no room."""


def most_connections(wanted: int) -> int:
    """Return how many connections there can be, at most `wanted`.

    A soft limit of open files that is too low is raised, as far as the hard one lets us.
    """
    needed = wanted + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(1, soft - SPARE_FILES)
    log.warning(
        "max_connections is %d, not %d: this process may open %d files only (ulimit -Hn)",
        *(possible, wanted, soft),
    )
    return possible
