"""How a command that asks a server ends when that fails: one line, and exit code 1."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from headrace.errors import HeadraceError, StartError


@contextlib.contextmanager
def exit_on_error(*, quiet: bool = False) -> Iterator[None]:
    """Print an error of ours as one message, unless only the exit code is wanted."""
    try:
        yield
    except HeadraceError as error:
        if not quiet:
            print(f"headrace: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code if isinstance(error, StartError) else 1) from None
