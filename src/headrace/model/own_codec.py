"""How a parameter with a Decode of the user's is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from headrace.model.adapters import Decode, takes_type, word_of
from headrace.model.codec import Codec
from headrace.model.json_body import unread
from headrace.model.media import BYTES, JSON, media_type
from headrace.model.misfit import Misfit, fitted, only
from headrace.model.parts import Part


def adapter_codec(adapter: Decode, name: str) -> Codec:
    """Read with the user's function: a body, a field's JSON text, a part of a form."""
    parse, types = _parser(adapter), tuple(media.lower() for media in adapter.media_types)
    mend = f"send it: curl --data-binary @{name} -H 'Content-Type: {_shown(types)}'"

    def read(envelope: Any) -> Any:
        kind = envelope.content_type
        if types and not _takes(types, media_type(kind or BYTES)):
            raise unread(kind or "", mend)
        return fitted(lambda body: parse(body, kind or BYTES), envelope.body)

    def take(found: Sequence[Part]) -> Any:
        part = only(found)
        return parse(part.body, part.content_type or BYTES)

    return Codec(
        read=read,
        take=take,
        mend=mend,
        schema=msgspec.Raw,
        of_json=lambda text: parse(text, JSON),
        as_file=True,
    )


def _parser(adapter: Decode) -> Callable[[bytes, str], Any]:
    parse, with_type = adapter.parse, takes_type(adapter.parse)

    def parsed(body: bytes, content_type: str) -> Any:
        try:
            return parse(body, content_type) if with_type else parse(body)
        except ValueError as error:
            words = str(error) or f"{word_of(parse)} cannot read it"
            raise Misfit(words) from error

    return parsed


def _takes(types: Sequence[str], media: str) -> bool:
    """Tell whether a media type is one of these; `image/*` stands for all images."""
    return any(media == kind or kind == f"{media.partition('/')[0]}/*" for kind in types)


def _shown(types: Sequence[str]) -> str:
    return types[0].replace("/*", "/...") if types else BYTES
