"""Where the peers come from: one virtual environment each, with the versions pinned here."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".venvs"

UVICORN = "uvicorn[standard]==0.54.0"
PINS: Mapping[str, tuple[str, ...]] = {
    "fastapi": ("fastapi==0.165.0", UVICORN),
    "litserve": ("litserve==0.2.19",),
    "mosec": ("mosec==0.9.8",),
    "uvicorn": (UVICORN, "msgspec==0.22.0"),
    "plot": ("matplotlib==3.11.2",),
}


class CannotInstall(Exception):
    """The environment could not be made; says which, with pip's last words."""


def python_of(name: str) -> Path:
    """Return the interpreter of this peer's environment, whether it exists yet or not."""
    return HOME / name / "bin" / "python"


def ensure(name: str) -> Path:
    """Return the interpreter of this peer's environment, made anew if its pins have changed.

    Raises CannotInstall.
    """
    home, pins = HOME / name, "\n".join(PINS[name])
    stamp = home / "pins.txt"  # written last: its presence says that the installation was finished
    if stamp.exists() and stamp.read_text() == pins:
        return python_of(name)
    _call(name, sys.executable, "-m", "venv", "--clear", str(home))
    _call(name, str(python_of(name)), "-m", "pip", "install", "--quiet", *PINS[name])
    stamp.write_text(pins)
    return python_of(name)


def _call(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotInstall(f"{name}: {last}")
