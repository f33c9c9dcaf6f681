"""TLS: a server speaks https, is told wrong files at the start, and bad handshakes harm nobody."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import headrace as hr
from headrace.errors import ConfigError
from headrace.host import handshakes
from headrace.host.settings import settle
from headrace.host.tls import context_of
from headrace.http.endpoints import ModelEndpoint
from tests.e2e.serving import PATIENCE_S, program, served
from tests.support.needs import require

pytestmark = pytest.mark.e2e

PASSWORD = "open-sesame"  # noqa: S105 - of a key made for this test


@hr.deployment(executor="inline")
class Double(hr.Model):
    def predict(self, number: float) -> float:
        return 2 * number


class Papers:
    """An authority, and what it has signed, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.authority, self._folder = trustme.CA(), folder
        ours, other = (self.authority.issue_cert("127.0.0.1", "localhost") for _ in range(2))
        client = self.authority.issue_cert("client@shop.example")
        key = ours.private_key_pem.bytes()
        self.ca = self._write("ca.pem", self.authority.cert_pem.bytes())
        self.certificate = self._write("cert.pem", chain(ours))
        self.key = self._write("key.pem", key)
        self.both = self._write("both.pem", key + chain(ours))
        self.others_key = self._write("others_key.pem", other.private_key_pem.bytes())
        self.client = self._write("client.pem", client.private_key_pem.bytes() + chain(client))
        self.locked = self._write("locked.pem", locked(key))
        self.nonsense = self._write("nonsense.pem", b"nothing of the kind\n")

    def _write(self, name: str, content: bytes) -> str:
        (self._folder / name).write_bytes(content)
        return str(self._folder / name)

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client that knows the authority uses."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def chain(certificate: trustme.LeafCert) -> bytes:
    return b"".join(each.bytes() for each in certificate.cert_chain_pems)


def locked(key: bytes) -> bytes:
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@contextlib.contextmanager
def started(papers: Papers, **settings: Any) -> Iterator[hr.Running]:
    words = {"tls_certfile": papers.certificate, "tls_keyfile": papers.key, **settings}
    with hr.start(Double, port=0, **words) as server:
        yield server


def doubled(server: hr.Running, context: ssl.SSLContext) -> Any:
    url = f"{server.url}/predict"
    return httpx2.post(url, json=21, verify=context, timeout=PATIENCE_S).json()


def connected(server: hr.Running) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def secured(server: hr.Running, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(connected(server), server_hostname="127.0.0.1")


def all_of(sock: socket.socket) -> bytes:
    said = b""
    while part := sock.recv(1 << 16):
        said += part
    return said


def test_a_model_answers_over_https_by_the_express_lane(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []
    take = ModelEndpoint.take

    def noted(self: ModelEndpoint, scope: Any, body: bytes, connection: Any) -> None:
        taken.append(body)
        take(self, scope, body, connection)

    monkeypatch.setattr(ModelEndpoint, "take", noted)
    with started(papers) as server:
        assert server.url.startswith("https://127.0.0.1:")
        with httpx2.Client(verify=papers.trust, timeout=PATIENCE_S) as client:
            answers = [client.post(f"{server.url}/predict", json=n).json() for n in range(5)]
            long = client.post(f"{server.url}/predict", content=b" " * 300_000 + b"21")
    assert answers == [0, 2, 4, 6, 8]
    assert (long.status_code, long.json()) == (200, 42)
    assert taken == [b"0", b"1", b"2", b"3", b"4"]


def test_a_key_may_stand_beside_its_certificate_and_be_encrypted(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(papers, tls_certfile=Path(papers.both), tls_keyfile=None) as server:
        assert doubled(server, papers.trust) == 42
    monkeypatch.setenv("MY_PASSWORD", PASSWORD)
    for password in ("env:MY_PASSWORD", PASSWORD):
        words = {"tls_keyfile": papers.locked, "tls_keyfile_password": password}
        with started(papers, **words) as server:
            assert doubled(server, papers.trust) == 42


def test_curl_is_served(papers: Papers) -> None:
    curl = require("curl")
    with started(papers) as server:
        command = [curl, "-sS", "--cacert", papers.ca, "--json", "21", f"{server.url}/predict"]
        said = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    assert said.stdout == b"42.0"


def test_nothing_older_than_tls_1_2_is_spoken(papers: Papers) -> None:
    context = context_of(settle({"tls_certfile": papers.both}))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    with started(papers) as server, secured(server, papers.trust) as sock:
        assert sock.version() == "TLSv1.3"
        assert sock.selected_alpn_protocol() is None, "this client asked for none"


@pytest.mark.parametrize("content", [b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101, b"hello\r\n\r\n"])
def test_a_refusal_is_read_to_its_end(papers: Papers, content: bytes) -> None:
    with started(papers) as server:
        with secured(server, papers.trust) as sock:
            sock.sendall(content + b"\r\n")
            said = all_of(sock)
        assert doubled(server, papers.trust) == 42
    assert said.startswith(b"HTTP/1.1 431 " if b"X" in content else b"HTTP/1.1 400 ")
    assert said.endswith(b"}")


# --- clients that do not do as they should --------------------------------------------------


def test_a_client_that_speaks_no_tls_harms_nobody(papers: Papers) -> None:
    with started(papers) as server:
        with connected(server) as sock:
            sock.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n21")
            with contextlib.suppress(ConnectionResetError):
                assert b"42" not in all_of(sock)
        assert doubled(server, papers.trust) == 42


def test_a_handshake_that_is_never_finished_is_ended(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert handshakes.HANDSHAKE_S == 10
    monkeypatch.setattr(handshakes, "HANDSHAKE_S", 0.3)
    with started(papers) as server, connected(server) as silent, connected(server) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert doubled(server, papers.trust) == 42
        for sock in (silent, half):
            with contextlib.suppress(ConnectionResetError):
                assert all_of(sock) == b"", "the server must end it"
        assert doubled(server, papers.trust) == 42


def test_a_stop_waits_for_nobody_who_is_in_the_middle_of_it(papers: Papers) -> None:
    with started(papers) as server, connected(server), secured(server, papers.trust) as idle:
        idle.sendall(b"GET /-/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < PATIENCE_S


def test_a_flood_of_silence_keeps_nobody_out(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MOST_AT_ONCE", 4)
    monkeypatch.setattr(handshakes, "SETTLED_S", 0.05)
    gate = threading.Event()
    with started(papers) as server, contextlib.ExitStack() as silent:
        loop = server._loop
        assert loop is not None
        loop.call_soon_threadsafe(gate.wait, PATIENCE_S)  # so that they are accepted all at once
        socks = [silent.enter_context(connected(server)) for _ in range(20)]
        gate.set()
        assert doubled(server, papers.trust) == 42
        with contextlib.suppress(ConnectionResetError):
            assert socks[0].recv(1) == b"", "the eldest goes for a newcomer"


def test_a_burst_of_clients_is_served_to_the_last(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MOST_AT_ONCE", 2)
    with started(papers) as server, ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda _: doubled(server, papers.trust), range(24)))
    assert answers == [42] * 24


def test_a_stop_waits_for_nobody_who_takes_nothing_of_an_answer(papers: Papers) -> None:
    with started(papers) as server, secured(server, papers.trust) as idle:
        idle.sendall(b"GET /docs.js HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        assert idle.recv(1)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < PATIENCE_S


def test_clients_must_show_a_certificate_where_that_is_asked_for(papers: Papers) -> None:
    known = papers.trust
    known.load_cert_chain(papers.client)
    with started(papers, tls_ca_certs=papers.ca) as server:
        assert doubled(server, known) == 42
        with pytest.raises(httpx2.TransportError):
            doubled(server, papers.trust)
        with secured(server, papers.trust) as stranger:  # TLS 1.3: it hears of it when it reads
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ssl.SSLError, ConnectionResetError):
                assert stranger.recv(1) == b"", "the server must end it"
        assert doubled(server, known) == 42


# --- wrong files ----------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no certificate there": ({"tls_certfile": "/no/such.pem"}, "/no/such.pem cannot be read"),
    "no key there": ({"tls_keyfile": "/no/such.pem"}, "tls_keyfile.*/no/such.pem cannot be read"),
    "a folder": ({"tls_keyfile": "/"}, "/ cannot be read: Is a directory"),
    "no certificate in it": ({"tls_certfile": "nonsense"}, "nonsense.pem holds no certificate"),
    "no key in it": ({"tls_keyfile": "nonsense"}, "nonsense.pem holds no private key"),
    "a certificate for a key": ({"tls_keyfile": "certificate"}, "cert.pem holds no private key"),
    "another's key": ({"tls_keyfile": "others_key"}, "others_key.pem is not that of .*cert.pem"),
    "no password": ({"tls_keyfile": "locked"}, "password` is needed to open the key in .*locked"),
    "a wrong password": (
        {"tls_keyfile": "locked", "tls_keyfile_password": "guess"},
        "password` does not open the key in .*locked.pem",
    ),
    "a password that is not set": (
        {"tls_keyfile": "locked", "tls_keyfile_password": "env:NO_SUCH_VARIABLE"},
        "the environment has no NO_SUCH_VARIABLE",
    ),
    "no authority in it": ({"tls_ca_certs": "nonsense"}, "nonsense.pem holds no certificate"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_papers_are_named_with_the_mend(papers: Papers, name: str) -> None:
    changes, words = WRONG[name]
    chosen = {key: getattr(papers, value, value) for key, value in changes.items()}
    with pytest.raises(ConfigError, match=words) as caught, started(papers, **chosen):
        pass
    assert "guess" not in str(caught.value)


@pytest.mark.parametrize("name", ["tls_keyfile", "tls_ca_certs", "tls_keyfile_password"])
def test_no_part_of_it_is_forgotten_without_a_certificate(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*tls_certfile"):
        context_of(settle({name: "x"}))
    with pytest.raises(ConfigError, match="must be the path of a file"):
        settle({"tls_certfile": 3})


def test_the_command_says_https_and_exits_with_2_on_wrong_papers(papers: Papers) -> None:
    good = ("--tls-certfile", papers.certificate, "--tls-keyfile", papers.key)
    with served("hello.py", *good) as server:
        assert server.url.startswith("https://")
        url = f"{server.url}/predict"
        said = httpx2.post(url, json="Ada", verify=papers.trust, timeout=PATIENCE_S)
        assert said.status_code == 200
    bad = ("--tls-certfile", papers.certificate, "--tls-keyfile", papers.others_key)
    with program("-m", "headrace", "serve", "hello.py", "--port=0", *bad) as failed:
        assert failed.exit_code() == 2
        assert "others_key.pem is not that of" in failed.terminal
        assert "Traceback" not in failed.terminal
