"""Which prefix a path belongs to, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.routing import Prefixes

TABLE: list[tuple[str, str, tuple[str, str] | None]] = [
    # prefixes, path, (what answers, its root_path)
    ("/ /api", "/api/users", ("/api", "/api")),
    ("/ /api", "/api", ("/api", "/api")),
    ("/ /api", "/api/", ("/api", "/api")),
    ("/ /api", "/apiary", ("/", "")),
    ("/ /api", "/", ("/", "")),
    ("/ /api", "/other/api", ("/", "")),
    ("/api", "/other", None),
    ("/api", "/", None),
    ("/api /api/v2", "/api/v2/users", ("/api/v2", "/api/v2")),
    ("/api /api/v2", "/api/v20", ("/api", "/api")),
    ("/api /api/v2", "/api/v2", ("/api/v2", "/api/v2")),
    ("/a/b/c /", "/a/b", ("/", "")),
    ("/", "/-/health", None),
    ("/", "/-/", None),
    ("/", "/-", None),
    ("/", "/-x/y", ("/", "")),
    ("/", "*", ("/", "")),
    ("/api", "*", None),
    ("", "/anything", None),
]


@pytest.mark.parametrize(("prefixes", "path", "wanted"), TABLE)
def test_the_longest_prefix_wins_on_a_segment_boundary(
    prefixes: str, path: str, wanted: tuple[str, str] | None
) -> None:
    found = Prefixes({prefix: prefix for prefix in prefixes.split()}).find(path)
    assert found == wanted


SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab", "-"]), max_size=4)


@given(st.sets(SEGMENTS.map(lambda parts: "/" + "/".join(parts)), max_size=6), SEGMENTS)
def test_it_finds_what_comparing_segment_by_segment_would(
    prefixes: set[str], parts: list[str]
) -> None:
    path = "/" + "/".join(parts)

    def leads(prefix: str) -> bool:
        mine = [part for part in prefix.split("/") if part]
        return parts[: len(mine)] == mine

    found = Prefixes({prefix: prefix for prefix in prefixes}).find(path)
    if parts[:1] == ["-"]:
        assert found is None
    else:
        wanted = max(filter(leads, prefixes), key=len, default=None)
        assert (found.target if found else None) == wanted
        assert found is None or path.startswith(found.root_path)
