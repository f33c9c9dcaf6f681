"""The models under check. Each does one thing that an executor must cope with."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from headrace.errors import Cancelled
from headrace.model.api import Model

LONG_S = 30.0
"""Longer than any check waits."""


def leave_mark(path: str) -> None:
    """Show that this ran; once more makes the mark longer."""
    with Path(path).open("a") as marks:
        marks.write("x")


class Obedient(Model):
    """Does what each request wishes."""

    def predict(self, wish: str, value: Any = None) -> Any:
        """Fulfil one wish."""
        return getattr(self, wish)(value)

    def echo(self, value: Any) -> Any:
        """Give it back."""
        return value

    def pid(self, _: Any) -> int:
        """Name the process this runs in."""
        return os.getpid()

    def mark(self, path: str) -> None:
        """Show that this ran."""
        leave_mark(path)

    def mark_and_sleep(self, path: str) -> None:
        """Show that this runs, then sit in a C call."""
        leave_mark(path)
        time.sleep(LONG_S)

    def sleep(self, seconds: float) -> None:
        """Sit in a C call."""
        time.sleep(seconds)

    def spin(self, path: str) -> None:
        """Show that this runs, then compute."""
        leave_mark(path)
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            pass

    def say(self, line: str) -> None:
        """Print to both outputs."""
        print(line)  # noqa: T201 - the subject of a check
        print(line, file=sys.stderr)  # noqa: T201

    def fail(self, words: str) -> None:
        """Raise an everyday exception."""
        raise ValueError(words)

    def fail_oddly(self, words: str) -> None:
        """Raise what `except Exception` does not catch."""
        raise Cancelled(words)

    def exit(self, code: int) -> None:
        """End the process without a goodbye."""
        os._exit(code)

    def leave(self, code: int) -> None:
        """End the process as a script does."""
        sys.exit(code)

    def let_go(self, first: int) -> None:
        """Close the socket to the worker, and all else, and live on."""
        os.closerange(first, 64)
        time.sleep(LONG_S)

    def bear_a_chatterbox(self, code: int) -> None:
        """Leave a child that prints without end, then exit."""
        subprocess.Popen(["yes"], start_new_session=True)  # noqa: S607 - it is everywhere
        time.sleep(0.2)  # its first lines are in the pipe
        os._exit(code)

    def die(self, number: int) -> None:
        """End by a signal, as a fault in native code does."""
        os.kill(os.getpid(), number)
        signal.pause()

    def bear_and_die(self, number: int) -> None:
        """Leave a child that holds every file descriptor, then end by a signal."""
        for fd in range(3, 64):
            try:
                os.set_inheritable(fd, True)
            except OSError:
                continue
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(4)"],
            close_fds=False,
            start_new_session=True,
        )
        self.die(number)


class ObedientAsync(Obedient):
    """Does what each request wishes, on an event loop."""

    async def predict(self, wish: str, value: Any = None) -> Any:
        """Fulfil one wish; those that wait, side by side."""
        return await self.wait(value) if wish == "wait" else getattr(self, wish)(value)

    async def wait(self, path: str) -> None:
        """Wait for nothing, and show when that is no longer wanted."""
        leave_mark(f"{path}.begun")
        try:
            await asyncio.sleep(LONG_S)
        finally:
            leave_mark(f"{path}.stopped")


class Batched(Model):
    """Answers a whole call at once."""

    def predict_batch(self, numbers: list[int]) -> list[Any]:
        """Double each, refuse the negative ones alone."""
        return [ValueError(each) if each < 0 else 2 * each for each in numbers]


class Tidy(Model):
    """Shows that its teardown ran."""

    def setup(self, device: str) -> None:
        """Tell how far it is."""
        self._mark = device
        self.loading(1, 2, "half of it")

    def predict(self, value: Any) -> Any:
        """Give it back."""
        return value

    def teardown(self) -> None:
        """Show that this ran."""
        leave_mark(self._mark)


class Broken(Model):
    """Cannot be set up; its teardown trips over what is missing."""

    def setup(self, device: str) -> None:
        """Fail."""
        self._mark = device
        raise RuntimeError("no weights here")

    def predict(self, value: Any) -> Any:
        """Give it back."""
        return value

    def teardown(self) -> None:
        """Show that this ran, and fail too."""
        leave_mark(self._mark)
        raise AttributeError("weights")


class Slow(Model):
    """Is never ready."""

    async def setup(self, device: str) -> None:
        """Show that this runs, then wait."""
        leave_mark(device)
        await asyncio.sleep(LONG_S)

    async def predict(self, value: Any) -> Any:
        """Give it back."""
        return value
