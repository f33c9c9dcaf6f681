"""A WSGI application that says who answers, and can be slow or end badly."""

import os
import time
from collections.abc import Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise ValueError("as asked\n12:00:00 ERROR forged")
    if path.startswith("/sleep/"):
        time.sleep(float(path.rpartition("/")[2]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
