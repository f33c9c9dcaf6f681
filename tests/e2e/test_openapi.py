"""What the document promises, the server keeps: requests made from it, answers held against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.serving import Program, served

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = 8
RAISES_ON_PURPOSE = "answers"
ROUTES = [
    "text",
    "raw",
    "dates",
    "exact",
    "sets",
    "mappings",
    "points",
    "structs",
    "boards",
    "moves",
    "arrays",
    "npy",
    "images",
    "jpeg",
    "uploads",
    "form",
    "rows",
]
OPERATIONS = ("health/live", "health/ready", "health", "info", "metrics", "routes", "docs")
JOBS = [
    *(("GET", page) for page in ("", "/{job}", "/{job}/result", "/{job}/events")),
    *(("POST", page) for page in ("", "/{job}/cancel", "/{job}/retry")),
    ("PUT", "/{job}"),
    ("DELETE", "/{job}"),
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def border() -> Iterator[Program]:
    with served("border.py") as server:
        yield server


@pytest.fixture(scope="module")
def document(border: Program) -> Any:
    return schemathesis.openapi.from_url(f"{border.url}/-/openapi.json")


def test_every_model_is_tried(document: Any) -> None:
    posts = {path: item.get("post") for path, item in document.raw_schema["paths"].items()}
    models = {path[1:] for path, post in posts.items() if post and "models" in post["tags"]}
    assert models == {*ROUTES, RAISES_ON_PURPOSE}


@pytest.mark.parametrize("route", ROUTES)
def test_a_model_answers_as_the_document_says(document: Any, route: str) -> None:
    hold_to_it(document[f"/{route}"]["POST"])


@pytest.mark.parametrize("route", OPERATIONS)
def test_an_operation_answers_as_the_document_says(document: Any, route: str) -> None:
    hold_to_it(document[f"/-/{route}"]["GET"])


@pytest.mark.parametrize(("method", "page"), JOBS)
def test_a_page_of_jobs_answers_as_the_document_says(document: Any, method: str, page: str) -> None:
    hold_to_it(document[f"/jobs{page}"][method])


def hold_to_it(operation: Any) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(operation.as_strategy())
    def ask(case: Any) -> None:
        case.headers.pop("X-Request-Timeout-Seconds", None)  # a tiny one is a 504, as documented
        case.validate_response(case.call(), checks=CHECKS)

    ask()
