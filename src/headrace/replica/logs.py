"""What a replica logs goes to its standard error; a record made inside a hook names its request."""

from __future__ import annotations

import logging
import sys

from headrace.errors import HeadraceError
from headrace.model.context import current_context


class Named(logging.Formatter):
    """`WARNING my.module [request 7f3a...]: text`."""

    def format(self, record: logging.LogRecord) -> str:
        """Put the request's id into the record."""
        try:
            record.request = f" [{current_context().request_id}]"
        except (HeadraceError, LookupError):
            record.request = ""
        return super().format(record)


def log_to_stderr() -> None:
    """Set up logging for this process, unless the user's code has done it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Named("%(levelname)s %(name)s%(request)s: %(message)s"))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(logging.INFO)
