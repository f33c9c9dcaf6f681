"""What the OpenAPI document says of jobs: how a route takes one, the pages that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.jobs import Status
from headrace.http.jobs_terms import ASKED
from headrace.http.problems import MEDIA_TYPE, title

Part = dict[str, Any]
_NUMBER: Part = {"type": ["number", "null"]}
_JOB: Part = {
    "title": "Job",
    "description": "A job. Moments are Unix seconds.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "enum": [status.value for status in Status]},
        "endpoint": {"type": "string"},
        "attempt": {"type": "integer", "description": "How often it was begun."},
        "failures": {"type": "integer"},
        "max_attempts": {"type": "integer"},
        "priority": {"type": "integer", "description": "The lowest number is run first."},
        "cause": {"type": ["string", "null"], "description": "Why it did not end well."},
        "size_bytes": {"type": "integer"},
        "created_at": {"type": "number"},
        "due_at": _NUMBER,
        "started_at": _NUMBER,
        "ended_at": _NUMBER,
        "deadline_at": _NUMBER,
        "kept_until": _NUMBER,
        "position": {"type": ["integer", "null"], "description": "How many stand before it."},
        "progress": {
            "type": ["object", "null"],
            "properties": {
                "done": {"type": "number"},
                "total": {"type": "number"},
                "note": {"type": "string"},
            },
        },
        "last_event": {"type": "integer"},
        "error": {"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]},
        "is_gone": {"type": "boolean", "description": "Its result is no longer kept."},
        "urls": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["id", "status", "endpoint", "attempt", "created_at", "urls"],
}
_JOBS: Part = {
    "title": "Jobs",
    "type": "object",
    "properties": {
        "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
        "cursor": {"type": ["string", "null"], "description": "Where the next page begins."},
    },
    "required": ["jobs", "cursor"],
}
_PREFER: Part = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` makes a job of the request: it is answered with 202 at once; "
    "with `respond-async, wait=10` as usual, if it is done within so many seconds (RFC 7240).",
    "schema": {"type": "string"},
}
_KEY: Part = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Of a job: the same key with the same request is the same job.",
    "schema": {"type": "string", "maxLength": 255},
}


def with_jobs(told: Part, base: str) -> Part:
    """Add jobs to a document of models; their pages are at `base`. Returns the document."""
    components, paths = told["components"], told["paths"]
    headers = {part["name"]: part for part in (_PREFER, _KEY, *_terms())}
    components["schemas"] = {**components["schemas"], "Job": _JOB, "Jobs": _JOBS}
    components["parameters"] = {**components["parameters"], **headers}
    names = [_pointer("parameters", name) for name in headers]
    for path in paths.values():
        for operation in path.values():
            if "models" in operation["tags"]:
                operation["parameters"] = [*operation["parameters"], *names]
                accepted = _answered("It is a job now; `urls` say where it is.", "Job")
                operation["responses"] = {**operation["responses"], "202": accepted}
    told["tags"].append({"name": "jobs", "description": "What goes on behind its connection."})
    security = components.get("securitySchemes")
    for path, operations in _pages(base).items():
        paths[path] = operations
        for operation in operations.values():
            if security:
                operation["security"] = [{}, *({name: []} for name in security)]
    return told


def _terms() -> list[Part]:
    return [
        {
            "name": header.decode().title(),
            "in": "header",
            "description": f"Of a job: {asking.says}",
            "schema": {"type": "integer" if asking.is_whole else "number"},
        }
        for header, asking in ASKED.items()
    ]


def _pages(base: str) -> Mapping[str, Part]:
    job = [{"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}]
    endpoint = _query("endpoint", "The route that is to run it: `/predict`.", required=True)
    filters = [
        _query("status", "Only those: `queued`, `running`, `succeeded`, ..."),
        _query("endpoint", "Only those of a route."),
        _query("cursor", "Where the page begins: the one before said so."),
        _query("limit", "How many, 1 to 1000.", "integer"),
    ]
    wait = _query("wait", "Wait so many seconds for its end, 60 at most.", "number")
    after = _query("after", "The number of the last event that was heard.", "integer")
    events = {"description": "Server-sent events.", "content": {"text/event-stream": {}}}
    result = {"description": "What the work answered, with its own status.", "content": {"*/*": {}}}
    body: Part = {"requestBody": {"content": {"*/*": {}}}}
    one = f"{base}/{{job}}"
    return {
        base: {
            "get": _told("list", "Jobs, the latest first", filters, {"200": _answered("", "Jobs")}),
            "post": {**_told("submit", "Submit a job", [endpoint], _accepted()), **body},
        },
        one: {
            "get": _told("show", "How a job is", [*job, wait], {"200": _answered("", "Job")}),
            "put": {**_told("put", "Submit under an id", [*job, endpoint], _accepted()), **body},
            "delete": _told("delete", "Forget one that is over", job, {"204": _bare("Done.")}),
        },
        f"{one}/result": {
            "get": _told("result", "What it answered", [*job, wait], {"200": result, **_accepted()})
        },
        f"{one}/events": {
            "get": _told("events", "What happens to it", [*job, after], {"200": events})
        },
        f"{one}/cancel": {
            "post": _told("cancel", "End it", job, {"200": _answered("", "Job"), **_accepted()})
        },
        f"{one}/retry": {"post": _told("retry", "Once more", job, _accepted())},
    }


def _told(name: str, summary: str, parameters: list[Part], responses: Part) -> Part:
    return {
        "operationId": f"headrace.jobs.{name}",
        "tags": ["jobs"],
        "summary": summary,
        "parameters": parameters,
        "responses": {**responses, "default": _problem()},
    }


def _query(name: str, words: str, kind: str = "string", *, required: bool = False) -> Part:
    said = {"name": name, "in": "query", "description": words, "schema": {"type": kind}}
    return {**said, "required": True} if required else said


def _accepted() -> Part:
    return {"202": _answered("It is under way.", "Job")}


def _answered(words: str, schema: str) -> Part:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": words or title(200), "content": content}


def _bare(words: str) -> Part:
    return {"description": words}


def _problem() -> Part:
    content = {MEDIA_TYPE.decode(): {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": "What is wrong, and what to do.", "content": content}


def _pointer(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}
