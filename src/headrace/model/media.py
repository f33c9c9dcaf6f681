"""How a Content-Type is read."""

from __future__ import annotations

JSON = "application/json"
BYTES = "application/octet-stream"
PNG = "image/png"
NPY = "application/x-npy"
TEXT = "text/plain"
FORM = "multipart/form-data"
EVENTS = "text/event-stream"
NDJSON = "application/x-ndjson"


def media_type(content_type: str) -> str:
    """Give the type alone, in lower case: `text/plain` of `Text/Plain; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: str) -> str | None:
    """Give the charset parameter, None where there is none."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or None
    return None


def is_json(content_type: str) -> bool:
    """Tell whether it names JSON: application/json itself or a type that ends in +json."""
    kind = media_type(content_type)
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def is_text(content_type: str) -> bool:
    """Tell whether it names text that is read as it is."""
    return media_type(content_type).startswith("text/")


def with_charset(content_type: str) -> str:
    """Say that a text is in UTF-8, unless its type says something else."""
    bare = is_text(content_type) and charset_of(content_type) is None
    return f"{content_type}; charset=utf-8" if bare else content_type
