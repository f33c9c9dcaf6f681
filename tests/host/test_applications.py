"""What kind of application something is; what else it may be is told."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

import headrace as hr
from headrace.errors import ConfigError, TargetError
from headrace.host.applications import kind_of
from headrace.host.targets import find, find_app


def wsgi(environ: Any, start_response: Any) -> Any: ...


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def passing(scope: Any, receive: Any, send: Any) -> Any:
    return asgi(scope, receive, send)


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any) -> Any: ...


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wrapped:
    async def __call__(self, *args: Any) -> None: ...


class AnswerOfWsgi:
    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


class AnswerOfAsgi:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any: ...


class Model(hr.Model):
    def predict(self, value: int) -> int:
        return value


def create_app(config: Any = None, debug: bool = False) -> Any: ...  # noqa: FBT001, FBT002 - as users write it


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (wsgi, "wsgi"),
        (Wsgi(), "wsgi"),
        (Wsgi().method, "wsgi"),
        (functools.partial(wsgi), "wsgi"),
        (validator(wsgi), "wsgi"),
        (AnswerOfWsgi, "wsgi"),
        (asgi, "asgi"),
        (passing, "asgi"),
        (Asgi(), "asgi"),
        (Wrapped(), "asgi"),
        (functools.partial(asgi), "asgi"),
        (AnswerOfAsgi, "asgi"),
        (create_app, None),
        (Model, None),
        (Wsgi, None),
        (hr.Server(Model), None),
        (len, None),
        (5, None),
    ],
)
def test_the_kind_is_told_by_how_it_is_called(found: Any, kind: str | None) -> None:
    assert kind_of(found) == kind


def file(folder: Path, text: str) -> str:
    path = folder / "interface.py"
    path.write_text(text)
    return str(path)


APP = "def {name}(environ, start_response): ...\n"


@pytest.mark.parametrize("name", ["app", "application", "server"])
def test_a_file_is_searched_for_the_usual_names(tmp_path: Path, name: str) -> None:
    place = file(tmp_path, APP.format(name=name))
    assert find(place).app == "wsgi"
    assert find_app(place).__name__ == name


def test_a_factory_is_called_with_what_the_target_says(tmp_path: Path) -> None:
    text = "def make(name='x', *, n=1):\n    def app(environ, start_response): ...\n"
    place = file(tmp_path, f"{text}    app.told = (name, n)\n    return app\n")
    assert find(f"{place}:make()").app == "wsgi"
    assert find_app(f'{place}:make("shop", n=2)').told == ("shop", 2)


@pytest.mark.parametrize(
    ("text", "attribute", "words"),
    [
        ("def make(): ...\n", ":make", r"if it makes the application, write .*:make\(\)"),
        ("def make(): 1/0\n", ":make()", r"make\(\) failed: ZeroDivisionError"),
        ("def make(): ...\n", ":make(open('x'))", "plain values"),
        ("def make(): ...\n", ":make(1)", r"make\(\) failed: TypeError"),
        ("x = 1\n", "", "no application named app or application"),
    ],
)
def test_what_cannot_be_served_is_told_with_the_mend(
    tmp_path: Path, text: str, attribute: str, words: str
) -> None:
    with pytest.raises(TargetError, match=words):
        find(file(tmp_path, text) + attribute)


def test_a_wsgi_application_beside_models_is_refused(tmp_path: Path) -> None:
    text = "import headrace as hr\nclass M(hr.Model):\n    def predict(self, x): return x\n"
    with pytest.raises(ConfigError, match="a WSGI application beside models"):
        find(file(tmp_path, text + APP.format(name="app")))
