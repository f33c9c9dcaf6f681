"""Keys over real sockets: every way to a model asks for one, early; a rotation needs no restart."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import headrace as hr
from headrace.http import keys
from headrace.http.endpoints import ModelEndpoint
from tests.e2e.serving import PATIENCE_S, program, served, wait_for

pytestmark = pytest.mark.e2e

KEY, OTHER = "k" * 20, "o" * 20


@hr.deployment(executor="inline")
class Double(hr.Model):
    def predict(self, number: float) -> float:
        return 2 * number


@pytest.fixture(scope="module")
def server() -> Iterator[hr.Running]:
    with hr.start(Double, port=0, api_keys=KEY) as running:
        yield running


def asked(server: Any, key: str | None, body: bytes | list[bytes] = b"21") -> httpx2.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    url = f"{server.url}/predict"
    content = body if isinstance(body, bytes) else iter(body)
    return httpx2.post(url, content=content, headers=headers, timeout=PATIENCE_S)


BODIES: dict[str, bytes | list[bytes]] = {
    "the express lane": b"21",
    "a body of some length": b" " * 300_000 + b"21",
    "chunks, by ASGI": [b"2", b"1"],
}


@pytest.mark.parametrize("way", BODIES)
def test_every_way_to_a_model_asks_for_a_key(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []
    take = ModelEndpoint.take

    def noted(self: ModelEndpoint, scope: Any, body: bytes, connection: Any) -> None:
        taken.append(body)
        take(self, scope, body, connection)

    monkeypatch.setattr(ModelEndpoint, "take", noted)
    with hr.start(Double, port=0, api_keys=KEY) as fresh:
        said = [asked(fresh, key, BODIES[way]) for key in (None, OTHER, KEY)]
    assert [reply.status_code for reply in said] == [401, 401, 200]
    assert [reply.headers.get("www-authenticate") for reply in said] == [
        "Bearer",
        'Bearer error="invalid_token"',
        None,
    ]
    assert len(taken) == (3 if way == "the express lane" else 0)


def test_a_long_body_is_refused_before_it_is_sent(server: hr.Running) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
        sock.sendall(head)
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 401 ")


def test_our_own_endpoints_stay_open(server: hr.Running) -> None:
    for path in ("/-/health/live", "/-/health/ready", "/-/metrics", "/-/info", "/-/docs", "/"):
        assert httpx2.get(server.url + path, timeout=PATIENCE_S).status_code == 200


def test_keys_change_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "EVERY_S", 0.0)
    file, fresh = tmp_path / "keys", tmp_path / "fresh"
    file.write_text(KEY)
    with hr.start(Double, port=0, api_keys=f"file:{file}") as server:
        assert [asked(server, key).status_code for key in (KEY, OTHER)] == [200, 401]
        fresh.write_text(f"{KEY}\n{OTHER}\n")
        fresh.replace(file)
        assert [asked(server, key).status_code for key in (KEY, OTHER)] == [200, 200]
        file.write_text(OTHER)
        assert [asked(server, key).status_code for key in (KEY, OTHER)] == [401, 200]
        file.unlink()
        assert [asked(server, key).status_code for key in (KEY, OTHER)] == [401, 200]


def test_the_command_takes_keys_from_the_environment_and_shows_none(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{OTHER}\nshort\n")
    env = {"HEADRACE_API_KEYS": KEY, "HEADRACE_API_KEYS_FILE": str(file)}
    with served("hello.py", env=env) as server:
        said = [asked(server, key, b'"Ada"').status_code for key in (None, "x", KEY, OTHER)]
        assert said == [401, 401, 200, 200]
        wait_for(lambda: str(file) in server.terminal, "the warning of a short key")
        assert "can be guessed" in server.terminal
        shown = server.terminal + httpx2.get(f"{server.url}/-/info", timeout=PATIENCE_S).text
        shown += httpx2.get(f"{server.url}/-/openapi.json", timeout=PATIENCE_S).text
        for secret in (KEY, OTHER, "short\n"):
            assert secret not in shown


def test_a_start_without_any_key_fails_with_2() -> None:
    env = {"HEADRACE_API_KEYS": ""}
    with program("-m", "headrace", "serve", "hello.py", "--port=0", env=env) as failed:
        assert failed.exit_code() == 2
        assert "the environment's HEADRACE_API_KEYS holds no key" in failed.terminal
        assert "Traceback" not in failed.terminal


def test_a_program_that_names_no_key_gets_its_error_and_its_port_back() -> None:
    with pytest.raises(hr.HeadraceError, match="NO_SUCH_VARIABLE holds no key"):
        hr.start(Double, port=0, api_keys="env:NO_SUCH_VARIABLE")
