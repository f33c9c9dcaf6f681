"""Pillow at the border: images from files, bodies or base64, and back; imported here alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, UnidentifiedImageError

from headrace.errors import BadRequest, TooLarge
from headrace.model.codec import Codec, Make, Reader
from headrace.model.forms import file_reader, files_taken
from headrace.model.json_body import unread
from headrace.model.media import BYTES, FORM, PNG, is_json, media_type
from headrace.model.misfit import Misfit, fitted
from headrace.model.parts import Part
from headrace.model.types import Files, Upload

_NEVER = frozenset({"EPS", "WMF"})  # Pillow hands them to other programs, Ghostscript say
_TO_RGB = frozenset({"RGBA", "RGBa", "LA", "La", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})

Image.init()


def image_codec(
    annotation: Any, files: Files, read_json: Reader, name: str, absent: Make | None
) -> Codec:
    """Read an image; `read_json` reads a body that is one in base64."""
    mend = (
        "send the image: curl --data-binary @image.png -H 'Content-Type: image/png', "
        f"or a form: curl -F {name}=@image.png"
    )
    from_form = file_reader(name, files, of_upload, mend, absent)

    def read(envelope: Any) -> Any:
        body, kind = envelope.body, envelope.content_type or BYTES
        if not body:
            if absent is not None:
                return absent()
            raise BadRequest(f"the body is empty; {mend}")
        media = media_type(kind)
        if media == FORM:
            return from_form(envelope)
        if is_json(kind):
            return read_json(envelope)
        if media != BYTES and not media.startswith("image/"):
            raise unread(kind, mend)
        image = fitted(opened, body)
        return [image] if files == "many" else image

    def take(found: Sequence[Part]) -> Any:
        return files_taken(files, of_upload, found)

    return Codec(
        read=read,
        take=take,
        mend=mend,
        example="base64",
        schema=annotation,
        as_file=True,
        absent=absent,
    )


def of_upload(upload: Upload) -> Image.Image:
    """Open a form's file."""
    return opened(upload.data)


def of_base64(text: Any) -> Image.Image:
    """Open an image that is a string in JSON."""
    if not isinstance(text, str):
        raise Misfit(f"an image in base64 is wanted, a {type(text).__name__} came")
    try:
        return opened(base64.b64decode(text, validate=True))
    except ValueError as error:
        if isinstance(error, Misfit):
            raise
        raise Misfit(f"it is not base64: {error}") from error


def opened(body: bytes) -> Image.Image:
    """Decode an image, all of it; raises TooLarge for one that would fill the memory."""
    formats = [name for name in Image.ID if name not in _NEVER]
    try:
        image = Image.open(io.BytesIO(body), formats=formats)
        _refuse_bomb(image)
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _bomb() from error
    except (TooLarge, MemoryError):
        raise
    except Exception as error:  # a decoder raises what it likes at a broken file: the sender hears
        why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise Misfit(f"it cannot be decoded as an image{why}") from error
    return image


def _refuse_bomb(image: Image.Image) -> None:
    """Refuse what Pillow only warns of."""
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and image.width * image.height > most:
        raise _bomb()


def _bomb() -> TooLarge:
    return TooLarge(f"the image has more than {Image.MAX_IMAGE_PIXELS} pixels")


def format_of(media: str) -> str | None:
    """Find Pillow's name of a format it can write, None if it cannot."""
    kind = media_type(media)
    names = (name for name, mime in Image.MIME.items() if mime == kind and name in Image.SAVE)
    return next(names, None)


def written(image: Image.Image, media: str = PNG) -> bytes:
    """Write an image in the format of a media type; what it raises passes.

    A mode the format has no word for (transparency in JPEG) is turned into RGB.
    """
    file, name = io.BytesIO(), format_of(media)
    if name is None:
        raise ValueError(f"Pillow writes no {media}")
    try:
        image.save(file, name)
    except OSError:
        if image.mode not in _TO_RGB:
            raise
        file = io.BytesIO()
        image.convert("RGB").save(file, name)
    return file.getvalue()
