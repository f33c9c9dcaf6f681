"""What a new version of an application changes, deployment by deployment."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import headrace as hr
from headrace.model.application import Application, application_of
from headrace.model.binding import Bound, served_from
from headrace.model.changing import Change, changes


class Embed(hr.Model):
    def __init__(self, size: int = 3) -> None:
        self.size = size

    def predict(self, x: Any) -> Any:
        return x

    def reconfigure(self, config: Any) -> None:
        self.config = config


class Front(hr.Model):
    def __init__(self, embed: hr.Handle, words: str = "") -> None:
        self.embed, self.words = embed, words

    def predict(self, x: Any) -> Any:
        return x


def graph(embed: Bound | None = None, words: str = "", code: str = "c") -> Application:
    found = served_from(hr.bind(Front, embed or hr.bind(Embed), words))
    return application_of(found, "text", None, code)


K, T, R, A, G = Change.KEPT, Change.TOLD, Change.REPLACED, Change.ADDED, Change.REMOVED


@pytest.mark.parametrize(
    ("new", "front", "embed"),
    [
        (graph(), K, K),
        (graph(words="others"), R, K),
        (graph(hr.bind(Embed, 4)), K, R),
        (graph(hr.bind(Embed).options(max_queued_requests=2)), K, R),
        (graph(hr.bind(Embed).options(timeout_s=1.0)), K, K),
        (graph(hr.bind(Embed).options(replicas=3)), K, K),
        (graph(hr.bind(Embed).options(replicas=(0, 3), upscale_delay_s=1.0)), K, K),
        (graph(hr.bind(Embed).options(route="/embed")), K, K),
        (graph(hr.bind(Embed).options(api_keys="k" * 32)), K, K),
        (graph(hr.bind(Embed).options(max_body_bytes=9)), K, K),
        (graph(hr.bind(Embed).options(user_config={"a": 1})), K, T),
        (graph(hr.bind(Embed, 4).options(user_config={"a": 1})), K, R),
        (graph(code="d"), R, R),
    ],
)
def test_only_what_differs_is_replaced(new: Application, front: Change, embed: Change) -> None:
    assert changes(graph(), new) == {"front": front, "embed": embed}


def test_who_comes_and_who_goes() -> None:
    alone = application_of(served_from(Embed), "text", "/", "c")
    assert changes(None, graph()) == {"front": A, "embed": A}
    assert changes(alone, graph()) == {"front": A, "embed": K}
    assert changes(graph(), alone) == {"front": G, "embed": K}


def test_where_modules_are_looked_for_is_no_difference() -> None:
    """A file that was imported since has put its folder onto the path."""
    old, new = graph(), graph()
    elsewhere = [
        msgspec.structs.replace(
            each, source=msgspec.structs.replace(each.source, sys_path=["/elsewhere"])
        )
        for each in new.deployments
    ]
    assert set(changes(old, msgspec.structs.replace(new, deployments=elsewhere)).values()) == {K}
