"""Who may come in: the keys of a route, and whether a request brings one of them.

A key is kept as its SHA-256, and a request's is compared with every one of them, each time in
constant time: how long a refusal takes tells nothing about how near the guess was.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from headrace.errors import ConfigError, Unauthorized
from headrace.http.messages import Scope

log = logging.getLogger("headrace.http")
ENV, FILE = "env:", "file:"
SHORT = 16
LONGEST_FILE_BYTES = 1 << 20
EVERY_S = 1.0
FINGERPRINT = 8
_BEARER = b"bearer "
_sendable = re.compile(r"[\x21-\x7e]+").fullmatch

Digests = tuple[bytes, ...]


class Keys:
    """The keys that open one or more routes."""

    def __init__(
        self, entries: Sequence[str], whose: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read them all; `whose` names the option in messages. Raises ConfigError.

        An entry is a key, `env:NAME` or `file:/path`.
        """
        fixed: list[bytes] = []
        self._files: list[KeyFile] = []
        for number, entry in enumerate(entries, 1):
            if entry.startswith(FILE):
                self._files.append(KeyFile(entry.removeprefix(FILE), whose, clock))
            elif entry.startswith(ENV):
                fixed += _of_variable(entry.removeprefix(ENV), whose)
            else:
                fixed += _digests([entry], f"{whose}, key {number}")
        self._fixed = tuple(fixed)
        if not entries:
            raise ConfigError(
                f"{whose} is empty, and nobody could come in: name a key, or leave it out"
            )

    def admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Let a request in, and take the key off it: its model has no use for it.

        Raises Unauthorized.
        """
        carriers = self.check(headers)
        scope["headers"] = [header for header in scope["headers"] if header[0] not in carriers]

    def check(self, headers: Mapping[bytes, bytes]) -> set[bytes]:
        """Return which headers carry a key of ours. Raises Unauthorized if none does."""
        offered = list(_offered(headers))
        carriers = {name for name, key in offered if self._opens(key)}
        if not carriers:
            raise _refusal(bool(offered))
        return carriers

    def fingerprint(self, headers: Mapping[bytes, bytes]) -> str:
        """Return how a record names the key that a request brings. Raises Unauthorized."""
        carriers = self.check(headers)
        key = next(key for name, key in _offered(headers) if name in carriers)
        return sha256(key).hexdigest()[:FINGERPRINT]

    def found(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """Return the key of ours that a request brings, if it brings one."""
        opening = [key for _, key in _offered(headers) if self._opens(key)]
        return opening[0] if opening else None

    def _opens(self, key: bytes) -> bool:
        digest, is_known = sha256(key).digest(), False
        for known in self._fixed:
            is_known |= hmac.compare_digest(digest, known)
        for file in self._files:
            for known in file.digests():
                is_known |= hmac.compare_digest(digest, known)
        return is_known


class KeyFile:
    """A file of keys, one a line, read again when it has changed: so keys change without a restart.

    One that vanishes, or says nothing that can be used, leaves the keys as they were: a file half
    written must not lock everybody out, nor let everybody in.
    """

    def __init__(self, path: str, whose: str, clock: Callable[[], float]) -> None:
        """Read it. Raises ConfigError."""
        self._path, self._place, self._clock = Path(path), f"{whose}: {path}", clock
        self._mark, self._digests = self._read()
        self._look_at = clock() + EVERY_S
        self._has_warned = False

    def digests(self) -> Digests:
        """Return the keys; look at the file, if that was over a second ago."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + EVERY_S
            self._refresh()
        return self._digests

    def _refresh(self) -> None:
        try:
            if _mark(self._path.stat()) != self._mark:
                self._mark, self._digests = self._read()
        except (OSError, ConfigError) as error:
            if not self._has_warned:
                log.warning("the keys stay as they were: %s", _in_words(self._place, error))
            self._has_warned = True
        else:
            self._has_warned = False

    def _read(self) -> tuple[tuple[int, ...], Digests]:
        try:
            found = self._path.stat()
            if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST_FILE_BYTES:
                raise ConfigError(f"{self._place}: it is no file of keys, one a line")
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(_in_words(self._place, error)) from error
        keys = [line.strip() for line in lines]
        return _mark(found), _digests(
            [key for key in keys if key[:1] not in ("", "#")], self._place
        )


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _in_words(place: str, error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    return f"{place} cannot be read: {reason}"


def _of_variable(name: str, whose: str) -> Digests:
    keys = [key.strip() for key in re.split(r"[,\n]", os.environ.get(name, ""))]
    return _digests([key for key in keys if key], f"{whose}: the environment's {name}")


def _digests(keys: Sequence[str], place: str) -> Digests:
    """Return the keys as they are kept; messages say `place` alone. Raises ConfigError."""
    if not keys:
        raise ConfigError(f"{place} holds no key, and nobody could come in: put one there")
    if not all(_sendable(key) for key in keys):
        raise ConfigError(f"{place}: a key is printable ASCII without spaces, to fit in a header")
    if min(len(key) for key in keys) < SHORT:
        log.warning("%s: a key of less than %d characters can be guessed", place, SHORT)
    return tuple(sha256(key.encode()).digest() for key in keys)


def _offered(headers: Mapping[bytes, bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Return the keys of a request, each with the header that carries it."""
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        yield b"authorization", authorization[len(_BEARER) :].strip()
    if b"x-api-key" in headers:
        yield b"x-api-key", headers[b"x-api-key"].strip()


def _refusal(was_offered: bool) -> Unauthorized:  # noqa: FBT001 - which of two refusals
    if was_offered:
        return Unauthorized(
            "the key is not one of this route's", challenge='Bearer error="invalid_token"'
        )
    return Unauthorized(
        "this route needs a key: send `Authorization: Bearer KEY`, or `X-API-Key: KEY`",
        challenge="Bearer",
    )
