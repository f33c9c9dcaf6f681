"""Routes that are methods: which are found, and what they get as `self`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

import headrace as hr
from headrace.errors import ConfigError
from headrace.model.ingress import app_of
from headrace.model.kinds import kind_of
from headrace.model.views import bind_views, serving


def ask(app: Any, thing: Any, path: str) -> Any:
    """Ask an application whose routes belong to an object."""

    async def answer() -> Any:
        serving.set(thing)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get(path)).json()

    return asyncio.run(answer())


def test_methods_of_every_kind_get_the_object_that_serves() -> None:  # noqa: C901 - so many kinds
    app, router = FastAPI(), APIRouter()

    class Base:
        name = "base"

        @app.get("/inherited")
        def inherited(self) -> str:
            return self.name

    class Views(Base):
        def __init__(self, name: str) -> None:
            self.name = name

        @app.get("/sync/{number}")
        def sync(self, number: int) -> list[Any]:
            return [self.name, number]

        @app.get("/async")
        async def waits(self, q: str = "none") -> list[str]:
            return [self.name, q]

        @app.get("/yields")
        def yields(self) -> Iterator[str]:
            yield self.name

        @app.get("/async-yields")
        async def async_yields(self) -> AsyncIterator[str]:
            yield self.name

        @router.get("/routed")
        def routed(self) -> str:
            return self.name

        @app.get("/static")
        @staticmethod
        def static(q: int = 1) -> int:
            return q

    app.include_router(router, prefix="/below")
    hr.ingress(app)(Views)
    for name in ("one", "two"):  # as with two replicas in one process
        bind_views(app_of(Views), Views)
        thing = Views(name)
        assert ask(app, thing, "/sync/3") == [name, 3]
        assert ask(app, thing, "/async?q=x") == [name, "x"]
        assert ask(app, thing, "/yields") == name
        assert ask(app, thing, "/async-yields") == name
        assert ask(app, thing, "/below/routed") == name
        assert ask(app, thing, "/inherited") == name
        assert ask(app, thing, "/static?q=7") == 7
    paths = app.openapi()["paths"]
    assert "parameters" not in paths["/inherited"]["get"]
    assert [each["name"] for each in paths["/sync/{number}"]["get"]["parameters"]] == ["number"]


def test_a_route_of_another_class_or_of_no_class_is_left_alone() -> None:
    app = FastAPI()

    class Other:
        @app.get("/other")
        def other(self) -> None:
            """Belong to somebody else."""

    @app.get("/function")
    def function() -> str:
        return "a function"

    endpoints = [getattr(route, "endpoint", None) for route in app.routes]

    @hr.ingress(app)
    class Views:
        pass

    bind_views(app_of(Views), Views)
    assert [getattr(route, "endpoint", None) for route in app.routes] == endpoints
    assert ask(app, Views(), "/function") == "a function"


def test_a_route_without_self_is_told() -> None:
    app = FastAPI()

    class Views:
        @app.get("/")
        def root() -> None:  # type: ignore[misc]
            """Forget `self`."""

    with pytest.raises(ConfigError, match=r"Views\.root is a route and has no `self`"):
        bind_views(app, Views)


def test_an_ingress_is_an_application_or_makes_one() -> None:
    app = FastAPI()

    @hr.ingress(app)
    class Noted:
        pass

    @hr.ingress(lambda: app)
    class Made:
        pass

    async def function(scope: Any, receive: Any, send: Any) -> None:
        """Be an application."""

    @hr.ingress(function)
    class ByFunction:
        pass

    @hr.ingress(lambda: 3)
    class Wrong:
        pass

    class Derived(Noted):
        pass

    assert app_of(Noted) is app_of(Made) is app_of(Derived) is app
    assert app_of(ByFunction) is function
    assert kind_of(Noted) == kind_of(Derived) == "ingress"
    assert kind_of(test_an_ingress_is_an_application_or_makes_one) == "plain"
    with pytest.raises(ConfigError, match="was to make an ASGI application, and returned 3"):
        app_of(Wrong)


@pytest.mark.parametrize(
    ("app", "words"),
    [(3, "takes an ASGI application"), (FastAPI, "is a class: write @hr.ingress")],
)
def test_what_is_no_application_is_refused(app: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        hr.ingress(app)


def test_an_ingress_goes_onto_a_class() -> None:
    with pytest.raises(ConfigError, match="goes onto a class"):
        hr.ingress(FastAPI())(test_an_ingress_goes_onto_a_class)  # type: ignore[type-var]
