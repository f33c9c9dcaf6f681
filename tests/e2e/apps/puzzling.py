"""A model whose author wants to look inside."""

from __future__ import annotations

import os
import threading

import headrace as hr


@hr.deployment(replicas=3, timeout_s=0.01)
class Puzzling(hr.Model):
    def predict(self, value: int) -> list[object]:
        secret = value * 7
        breakpoint()  # noqa: T100 - what it is about
        is_main = threading.current_thread() is threading.main_thread()
        return [secret, os.getpid(), is_main]
