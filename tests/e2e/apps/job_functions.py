"""Functions that run as jobs, in a module of their own; also a target by itself."""

from __future__ import annotations

import headrace as hr


@hr.job
def triple(value: int) -> int:
    return 3 * value
