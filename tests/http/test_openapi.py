"""The document and the pages: valid, whole, and of no other host."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Generator, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import validate

import headrace as hr
from headrace.host.targets import find
from headrace.http.openapi import document
from headrace.model.served import describe
from tests.http.asking import Gated, Raising, Typed, ready

BORDER = Path(__file__).parents[1] / "e2e" / "apps" / "border.py"
REFUSALS = {"400", "405", "413", "415", "422", "500", "503", "504"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ("/", "/docs", "/-/docs")
ASSETS = ("/-/docs.css", "/-/docs.js", "/-/docs.svg")


@pytest.fixture(scope="module")
def border() -> Any:
    deployments = find(str(BORDER)).deployments
    described = {served.name: served.description for served in deployments}
    return document({f"/{name}": name for name in described}, described, "1.2.3")


def test_the_document_is_openapi_3_1(border: Any) -> None:
    validate(border)
    assert border["openapi"] == "3.1.0"
    assert border["info"]["version"] == "1.2.3"


def test_every_named_type_has_its_schema(border: Any) -> None:
    named = {"Problem", "Colour", "Point", "Struct", "Board", "Move"}
    arrays = {"Array.float32", "Array.float32.out", "Array.bool"}
    assert set(border["components"]["schemas"]) == named | arrays


def test_every_model_has_its_refusals_and_every_reference_its_target(border: Any) -> None:
    for path in (path for path in border["paths"] if not path.startswith("/-/")):
        responses = border["paths"][path]["post"]["responses"]
        assert set(responses) == {"200", "default", *REFUSALS}
    for place in re.findall(r"'\$ref': '#/([^']+)'", str(border)):
        at = border
        for step in place.split("/"):
            at = at[step]
    assert "Retry-After" in border["components"]["responses"]["503"]["headers"]


def get(*paths: str, headers: dict[str, str] | None = None) -> list[httpx2.Response]:
    async def main() -> list[httpx2.Response]:
        async with ready(Typed, Gated, Raising) as (_, client):
            return [await client.get(path, headers=headers) for path in paths]

    return asyncio.run(main())


def test_it_is_served_at_its_path_and_its_alias() -> None:
    one, alias = get("/-/openapi.json", "/openapi.json")
    assert one.json() == alias.json()
    validate(one.json())
    typed = one.json()["paths"]["/typed"]["post"]
    assert typed["requestBody"]["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert typed["responses"]["200"]["content"] == {
        "application/json": {"schema": {"type": "string"}}
    }


def test_each_of_our_own_paths_that_the_document_names_answers() -> None:
    (told,) = get("/-/openapi.json")
    paths = told.json()["paths"].items()
    ours = [path for path, item in paths if "get" in item and "{" not in path]
    assert [(path, reply.status_code) for path, reply in zip(ours, get(*ours), strict=True)] == [
        (path, 200) for path in ours
    ]


def test_the_root_is_a_page_for_browsers_and_json_for_programs() -> None:
    (shown,) = get("/", headers=BROWSER)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    (told,) = get("/", headers={"Accept": "*/*"})
    assert told.headers["content-type"] == "application/json"
    assert {shown.headers["vary"], told.headers["vary"]} == {"accept"}


def test_the_pages_load_from_this_server_alone() -> None:
    for reply in get(*PAGES, *ASSETS, headers=BROWSER):
        assert reply.status_code == 200
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", reply.text) in ([], ["http://www.w3.org"])
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_pages_find_their_parts_below_a_proxys_path() -> None:
    for path, reply in zip(PAGES, get(*PAGES, headers=BROWSER), strict=True):
        below = httpx2.URL("http://proxy/models").join(f"/models{path}")
        parts = re.findall(r'(?:href|src)="([^"]+)"', reply.text)
        assert {below.join(part).path.startswith("/models/") for part in parts} == {True}


def test_nothing_that_came_is_ever_markup() -> None:
    folder = files("headrace.http.pages")
    script = folder.joinpath("page.js").read_text()
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script) == []
    )
    page = folder.joinpath("page.html").read_text()
    assert re.findall(r"<style|<script>| on\w+=| style=", page) == []


def model_of(kind: type) -> type[hr.Model]:
    """Make a model that takes a Thing; each kind's Thing is another."""
    thing = dataclasses.make_dataclass("Thing", [("value", kind)])

    class Holder(hr.Model):
        def predict(self, thing: Any) -> Any:
            return thing

    Holder.predict.__annotations__["thing"] = thing
    return Holder


def test_two_types_of_one_name_keep_their_own_schemas() -> None:
    described = {name: describe(model_of(kind)) for name, kind in (("a", int), ("b", str))}
    told = document(
        {"/a": "a", "/b": "b"}, {n: served.description for n, served in described.items()}, "1"
    )
    validate(told)
    kinds = {
        name: schema["properties"]["value"]["type"]
        for name, schema in told["components"]["schemas"].items()
        if name.startswith("Thing")
    }
    assert kinds == {"Thing": "integer", "Thing.of-b": "string"}


class Tells(hr.Model):
    def predict(self, count: int) -> Iterator[str]:
        yield "word" * count


class Counts(hr.Model):
    async def predict(self, count: int) -> AsyncIterator[dict[str, int]]:
        yield {"count": count}


class Records(hr.Model):
    def predict(self, count: int) -> Generator[bytes, None, None]:
        yield b"x" * count


STREAMS = {
    Tells: {
        "text/plain": {"type": "string"},
        "application/x-ndjson": {"type": "string"},
        "text/event-stream": {"type": "string"},
    },
    Counts: {
        "application/x-ndjson": {"type": "object", "additionalProperties": {"type": "integer"}},
        "text/event-stream": {"type": "string"},
    },
}


@pytest.mark.parametrize("model", STREAMS)
def test_a_stream_is_described_by_one_of_its_items_in_each_form(model: type[hr.Model]) -> None:
    told = document({"/a": "a"}, {"a": describe(model).description}, "1")
    validate(told)
    answered = told["paths"]["/a"]["post"]["responses"]["200"]
    assert "item by item" in answered["description"]
    schemas = {media: found["schema"] for media, found in answered["content"].items()}
    assert schemas == STREAMS[model]


def test_a_stream_of_bytes_is_described_as_bytes_first() -> None:
    told = document({"/a": "a"}, {"a": describe(Records).description}, "1")
    validate(told)
    content = told["paths"]["/a"]["post"]["responses"]["200"]["content"]
    assert next(iter(content)) == "application/octet-stream"
    assert "text/event-stream" in content
