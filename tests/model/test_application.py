"""Applications: names, prefixes, paths, labels, and what must not clash."""

from __future__ import annotations

from typing import Any

import pytest

import headrace as hr
from headrace.errors import ConfigError
from headrace.model.application import (
    Application,
    application_of,
    as_applications,
    labels_of,
    name_of,
    renamed,
    routes_of,
)
from headrace.model.binding import served_from
from headrace.model.served import Served


class Embed(hr.Model):
    def predict(self, x: Any) -> Any:
        return x


class Rank(hr.Model):
    def predict(self, x: Any) -> Any:
        return x


@hr.deployment(route="/own")
class Routed(hr.Model):
    def predict(self, x: Any) -> Any:
        return x


class Front(hr.Model):
    def __init__(self, embed: hr.Handle) -> None:
        self.embed = embed

    def predict(self, x: Any) -> Any:
        return x


class Plain:
    def __call__(self) -> str:
        return ""


def served(*targets: object) -> list[Served]:
    return [each for target in targets for each in served_from(target)]


@pytest.mark.parametrize(
    ("targets", "name", "prefix", "routes"),
    [
        ([Embed], "default", None, {"/predict": "embed"}),
        ([Embed, Rank], "default", None, {"/embed": "embed", "/rank": "rank"}),
        ([Embed], "text", None, {"/text": "text.embed"}),
        ([Embed], "text", "/", {"/predict": "text.embed"}),
        ([Embed], "text", "/a/b/", {"/a/b": "text.embed"}),
        ([Embed, Rank], "text", "/a", {"/a/embed": "text.embed", "/a/rank": "text.rank"}),
        ([Routed], "default", None, {"/own": "routed"}),
        ([Routed], "text", "/a", {"/a/own": "text.routed"}),
        ([hr.bind(Embed).options(route="/")], "text", "/a", {"/a": "text.embed"}),
        ([hr.bind(Front, hr.bind(Embed))], "default", None, {"/predict": "front"}),
        ([hr.bind(Front, hr.bind(Embed))], "text", None, {"/text": "text.front"}),
        (
            [hr.bind(Front, hr.bind(Embed).options(route="/e"))],
            "text",
            None,
            {"/text": "text.front", "/text/e": "text.embed"},
        ),
        ([Plain], "default", None, {"/": "plain"}),
        ([Plain], "text", None, {"/text": "text.plain"}),
        ([Plain, Embed], "text", "/a", {"/a/plain": "text.plain", "/a/embed": "text.embed"}),
    ],
)
def test_where_an_application_answers(
    targets: list[object], name: str, prefix: str | None, routes: dict[str, str]
) -> None:
    assert routes_of([application_of(served(*targets), name, prefix)]) == routes


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a@b", "-a", "a b", "ä"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(ConfigError, match="an application's name has letters"):
        application_of(served(Embed), name)


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("vision", "a route_prefix is a path such as /vision"),
        ("/a b", "without spaces"),
        ("/a?b", "without spaces"),
        ("/a//b", "without spaces"),
        ("/{a}", "without spaces"),
        ("/-/a", "the server's own"),
        ("/-", "the server's own"),
    ],
)
def test_a_prefix_is_a_path_that_is_free(prefix: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        application_of(served(Embed), "text", prefix)


def one(*targets: object, name: str = "default", prefix: str | None = None) -> Application:
    return application_of(served(*targets), name, prefix)


@pytest.mark.parametrize(
    ("applications", "words"),
    [
        ([one(Embed), one(Rank)], "two applications are named default"),
        (
            [one(Embed), one(Rank, name="text", prefix="/")],
            "applications default and text both want the route /predict, for embed and rank",
        ),
        (
            [one(Plain, name="a", prefix="/x"), one(Embed, name="b", prefix="/x")],
            "applications a and b both want the route /x",
        ),
        (
            [one(hr.bind(Embed).options(name="text.rank")), one(Rank, name="text")],
            r"applications default and text both have a deployment that goes by 'text\.rank'",
        ),
    ],
)
def test_a_clash_names_both(applications: list[Application], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        routes_of(applications)


def test_one_name_within_an_application() -> None:
    with pytest.raises(ConfigError, match="two deployments are named 'embed'"):
        application_of(served(Embed, Embed))
    with pytest.raises(ConfigError, match="routed and embed both want the route /own"):
        one(Routed, hr.bind(Embed).options(route="/own"))


def test_prefixes_may_lie_within_one_another() -> None:
    routes = routes_of(
        [
            one(Plain),
            one(Plain, name="a"),
            one(Plain, name="b", prefix="/a/b"),
            one(Embed, name="c"),
        ]
    )
    assert routes == {"/": "plain", "/a": "a.plain", "/a/b": "b.plain", "/c": "c.embed"}


def test_a_label_is_known_everywhere_and_a_name_at_home() -> None:
    text = one(hr.bind(Front, hr.bind(Embed)), name="text")
    assert list(text.served) == ["front", "embed"]
    assert list(labels_of([one(Embed), text])) == ["embed", "text.front", "text.embed"]
    assert [name_of(each) for each in (Embed, hr.bind(Embed), Plain, object())] == [
        "embed", "embed", "plain", "object",
    ]  # fmt: skip


def test_deployments_alone_are_the_default_application() -> None:
    text = one(Embed, name="text")
    (only,) = as_applications(served(Embed, Rank))
    assert (only.name, only.route_prefix, list(only.served)) == ("default", "/", ["embed", "rank"])
    assert as_applications([text]) == [text]
    assert [each.name for each in as_applications([text, *served(Rank)])] == ["default", "text"]
    assert as_applications([]) == []


@pytest.mark.parametrize(
    ("prefix", "name", "wanted", "after"),
    [
        (None, "b", None, ("b", "/b")),
        ("/x", "b", None, ("b", "/x")),
        ("/x", None, "/y", ("a", "/y")),
        (None, "b", "/", ("b", "/")),
        (None, None, None, ("a", "/a")),
    ],
)
def test_another_name_brings_its_usual_prefix(
    prefix: str | None, name: str | None, wanted: str | None, after: tuple[str, str]
) -> None:
    found = renamed(one(Embed, name="a", prefix=prefix), name, wanted)
    assert (found.name, found.route_prefix) == after
