"""What a test needs that may not be there: a skip on a laptop, a failure in CI."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest


def require(tool: str) -> str:
    """Find a program on the path."""
    path = shutil.which(tool)
    if path is None:
        _miss(f"{tool} is not installed")
    return path or ""


def require_modules(*names: str, install: str) -> None:
    """Go on if all of these can be imported; `install` says how to get them."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        _miss(f"{', '.join(missing)} not installed: {install}")


def _miss(reason: str) -> None:
    if os.environ.get("TESTS_CI") == "1":
        pytest.fail(f"{reason}, and CI skips nothing", pytrace=False)
    pytest.skip(reason)
