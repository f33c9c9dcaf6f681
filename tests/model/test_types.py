"""Upload, and Starlette's Request, which nobody pays for who does not ask."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from starlette import requests

from headrace.model import types
from headrace.model.envelope import Envelope
from headrace.model.types import Upload, files_wanted, is_request, make_request
from tests.model.making import envelope


def test_an_upload_gives_its_bytes_and_its_text() -> None:
    upload = Upload("a.txt", "text/plain; charset=latin-1", "größe".encode("latin-1"))
    assert upload.read() is upload.data
    assert upload.text() == "größe"
    assert upload.text("cp1252") == "größe"
    assert Upload("a", "text/plain", "größe".encode()).text() == "größe"
    assert repr(upload) == "<Upload 'a.txt', text/plain; charset=latin-1, 5 bytes>"


def test_request_is_starlettes_own() -> None:
    assert types.Request is requests.Request
    with pytest.raises(AttributeError, match="Requests"):
        _ = types.Requests


@pytest.mark.parametrize(
    ("annotation", "files"),
    [
        (Upload, "one"),
        (Upload | None, "maybe"),
        (list[Upload], "many"),
        (list[int], None),
        (int | None, None),
        (Upload | int, None),
        (Any, None),
    ],
)
def test_an_annotation_tells_how_many_files_it_wants(annotation: Any, files: str | None) -> None:
    assert files_wanted(annotation) == files


def test_a_request_is_known_by_its_name() -> None:
    class Own(requests.Request): ...

    assert is_request(requests.Request)
    assert is_request(Own)
    assert not is_request(dict)
    assert not is_request(list[requests.Request])


def test_a_request_tells_what_the_head_tells() -> None:
    sent = envelope(b"[1]", headers=[(b"x-a", b"1"), (b"host", b"h:8")], query=b"q=2")

    async def look() -> None:
        request = make_request(requests.Request, sent)
        assert (request.method, request.url.path, request.query_params["q"]) == (
            "POST",
            "/predict",
            "2",
        )
        assert (request.headers["x-a"], request.client.host) == ("1", "10.0.0.7")
        assert not await request.is_disconnected()
        assert await request.json() == [1]
        assert not await request.is_disconnected()

    asyncio.run(look())


def test_a_request_needs_a_head() -> None:
    with pytest.raises(ValueError, match="head"):
        make_request(requests.Request, Envelope("r", 1.0, 1, None, b""))


def test_importing_the_room_imports_nothing_heavy() -> None:
    script = (
        "import sys, headrace.model.hooks, headrace.model.types\n"
        "heavy = {'asyncio', 'starlette', 'numpy', 'python_multipart'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    env = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
