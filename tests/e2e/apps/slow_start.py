"""A model that loads for ever, and a file that imports for ever where asked."""

import os
import time
from pathlib import Path

import headrace as hr

if os.environ.get("SLOW") == "import":
    Path(os.environ["MARK"]).write_text(str(os.getpid()))
    time.sleep(30)


class Slow(hr.Model):
    def setup(self) -> None:
        Path(os.environ["MARK"]).write_text(str(os.getpid()))
        time.sleep(30)

    def predict(self, name: str) -> str:
        return name
