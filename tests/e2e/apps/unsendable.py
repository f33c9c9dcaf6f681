"""A script whose middleware takes what cannot leave the process that made it."""

from __future__ import annotations

import threading
from typing import Any

import headrace as hr


class Locks:
    def __init__(self, app: Any, lock: Any) -> None:
        self.app, self.lock = app, lock


class Hello(hr.Model):
    def predict(self, name: str) -> str:
        return name


hr.run(Hello, port=0, middleware=[(Locks, {"lock": threading.Lock()})])
