"""What a handle costs is counted without the warm-up, and held against copies of the same run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import handle
from harness.serving import serving


def times(copy_ms: float, there_ms: float) -> dict[str, list[float]]:
    """The warm-up is slow."""
    seconds = {"copies": copy_ms, "there": there_ms, "back": 2 * there_ms}
    return {
        way: [*[9.0] * handle.WARM_UP, *[ms / 1e3] * handle.CALLS] for way, ms in seconds.items()
    }


@pytest.mark.parametrize(("there_ms", "is_kept"), [(3.49, True), (3.51, False)])
def test_a_call_may_take_three_copies_and_half_a_millisecond(
    there_ms: float, *, is_kept: bool
) -> None:
    found = handle.found(times(1.0, there_ms))
    assert found.is_kept == is_kept
    assert ("pass" in handle.line(found)) == is_kept


@pytest.mark.e2e
@pytest.mark.parametrize("front", handle.FRONTS)
def test_ten_megabytes_come_through_and_back(front: str) -> None:
    with serving(handle.contender(front)) as server:
        told = handle.asked(server, handle.WARM_UP + 2)
    assert all(len(told[way]) == handle.WARM_UP + 2 for way in ("copies", "there", "back"))
    assert handle.found(told).there_ms > 0
