"""Answers in parts: `yield` makes a stream of it, and each item leaves when it is yielded.

The same model speaks plain text, server-sent events and JSON lines, as the client wishes. When a
client hangs up, the generator is closed at its `yield`.

    python examples/streaming.py
    curl -N --json '"a wheel in a stream"' http://127.0.0.1:8000/predict
    curl -N -H 'Accept: text/event-stream' --json '"a wheel"' http://127.0.0.1:8000/predict
"""

import time
from collections.abc import Iterator

import headrace as hr


class Shout(hr.Model):
    """Says what it is told, louder, word by word."""

    def predict(self, text: str) -> Iterator[str]:
        for word in text.split():
            time.sleep(0.1)  # it thinks
            yield f"{word.upper()} "


if __name__ == "__main__":
    hr.run(Shout)
