"""TLS: the server's certificate with its key, and who must show one of theirs.

A file that does not do is told at the start, by name, with the mend.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from headrace.errors import ConfigError
from headrace.host.settings import Settings

ENV = "env:"
_ENCRYPTED = (b"ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


def context_of(settings: Settings) -> ssl.SSLContext | None:
    """Return how to speak TLS, or None where no certificate is set. Raises ConfigError."""
    certfile, keyfile = settings.tls_certfile, settings.tls_keyfile
    if certfile is None:
        for name in ("tls_keyfile", "tls_keyfile_password", "tls_ca_certs"):
            if getattr(settings, name) is not None:
                raise ConfigError(f"setting `{name}` needs `tls_certfile`, the certificate, too")
        return None
    for name in ("tls_certfile", "tls_keyfile", "tls_ca_certs"):
        _check_readable(name, getattr(settings, name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    password = _password(settings.tls_keyfile_password)
    try:
        # With none given, OpenSSL would ask the terminal: an empty one is refused like a wrong one.
        context.load_cert_chain(certfile, keyfile, password=lambda: password or "")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_in_words(certfile, keyfile or certfile, password, error)) from error
    if settings.tls_ca_certs is not None:
        _require_clients_certificate(context, settings.tls_ca_certs)
    return context


def _check_readable(name: str, path: str | None) -> None:
    try:
        if path is not None:
            Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"setting `{name}`: {path} cannot be read: {error.strerror}; name a PEM file"
        ) from error


def _password(given: str | None) -> str | None:
    if given is None or not given.startswith(ENV):
        return given
    name = given.removeprefix(ENV)
    if not os.environ.get(name):
        raise ConfigError(f"setting `tls_keyfile_password`: the environment has no {name}")
    return os.environ[name]


def _in_words(certfile: str, keyfile: str, password: str | None, error: Exception) -> str:
    """Tell which of the two files is wrong, and why; OpenSSL says it in a reason or not at all."""
    reason = getattr(error, "reason", None) or str(error)
    if "MISMATCH" in reason:
        return f"the key in {keyfile} is not that of the certificate in {certfile}: name its own"
    if b"-----BEGIN CERTIFICATE-----" not in Path(certfile).read_bytes():
        return f"{certfile} holds no certificate: setting `tls_certfile` wants a PEM file"
    key = Path(keyfile).read_bytes()
    if any(mark in key for mark in _ENCRYPTED):
        said = "does not open" if password else "is needed to open"
        return f"`tls_keyfile_password` {said} the key in {keyfile}; give it as env:NAME"
    if b"PRIVATE KEY-----" not in key:
        return f"{keyfile} holds no private key: setting `tls_keyfile` wants a PEM file"
    return f"{certfile} and {keyfile} cannot be used: {reason}"


def _require_clients_certificate(context: ssl.SSLContext, authorities: str) -> None:
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError as error:
        raise ConfigError(
            f"setting `tls_ca_certs`: {authorities} holds no certificate; name a PEM file"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED
