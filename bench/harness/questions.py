"""What a server is asked, how its answer is judged, which script makes wrk ask the same."""

import json
from collections.abc import Callable
from dataclasses import dataclass

JSON, OCTETS = "application/json", "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Question:
    """One request; `script` is wrk's, of this folder, and the arguments that it gets."""

    body: bytes
    right: Callable[[bytes], bool]
    media_type: str = JSON
    script: tuple[str, ...] = ("echo.lua",)


ECHO = Question(b'{"input": 3.0}', lambda body: json.loads(body) == {"output": 9.0})
