"""Our own endpoints: how the server is. They never wait for user code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from headrace.http.labels import label_of
from headrace.http.messages import App, Headers, Receive, Response, Scope, Send, respond
from headrace.http.pages import asset, page
from headrace.http.problems import problem
from headrace.runtime.driver import Driver
from headrace.runtime.metrics import CONTENT_TYPE, Endings, render
from headrace.runtime.resources import with_figures
from headrace.runtime.status import status_of

UNAVAILABLE = 503
JSON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept"),
]


class Operations:
    """What a server tells about itself."""

    def __init__(
        self,
        driver: Driver,
        endings: dict[str, Endings],
        routes: Mapping[str, str],
        version: str,
        document: Callable[[], dict[str, Any]],
    ) -> None:
        """`routes` names the deployment behind each path; `document` writes the OpenAPI."""
        self._driver, self._endings, self._routes = driver, endings, routes
        self._write, self._document = document, b""
        self._version, self._began = version, time.monotonic()
        self._started = False
        self.more: Callable[[], Iterable[str]] = tuple
        """Metrics of others, line by line."""
        self.applications: Callable[[], dict[str, Any]] = dict
        """How each application is, by its name."""
        self.jobs: Callable[[], dict[str, Any] | None] = lambda: None
        """How jobs are; None where there are none."""

    def endpoints(self) -> dict[str, App]:
        """Return every path with what answers there: `/-/x`, and its alias `/x`."""
        told: dict[str, Callable[[], Response]] = {
            "/health": self._health,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/health/startup": self._startup,
            "/info": self._info,
            "/metrics": self._metrics,
            "/routes": self._list_routes,
            "/openapi.json": self._openapi,
            "/docs.css": lambda: asset("page.css"),
            "/docs.js": lambda: asset("page.js"),
            "/docs.svg": lambda: asset("page.svg"),
        }
        found = {
            prefix + path: answering_get(tell)
            for path, tell in told.items()
            for prefix in ("/-", "")
        }
        return {
            **found,
            "/docs": answering_get(lambda: page("docs", "")),
            "/-/docs": answering_get(lambda: page("docs", "../")),
            "/": _for_browsers(answering_get(lambda: page("index", "")), answering_get(self._info)),
        }

    def changed(self) -> None:
        """The models are others now: what was written of them is written anew."""
        self._document = b""

    def _live(self) -> Response:
        return as_json({"status": "ok"})

    def _ready(self) -> Response:
        status = status_of(self._driver)
        states = {name: said["state"] for name, said in status.deployments.items()}
        return as_json(
            {"status": status.state, "deployments": states}, 200 if status.is_ready else UNAVAILABLE
        )

    def _startup(self) -> Response:
        self._started = self._started or status_of(self._driver).is_ready
        state = "ok" if self._started else "loading"
        return as_json({"status": state}, 200 if self._started else UNAVAILABLE)

    def _health(self) -> Response:
        status = status_of(self._driver)
        told = {
            "status": status.state,
            "applications": self.applications(),
            "deployments": status.deployments,
        }
        return as_json(told, 200 if status.is_ready else UNAVAILABLE)

    def _info(self) -> Response:
        status = status_of(self._driver)
        deployments = {
            name: {
                "routes": [path for path, there in self._routes.items() if there == name],
                **with_figures(said),
                "ended": {str(code): count for code, count in self._endings[name].statuses.items()},
            }
            for name, said in status.deployments.items()
        }
        return as_json(
            {
                "server": "headrace",
                "version": self._version,
                "status": status.state,
                "uptime_s": round(time.monotonic() - self._began, 3),
                "generation": self._driver.roster.generation.told(),
                "applications": self.applications(),
                "deployments": deployments,
                "jobs": self.jobs(),
            }
        )

    def _metrics(self) -> Response:
        more = "".join(f"{line}\n" for line in self.more())
        text = f"{render(self._driver, self._endings)}{more}".encode()
        return Response(200, text, [(b"content-type", CONTENT_TYPE.encode())])

    def _list_routes(self) -> Response:
        return as_json(dict(self._routes))

    def _openapi(self) -> Response:
        if not self._document:  # written when it is first wanted, for a start must be quick
            self._document = msgspec.json.encode(self._write())
        return Response(200, self._document, JSON)


def as_json(told: dict[str, Any], status: int = 200) -> Response:
    """Return a JSON response; with 503 it says when to ask again."""
    body = msgspec.json.encode(told)
    headers = [*JSON]
    if status == UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    return Response(status, body, headers)


def _for_browsers(shown: App, told: App) -> App:
    """Choose by Accept: a browser asks for text/html, a program for anything."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        accept = dict(scope["headers"]).get(b"accept", b"")
        await (shown if b"text/html" in accept else told)(scope, receive, send)

    return endpoint


def answering_get(tell: Callable[[], Response]) -> App:
    """Return an endpoint that takes GET and HEAD, and answers what `tell` returns."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        label = label_of(dict(scope["headers"]).get(b"x-request-id"))
        if scope["method"] in ("GET", "HEAD"):
            response = tell()
        else:
            detail = f"{scope['path']} takes GET, not {scope['method']}"
            response = problem(
                405,
                "method_not_allowed",
                detail,
                label.decode(),
                headers=[(b"allow", b"GET, HEAD")],
            )
        await respond(send, response, label)

    return endpoint
