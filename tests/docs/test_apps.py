"""The page on plain applications tells the truth: its examples run under `headrace serve`."""

from __future__ import annotations

import io
import re
import signal
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from headrace.host.access_format import ATOMS
from tests.docs.test_examples import EXAMPLES, ROOT, SIX
from tests.e2e.serving import PATIENCE_S, program, served

pytestmark = pytest.mark.e2e
PAGE = (ROOT / "docs" / "apps.md").read_text()


def picture() -> bytes:
    """A six, as a PNG."""
    pixels = np.array(SIX, dtype=np.uint8).reshape(8, 8) * 15
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "png")
    return png.getvalue()


def test_a_model_of_images_is_loaded_first_and_freed_at_the_stop() -> None:
    with program("-m", "headrace", "serve", str(EXAMPLES / "image_model.py"), "--port=0") as server:
        server.wait_for_line(" at http", within_s=4 * PATIENCE_S)  # it imports scikit-learn twice
        headers = {"Content-Type": "image/png"}
        url = f"{server.url}/predict"
        told = httpx2.post(url, content=picture(), headers=headers, timeout=PATIENCE_S).json()
        assert told["digit"] == 6
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "the model is released" in server.terminal
        assert "Traceback" not in server.terminal


def test_fastapi_loads_its_model_first_and_frees_it_at_the_stop() -> None:
    command = ("-m", "headrace", "serve", str(EXAMPLES / "fastapi_lifespan.py"), "--port=0")
    with program(*command) as server:
        server.wait_for_line(" at http", within_s=4 * PATIENCE_S)  # it imports scikit-learn twice
        files = {"image": ("six.png", picture())}
        told = httpx2.post(f"{server.url}/predict", files=files, timeout=PATIENCE_S).json()
        assert told["digit"] == 6
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "the model is released" in server.terminal
        assert "Traceback" not in server.terminal


def test_flask_answers_at_once_and_a_stop_waits_for_its_work(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    flags = ("--workers=2", "--threads=4", f"--access-log={log}")
    with served(str(EXAMPLES / "flask_app.py"), *flags) as server:
        assert httpx2.get(f"{server.url}/primes?limit=20").json() == [2, 3, 5, 7, 11, 13, 17, 19]
        assert httpx2.post(f"{server.url}/schedule?seconds=1.5").text == "Task Scheduled"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "the work is done" in server.terminal
    lines = sorted(log.read_text().splitlines())
    assert len(lines) == 2
    assert '"GET /primes?limit=20 HTTP/1.1" 200' in lines[0]


def test_flask_runs_by_a_configuration_with_gunicorns_names() -> None:
    words = ("serve", "-c", str(EXAMPLES / "flask_conf.py"), str(EXAMPLES / "flask_app.py"))
    with program("-m", "headrace", *words, env={"APP_PORT": "0"}) as server:
        server.wait_until_serving()
        assert "WSGI application, 4 threads" in server.terminal
        assert httpx2.get(f"{server.url}/primes?limit=10").json() == [2, 3, 5, 7]
        server.wait_for_line('"GET /primes?limit=10 HTTP/1.1" 200')
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert "headrace: " not in server.terminal  # nothing of it was ignored


def test_the_page_has_every_atom() -> None:
    told = set(re.findall(r"`%\((\w)\)s`", PAGE))
    assert told == set(ATOMS)
