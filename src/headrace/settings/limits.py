"""The limits of the front, each with its default; `Settings` has them under the same names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one connection may take of the server; docs/limits.md says what a client sees."""

    max_connections: int = 4096
    backlog: int = 2048
    drain_linger_s: float = 1.0
    keep_alive_timeout_s: float = 75.0
    header_timeout_s: float = 10.0
    body_idle_timeout_s: float = 30.0
    min_body_bytes_per_s: int = 1024
    write_timeout_s: float = 60.0
    max_header_bytes: int = 64 << 10
    max_headers: int = 100
    max_url_bytes: int = 16 << 10


DEFAULTS = Limits()
