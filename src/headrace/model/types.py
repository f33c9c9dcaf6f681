"""The body types of ours that a hook's annotation may name: Upload and Request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from headrace.model.known import descends, without_none
from headrace.model.media import charset_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from headrace.model.envelope import Envelope

__all__ = ["Request", "Upload"]


def __getattr__(name: str) -> Any:
    """Give out Starlette's own Request, importing it only for those who ask."""
    if name != "Request":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from starlette.requests import Request  # noqa: PLC0415 - 40 ms that a JSON model need not pay

    return Request


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form. `filename` is a bare name, whatever path the client sent."""

    filename: str
    content_type: str
    data: bytes

    def read(self) -> bytes:
        """Give all of it."""
        return self.data

    def text(self, encoding: str | None = None) -> str:
        """Decode it by `encoding`, else by its own charset, else as UTF-8."""
        return self.data.decode(encoding or charset_of(self.content_type) or "utf-8")

    def __repr__(self) -> str:
        return f"<Upload {self.filename!r}, {self.content_type}, {len(self.data)} bytes>"


Files = Literal["one", "maybe", "many"]


def is_upload(kind: Any) -> bool:
    """Tell whether this is Upload."""
    return kind is Upload


def files_wanted(annotation: Any, is_one: Callable[[Any], bool] = is_upload) -> Files | None:
    """Tell how many files an annotation stands for, None if it stands for something else."""
    if is_one(annotation):
        return "one"
    inner, optional = without_none(annotation)
    if optional:
        return "maybe" if is_one(inner) else None
    if get_origin(annotation) is list and is_one(get_args(annotation)[0]):
        return "many"
    return None


def is_request(annotation: Any) -> bool:
    """Tell whether this is Starlette's Request, without importing Starlette to find out."""
    return descends(annotation, "starlette.requests", "Request")


def make_request(kind: type, envelope: Envelope) -> Any:
    """Make Starlette's Request of an envelope that carries its Head."""
    head = envelope.head
    if head is None:
        raise ValueError("an envelope without its head cannot become a Request")
    return kind(
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.http_version,
            "method": head.method,
            "scheme": head.scheme,
            "path": head.path,
            "raw_path": None,
            "query_string": head.query,
            "root_path": head.root_path,
            "headers": head.headers,
            "client": (head.client, 0),
        },
        _Body(envelope.body),
    )


class _Body:
    """An ASGI `receive` that gives a body once, then waits for a hang-up that is not told here."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def __call__(self) -> dict[str, Any]:
        from asyncio import Event, sleep  # noqa: PLC0415 - there is a loop already, we are awaited

        await sleep(0)  # `is_disconnected` only peeks, already cancelled: it must not take the body
        if self._body is None:
            await Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
