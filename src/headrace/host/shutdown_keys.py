"""The keys that stop a server over HTTP: those that the environment names, else one made for it.

A key that was made is told once: on standard error, never in a log; a daemon, which has no
terminal, writes it to `PIDFILE.key`, for its owner alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from headrace.errors import ConfigError
from headrace.settings.table import Settings

ENV, ENV_FILE = "HEADRACE_SHUTDOWN_API_KEY", "HEADRACE_SHUTDOWN_API_KEY_FILE"
RANDOM_BYTES = 32
OURS_ALONE = 0o600


def named(variables: Mapping[str, str]) -> list[str]:
    """Return where the environment says that keys are, in the words of the option `api_keys`."""
    places = {ENV: f"env:{ENV}", ENV_FILE: f"file:{variables.get(ENV_FILE)}"}
    return [place for name, place in places.items() if name in variables]


def made(settings: Settings) -> str:
    """Return a key for this server; nothing where none is needed."""
    if not settings.enable_shutdown_api or named(os.environ):
        return ""
    return secrets.token_urlsafe(RANDOM_BYTES)


def tell(key: str) -> None:
    """Write a key to the terminal."""
    if key:
        sys.stderr.write(
            f"the key that stops this server (`Authorization: Bearer KEY`), told only now: {key}\n"
        )
        sys.stderr.flush()


@contextlib.contextmanager
def told(key: str, settings: Settings) -> Iterator[None]:
    """Tell a key where this server's owner finds it, for as long as the block lasts.

    Raises ConfigError where a daemon has no place for it.
    """
    if not key or not settings.daemon:
        tell(key)
        yield
        return
    path = Path(f"{_pidfile(settings)}.key").absolute()
    fd = _written(path, key)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # our rights may be gone by now: then it is empty
            os.ftruncate(fd, 0)
            path.unlink()
        os.close(fd)


def check_daemon(settings: Settings) -> None:
    """Say before anything starts that a daemon could tell its key to nobody. Raises ConfigError."""
    if settings.daemon and settings.enable_shutdown_api and not named(os.environ):
        _pidfile(settings)


def _pidfile(settings: Settings) -> str:
    if settings.pidfile is None:
        raise ConfigError(
            "setting `enable_shutdown_api`: a daemon has no terminal to tell a new key; name one "
            f"in the environment ({ENV} or {ENV_FILE}), or set `pidfile`: the key is written "
            "beside it"
        )
    return settings.pidfile


def _written(path: Path, key: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        path.unlink(missing_ok=True)  # of a server that was killed: the pidfile's lock is ours
        fd = os.open(path, flags, OURS_ALONE)
        os.write(fd, f"{key}\n".encode())
    except OSError as error:
        raise ConfigError(f"cannot write the key's file {path}: {error.strerror}") from error
    return fd
