"""How a name is read: what it becomes in a URL, what it was probably meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def kebab(name: str) -> str:
    """Write a class's name as one in a URL: `ImageModel` is `image-model`."""
    words = _HUMPS.sub("-", name).replace("_", "-").lower()
    return re.sub("-+", "-", words).strip("-") or "model"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say `; did you mean ...?` if one of the known names is near, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def is_slip(name: str, meant: str) -> bool:
    """Tell whether one slip lies between them: a letter more, less, another, or two swapped."""
    if name == meant or abs(len(name) - len(meant)) > 1:
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(name, meant, strict=False)) if a != b),
        min(len(name), len(meant)),
    )
    ours, theirs = name[start:], meant[start:]
    return (
        ours[1:] == theirs  # one too many
        or ours == theirs[1:]  # one too few
        or ours[1:] == theirs[1:]  # another one
        or (ours[:2] == theirs[1::-1] and ours[2:] == theirs[2:])  # two swapped
    )
