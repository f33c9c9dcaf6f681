"""An application in replicas, and what stands before it: keys, a proxy's path, TLS, a reload."""

from __future__ import annotations

import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.serving import PATIENCE_S, Program, served
from tests.e2e.test_tls import Papers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]
KEYED = {"Authorization": "Bearer a-key-of-some-length"}
COME_BACK = 1012


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def server(papers: Papers) -> Iterator[Program]:
    flags = (f"--tls-certfile={papers.certificate}", f"--tls-keyfile={papers.key}")
    with served("graph_doors:keyed", "--root-path=/shop", *flags) as started:
        yield started


def talk(
    server: Program, path: str, headers: dict[str, str], tls: ssl.SSLContext | None = None
) -> ClientConnection:
    url = f"{'wss' if tls else 'ws'}://localhost:{server.port}{path}"
    return connect(url, additional_headers=headers, ssl=tls, open_timeout=PATIENCE_S)


@pytest.mark.parametrize("path", ["/where", "/shop/where"])
def test_a_proxys_path_holds_whether_it_strips_it_or_not(
    server: Program, papers: Papers, path: str
) -> None:
    url = f"https://localhost:{server.port}"
    told = httpx2.get(url + path, headers=KEYED, verify=papers.trust).json()
    assert told == {"root": "/shop", "path": "/shop/where", "key": None}  # the key stays outside
    link = httpx2.get(f"{url}/link", headers=KEYED, verify=papers.trust).json()
    assert urlsplit(link).path == "/shop/where"


def test_a_route_with_keys_refuses_whoever_has_none(server: Program, papers: Papers) -> None:
    url = f"https://localhost:{server.port}/where"
    refused = httpx2.get(url, verify=papers.trust)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    with pytest.raises(InvalidStatus) as denied, talk(server, "/ws", {}, papers.trust):
        pass
    assert denied.value.response.status_code == 401
    assert json.loads(denied.value.response.body or b"")["code"] == "unauthorized"
    with talk(server, "/ws", KEYED, papers.trust) as line:
        assert line.recv(timeout=PATIENCE_S) == "?"
        line.send("over TLS")
        assert line.recv(timeout=PATIENCE_S) == "? over TLS"
    assert "without completing handshake" not in server.terminal  # it is no error


def test_a_reload_ends_conversations_with_the_old_code_in_time(tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("old")
    env = {"WORD": str(word)}
    with served("graph_doors:plain", "--reload-timeout-s=1", env=env) as server:
        with talk(server, "/ws", {}) as line:
            assert line.recv(timeout=PATIENCE_S) == "old"
            word.write_text("new")
            server.signal(signal.SIGHUP)
            with pytest.raises(ConnectionClosed) as closed:
                line.recv(timeout=PATIENCE_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == COME_BACK
        with talk(server, "/ws", {}) as line:
            assert line.recv(timeout=PATIENCE_S) == "new"
