"""The page docs/production.md is right: its proxies serve, its units are units."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from headrace.core.draining import KILL_AFTER_S
from headrace.export.facts import MARGIN_S
from headrace.export.units import unit
from headrace.export.writing import WRITERS
from headrace.settings.table import Settings
from tests.docs.test_examples import ROOT
from tests.e2e.serving import PATIENCE_S, program, served, wait_for
from tests.export.reading import facts_of
from tests.export.test_files import there
from tests.support.needs import require

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "production.md").read_text()
BLOCKS = dict(re.findall(r"^```(nginx|haproxy|ini)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {block}
}}
"""
STREAM = """
import time
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield environ["REMOTE_ADDR"].encode()
    time.sleep(float(environ["QUERY_STRING"] or 0))
    yield b" end"
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def in_front(tool: str, upstream: int, folder: Path) -> Iterator[str]:
    """Run a proxy as the page configures it, with other ports; yield its URL."""
    port, file = free_port(), folder / f"{tool}.conf"
    block = BLOCKS[tool].replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    block = block.replace("listen 80", f"listen 127.0.0.1:{port}")
    block = block.replace("bind :80", f"bind 127.0.0.1:{port}")
    assert f"127.0.0.1:{upstream}" in block
    assert f"127.0.0.1:{port}" in block
    file.write_text(NGINX.format(folder=folder, block=block) if tool == "nginx" else block)
    words = {"nginx": ["-p", str(folder), "-c", str(file)], "haproxy": ["-db", "-f", str(file)]}
    with (folder / f"{tool}.said").open("w") as said:
        process = subprocess.Popen([require(tool), *words[tool]], stdout=said, stderr=said)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: reaches(url), (folder / f"{tool}.said").read_text() or "an answer")
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def reaches(url: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(url, timeout=PATIENCE_S).status_code == 200
    return False


@pytest.mark.proxies
@pytest.mark.parametrize("tool", ["nginx", "haproxy"])
def test_a_proxy_of_the_page_tells_the_client_and_passes_streams_on(
    tool: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(STREAM)
    target = str(tmp_path / "app.py")
    with (
        served(target, "--trusted-proxy=127.0.0.1", "--threads=4") as server,
        in_front(tool, server.port, tmp_path) as url,
    ):
        stranger = {"X-Forwarded-For": "203.0.113.7"}  # said by the client itself: the proxy adds
        assert httpx2.get(url, headers=stranger).text.startswith("203.0.113.7")
        with httpx2.stream("GET", f"{url}?{PATIENCE_S / 4}", timeout=PATIENCE_S) as answer:
            parts = answer.iter_text()
            assert next(parts) == "127.0.0.1"  # long before the end
            assert "".join(parts) == " end"


@pytest.mark.proxies
def test_haproxy_looks_away_before_a_stop_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(STREAM)
    target = str(tmp_path / "app.py")
    with (
        served(target, "--drain-delay-s=30") as server,
        in_front("haproxy", server.port, tmp_path) as url,
    ):
        server.signal(15)
        ready = f"{server.url}/-/health/ready"
        wait_for(lambda: httpx2.get(ready).status_code == 503, "not ready")
        assert httpx2.get(server.url).status_code == 200  # it serves on
        wait_for(lambda: httpx2.get(url).status_code == 503, "haproxy's own refusal")
        server.signal(15)
        assert server.exit_code() == 0


def test_the_socket_unit_is_one(tmp_path: Path) -> None:
    (tmp_path / "app.socket").write_text(BLOCKS["ini"])
    facts = facts_of(tmp_path, name="app", settings=Settings(user="root"))
    (tmp_path / "app.service").write_text(unit(facts))
    said = subprocess.run(
        [there("systemd-analyze"), "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_a_socket_of_systemd_waits_for_the_server() -> None:
    tool, port = there("systemd-socket-activate"), free_port()
    start = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    listening = (tool, "--listen", f"127.0.0.1:{port}")
    ours = (sys.executable, "-m", "headrace", "serve", "plain_wsgi:app")
    with program("-c", start, *listening, *ours) as server:
        server.wait_for_line("Listening on")
        first = httpx2.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S)
        assert first.status_code in (200, 503)
        server.wait_until_serving()
        assert server.port == port
        assert httpx2.get(server.url, timeout=PATIENCE_S).status_code == 200
        server.signal(15)
        assert server.exit_code() == 0


def test_the_page_has_each_export_and_the_numbers_of_the_code() -> None:
    for word in WRITERS:
        assert re.search(rf"headrace export {word}\b", PAGE), word
    assert f"{KILL_AFTER_S:g} s for what must be killed" in PAGE
    assert f"waits {MARGIN_S} s longer" in PAGE
    usual = Settings()
    assert f"silent connections for {usual.keep_alive_timeout_s:g} s" in PAGE
    assert f"client_max_body_size {usual.max_body_bytes >> 20}m" in PAGE
    stop_s = facts_of(ROOT).stop_s
    assert int(re.findall(r"--stop-timeout (\d+)", PAGE)[0]) >= stop_s
