"""The OpenAPI 3.1 document of a server: its models as they describe themselves, our own pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from headrace.http.problems import MEDIA_TYPE, title
from headrace.model.description import Description
from headrace.model.media import EVENTS
from headrace.model.references import PREFIX, Schema, added

Part = dict[str, Any]
WHOLE = "The model's answer."
STREAMED = (
    "The model's answer, item by item as each is made; the schemas are of one item. Ask for events "
    "or lines by `Accept`. What fails behind the first item is told by an event `error`, by a line "
    '`{"error": ...}`, and in other forms by a connection that ends early; behind the last event '
    "comes one of the name `done`."
)

_PROBLEM: Schema = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). `code` is for programs, `detail` for people.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "path": {"type": "string", "description": "where in the body the fault is: `$.a[0]`"},
        "retry_after_s": {"type": "number", "description": "the Retry-After, exactly"},
    },
    "required": ["type", "title", "status", "code", "detail", "request_id"],
}
_WHEN: Mapping[int, str] = {
    400: "The body is not what its media type says.",
    405: "A model takes POST.",
    413: "The body is over the limit.",
    415: "The body's media type is not read here; `detail` says what to send.",
    422: "The body is well formed, and of the wrong type; `path` says where.",
    500: "A hook raised, or every replica that tried it died; the log has the request id.",
    503: "The queue is full, or the server is loading or stopping.",
    504: "The deadline passed first.",
}
_LOCKED: Mapping[int, str] = {401: "The key is missing, or not one of this route's."}
_KEYS: Part = {
    "Bearer": {"type": "http", "scheme": "bearer"},
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_HEADERS: Part = {
    "X-Request-Id": {
        "description": "Names the request in the server's log.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
}
_PARAMETERS: Part = {
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Your name for the request: up to 128 printable ASCII characters; "
        "any other is replaced.",
        "schema": {"type": "string", "maxLength": 128},
    },
    "X-Request-Timeout-Seconds": {
        "name": "X-Request-Timeout-Seconds",
        "in": "header",
        "description": "When to give up, from arrival; the server's own limit if that is less.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
}
_OPERATIONS: Mapping[str, tuple[str, str, tuple[int, ...]]] = {
    "/-/health/live": ("200 while the server's loop turns", "application/json", (200,)),
    "/-/health/ready": (
        "200 when every model has a replica, else 503",
        "application/json",
        (200, 503),
    ),
    "/-/health/startup": ("200 once that was so", "application/json", (200, 503)),
    "/-/health": ("The same, with every replica", "application/json", (200, 503)),
    "/-/info": ("Deployments, replicas, pids, batches, counts", "application/json", (200,)),
    "/-/metrics": ("Prometheus text", "text/plain", (200,)),
    "/-/routes": ("Which model answers where", "application/json", (200,)),
    "/-/openapi.json": ("This document", "application/json", (200,)),
    "/-/docs": ("This document for people, with a form to try it", "text/html", (200,)),
}


def document(
    routes: Mapping[str, str],
    descriptions: Mapping[str, Description],
    version: str,
    locked: Collection[str] = (),
) -> Part:
    """Write the document; `routes` names the deployment behind each path, `locked` want a key."""
    schemas: dict[str, Schema] = {"Problem": _PROBLEM}
    paths: Part = {
        path: {"post": _model(name, descriptions[name], schemas)} for path, name in routes.items()
    }
    for path, name in routes.items():
        if name in locked:
            paths[path]["post"] |= _locked(paths[path]["post"]["responses"])
    for path, (words, media, statuses) in _OPERATIONS.items():
        paths[path] = {"get": _operation(path, words, media, statuses)}
    when = _LOCKED if locked else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": ", ".join(dict.fromkeys(routes.values())), "version": version},
        "tags": [
            {"name": "models", "description": "What is served here."},
            {"name": "operations", "description": "How the server is."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "responses": {str(s): _refusal(s, words) for s, words in {**when, **_WHEN}.items()},
            **({"securitySchemes": _KEYS} if locked else {}),
        },
    }


def _locked(responses: Part) -> Part:
    """Return what an operation says of its keys."""
    return {
        "security": [{name: []} for name in _KEYS],
        "responses": {
            "200": responses["200"],
            **{str(status): _pointer("responses", str(status)) for status in _LOCKED},
            **responses,
        },
    }


def _model(name: str, description: Description, schemas: dict[str, Schema]) -> Part:
    """Describe a model's route; its named schemas join the others'."""
    told = added(
        schemas, [description.body, description.answer], description.named, f"of-{_safe(name)}"
    )
    body, answer = told
    operation: Part = {
        "operationId": name,
        "tags": ["models"],
        "summary": description.summary or name,
        "parameters": [_pointer("parameters", header) for header in _PARAMETERS],
    }
    if description.text:
        operation["description"] = description.text
    if body is not None:
        operation["requestBody"] = {
            "required": description.body_required,
            "content": _content(body),
        }
    operation["responses"] = {
        "200": _answered(STREAMED if EVENTS in description.answer else WHOLE, _content(answer)),
        **{str(status): _pointer("responses", str(status)) for status in _WHEN},
        "default": _answered("Another status, which the model itself chose.", {"*/*": {}}),
    }
    return operation


def _operation(path: str, words: str, media: str, statuses: tuple[int, ...]) -> Part:
    content = {media: {"schema": {"type": "object"}} if media == "application/json" else {}}
    return {
        "operationId": "headrace." + path.removeprefix("/-/").replace("/", "."),
        "tags": ["operations"],
        "summary": words,
        "responses": {str(status): _answered(title(status), content) for status in statuses},
    }


def _content(schemas: Mapping[str, Schema]) -> Part:
    return {media: {"schema": schema} if schema else {} for media, schema in schemas.items()}


def _answered(words: str, content: Part) -> Part:
    headers = {"X-Request-Id": _pointer("headers", "X-Request-Id")}
    return {"description": words, "headers": headers, "content": content}


def _refusal(status: int, words: str) -> Part:
    refusal = _answered(words, {MEDIA_TYPE.decode(): {"schema": {"$ref": f"{PREFIX}Problem"}}})
    if status == 503:  # noqa: PLR2004 - the one that says when to come back
        refusal["headers"]["Retry-After"] = _pointer("headers", "Retry-After")
    return refusal


def _pointer(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}


def _safe(name: str) -> str:
    """Make a name one that a component may have."""
    return "".join(
        letter if (letter.isascii() and letter.isalnum()) or letter in "._-" else "_"
        for letter in name
    )
