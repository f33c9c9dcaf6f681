"""What holds for every test: it leaves nothing behind, and it has what its marks say it needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import uvloop
from hypothesis import settings

from headrace.demo.run import NEEDED
from tests.support.census import take
from tests.support.needs import require, require_modules
from tests.support.waiting import until

settings.register_profile("headrace", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("headrace")

PATIENCE_S = 2.0  # for what ends by itself: a thread on its way out, a child not yet reaped
PATIENCE_E2E_S = 10.0  # a whole server on its way out, on a busy machine


@pytest.fixture(autouse=True, scope="session")
def what_libraries_keep() -> None:
    """Let libuv open the pipe it keeps for the life of a process, so that no test is blamed."""
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, an open file or a thread behind, and name it.

    Fixtures of a wider scope are made before the first count: what they hold is no leak.
    """
    before = take()
    yield
    patience_s = PATIENCE_E2E_S if request.node.get_closest_marker("e2e") else PATIENCE_S
    if not until(lambda: not take().more_than(before), within_s=patience_s):
        left = "\n  ".join(take().more_than(before))
        pytest.fail(f"left behind after {patience_s} s:\n  {left}", pytrace=False)


@pytest.fixture(autouse=True)
def has_what_it_needs(request: pytest.FixtureRequest) -> None:
    """Skip a marked test whose tool is missing; in CI, fail it."""
    marked = request.node.get_closest_marker
    if marked("wrk"):
        require("wrk")
    if marked("proxies"):
        require("nginx")
        require("haproxy")
    if marked("slowhttptest"):
        require("slowhttptest")
    if marked("chromium"):
        require("chromium")
        require("chromedriver")
    if marked("demo"):
        require_modules(*NEEDED, install="pip install 'headrace[demo]'")
    if marked("torch") and find_spec("torch") is None:  # too large to be asked of CI
        pytest.skip("torch is not installed")
